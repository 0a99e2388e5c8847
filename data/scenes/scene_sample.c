/* Examples of view synthesis. */
#include "data/scenes/scene_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

ttt_status scene_sample_options_check(const struct scene_sample_options *options)
{
    if (options->height < 1 || options->width < 1 || options->height > SCENE_SIDE_MAX ||
        options->width > SCENE_SIDE_MAX)
        return ttt_fail(TTT_ARGUMENT, "pictures of %dx%d pixels: both sides must be 1 to %d", options->width,
                        options->height, SCENE_SIDE_MAX);
    if (!isfinite(options->factor) || options->factor <= 0)
        return ttt_fail(TTT_ARGUMENT, "the pose factor %g must be above 0", options->factor);
    if (options->choice.order == VIEWS_INDEXED && !options->choice.index)
        return ttt_fail(TTT_ARGUMENT, "views shall be chosen by an index file, but none is named");
    return TTT_OK;
}

ttt_status scene_sample_frame(const struct scene_sample_options *options, const struct scene *scene,
                              const uint32_t *inputs, int input_count, const uint32_t *targets,
                              int target_count, struct pose_frame *frame)
{
    int count = input_count + (options->scope == POSES_OF_EXAMPLE ? target_count : 0);
    struct pose *poses = malloc((size_t)count * sizeof *poses);
    if (!poses)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory for %d poses", scene->path, count);
    for (int i = 0; i < count; i++)
        poses[i] = scene->views[i < input_count ? inputs[i] : targets[i - input_count]].c2w;
    *frame = pose_frame_of(options->normalisation, options->factor, poses, (size_t)count);
    free(poses);
    return TTT_OK;
}

/* Takes one piece of memory for all arrays of `inputs` + `targets` views. */
static ttt_status make_arrays(const struct scene_sample_options *options, struct scene_sample *sample)
{
    size_t views = (size_t)sample->input_count + (size_t)sample->target_count,
           inputs = (size_t)sample->input_count;
    size_t picture = (size_t)options->height * (size_t)options->width * 3;
    float *at = calloc(views, (picture + 16 + 4 + 1) * sizeof *at);
    if (!at)
        return ttt_fail(TTT_MEMORY, "not enough memory for %zu views of %dx%d pixels", views, options->width,
                        options->height);
    sample->memory = at;
    sample->inputs.images = at;
    sample->targets.images = at + inputs * picture;
    at += views * picture;
    sample->inputs.c2w = at;
    sample->targets.c2w = at + inputs * 16;
    at += views * 16;
    sample->inputs.fxfycxcy = at;
    sample->targets.fxfycxcy = at + inputs * 4;
    at += views * 4;
    sample->input_views = (uint32_t *)at;
    sample->target_views = sample->input_views + inputs;
    return TTT_OK;
}

static ttt_status fill(const struct scene_sample_options *options, const struct scene *scene,
                       ttt_random *random, struct scene_cache *cache, struct scene_sample *s)
{
    TRY(view_choose(&options->choice, scene, random, s->input_views, s->target_views));
    TRY(scene_sample_frame(options, scene, s->input_views, s->input_count, s->target_views, s->target_count,
                           &s->frame));
    TRY(view_block_load(scene, s->input_views, s->input_count, &s->frame, options->height, options->width,
                        cache, &s->inputs));
    return view_block_load(scene, s->target_views, s->target_count, &s->frame, options->height,
                           options->width, cache, &s->targets);
}

ttt_status scene_sample_load(const struct scene_sample_options *options, const struct scene *scene,
                             ttt_random *random, struct scene_cache *cache, struct scene_sample *sample)
{
    *sample = (struct scene_sample){0};
    TRY(scene_sample_options_check(options));
    TRY(view_choice_counts(&options->choice, scene, &sample->input_count, &sample->target_count));
    ttt_status status = make_arrays(options, sample);
    if (!status)
        status = fill(options, scene, random, cache, sample);
    if (status)
        scene_sample_free(sample);
    return status;
}

void scene_sample_free(struct scene_sample *sample)
{
    free(sample->memory);
    *sample = (struct scene_sample){0};
}
