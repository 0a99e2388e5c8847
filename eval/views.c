/* Evaluation of view synthesis. */
#include "eval/views.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/metrics.h"
#include "ttt/base/clock.h"

/* Least side of a picture that SSIM is defined for. */
enum { SSIM_LEAST_SIDE = 11 };

/* What is kept from scene to scene. */
struct evaluation {
    const struct lact_nvs_config *config;
    const struct views_options *options;
    ttt_store *store;
    struct view_renderer renderer;
    bool has_renderer;
    int64_t values;                         /* floats of a picture: 3 * height * width */
    double *truth, *rendered, *nearest;     /* pictures (height, width, 3) */
    float *picture;                         /* (3, height, width) */
    uint32_t *input_views, *target_views;   /* of the scene */
    float *images, *fxfycxcy, *c2w;         /* of its inputs */
    int input_count, target_count, room[2]; /* room: of both arrays of views */
    struct pose_frame frame;
    bool unreadable; /* what failed is reading a scene */
};

static ttt_status evaluation_create(const struct lact_nvs_config *config, ttt_store *store,
                                    const struct views_options *options, struct evaluation *e)
{
    *e = (struct evaluation){.config = config, .options = options, .store = store};
    e->values = 3 * (int64_t)config->image_height * config->image_width;
    const size_t values = (size_t)e->values;
    e->truth = malloc(values * sizeof *e->truth);
    e->rendered = malloc(values * sizeof *e->rendered);
    e->nearest = malloc(values * sizeof *e->nearest);
    e->picture = malloc(values * sizeof *e->picture);
    if (e->truth && e->rendered && e->nearest && e->picture)
        return TTT_OK;
    return ttt_fail(TTT_MEMORY, "no memory for pictures of %dx%d pixels", config->image_width,
                    config->image_height);
}

static void evaluation_destroy(struct evaluation *e)
{
    if (e->has_renderer)
        view_renderer_destroy(&e->renderer);
    free(e->truth);
    free(e->rendered);
    free(e->nearest);
    free(e->picture);
    free(e->input_views);
    free(e->target_views);
    free(e->images);
    free(e->fxfycxcy);
    free(e->c2w);
}

static bool grow(void *array, size_t bytes)
{
    void **place = array, *larger = realloc(*place, bytes);
    if (larger)
        *place = larger;
    return larger;
}

static ttt_status make_room(struct evaluation *e, const struct scene *scene)
{
    const size_t inputs = (size_t)e->input_count, targets = (size_t)e->target_count;
    bool room = true;
    if (e->input_count > e->room[0]) {
        room = grow(&e->input_views, inputs * sizeof *e->input_views) &&
               grow(&e->images, inputs * (size_t)e->values * sizeof *e->images) &&
               grow(&e->fxfycxcy, inputs * 4 * sizeof *e->fxfycxcy) &&
               grow(&e->c2w, inputs * 16 * sizeof *e->c2w);
        e->room[0] = room ? e->input_count : 0;
    }
    if (room && e->target_count > e->room[1]) {
        room = grow(&e->target_views, targets * sizeof *e->target_views);
        e->room[1] = room ? e->target_count : 0;
    }
    return room ? TTT_OK
                : ttt_fail(TTT_MEMORY, "%s: no memory for %d input views", scene->path, e->input_count);
}

static struct view_block input_block(const struct evaluation *e)
{
    return (struct view_block){e->images, e->fxfycxcy, e->c2w};
}

/* Notes that what fails is a scene's files. */
static ttt_status reading(struct evaluation *e, ttt_status status)
{
    e->unreadable = status && ttt_status_code(status) != TTT_MEMORY;
    return status;
}

/* Chooses the scene's views and loads the inputs. */
static ttt_status load_inputs(struct evaluation *e, const struct scene *scene, uint32_t number)
{
    const struct scene_sample_options *sample = &e->options->sample;
    ttt_random random = ttt_random_start(e->options->seed, TTT_RANDOM_VIEWS, 0, number);
    TRY(view_choice_counts(&sample->choice, scene, &e->input_count, &e->target_count));
    TRY(make_room(e, scene));
    TRY(view_choose(&sample->choice, scene, &random, e->input_views, e->target_views));
    TRY(scene_sample_frame(sample, scene, e->input_views, e->input_count, e->target_views, e->target_count,
                           &e->frame));
    const struct view_block block = input_block(e);
    return view_block_load(scene, e->input_views, e->input_count, &e->frame, sample->height, sample->width,
                           NULL, &block);
}

static ttt_status plan_renderer(struct evaluation *e)
{
    const struct view_renderer_options options = {.prefix = e->options->prefix,
                                                  .inputs = e->input_count,
                                                  .at_once = 1,
                                                  .tokens_per_pass = e->options->tokens_per_pass,
                                                  .dtype = e->options->dtype,
                                                  .plan = e->options->plan};
    ttt_status status = view_renderer_create(e->config, e->store, &options, &e->renderer);
    e->has_renderer = !status;
    return status;
}

/* The renderer is planned for a number of inputs, which is nearly always that of the scene before. */
static ttt_status prepare_renderer(struct evaluation *e)
{
    if (e->has_renderer && e->renderer.options.inputs == e->input_count)
        return TTT_OK;
    if (e->has_renderer)
        view_renderer_destroy(&e->renderer);
    TRY(plan_renderer(e));
    return view_renderer_prepare(&e->renderer);
}

static double distance(const struct scene_view *a, const struct scene_view *b)
{
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        const double step = a->c2w.m[i][3] - b->c2w.m[i][3];
        sum += step * step;
    }
    return sqrt(sum);
}

/* Which of the inputs was taken nearest to a view; the first of equals. */
static int nearest_input(const struct evaluation *e, const struct scene *scene, uint32_t view)
{
    int nearest = 0;
    for (int i = 1; i < e->input_count; i++)
        if (distance(&scene->views[e->input_views[i]], &scene->views[view]) <
            distance(&scene->views[e->input_views[nearest]], &scene->views[view]))
            nearest = i;
    return nearest;
}

/* (3, height, width) to (height, width, 3), clamped. */
static void interleave(const struct evaluation *e, const float *planes, double *out)
{
    const int64_t pixels = e->values / 3;
    for (int64_t i = 0; i < e->values; i++)
        out[i] = fmin(fmax(planes[i % 3 * pixels + i / 3], 0), 1);
}

static void mean_colour(const struct evaluation *e, double colour[3])
{
    const int64_t pixels = e->values / 3;
    for (int c = 0; c < 3; c++) {
        double sum = 0;
        for (int v = 0; v < e->input_count; v++)
            for (int64_t i = 0; i < pixels; i++)
                sum += e->images[v * e->values + c * pixels + i];
        colour[c] = sum / (double)(pixels * e->input_count);
    }
}

static double psnr_of_colour(const struct evaluation *e, const double colour[3])
{
    double sum = 0;
    for (int64_t i = 0; i < e->values; i++)
        sum += (e->truth[i] - colour[i % 3]) * (e->truth[i] - colour[i % 3]);
    return -10 * log10(sum / (double)e->values);
}

static ttt_status measure_ssim(const struct evaluation *e, const double *picture, double *ssim)
{
    const int height = e->config->image_height, width = e->config->image_width;
    *ssim = NAN;
    if (height < SSIM_LEAST_SIDE || width < SSIM_LEAST_SIDE)
        return TTT_OK;
    return metrics_ssim(picture, e->truth, height, width, 3, ssim);
}

static ttt_status measure(struct evaluation *e, const double colour[3], struct views_likeness *likeness)
{
    likeness->psnr = metrics_psnr(e->rendered, e->truth, e->values);
    likeness->nearest_psnr = metrics_psnr(e->nearest, e->truth, e->values);
    likeness->mean_colour_psnr = psnr_of_colour(e, colour);
    TRY(measure_ssim(e, e->rendered, &likeness->ssim));
    return measure_ssim(e, e->nearest, &likeness->nearest_ssim);
}

/* Loads a target view, renders its camera and compares. */
static ttt_status judge_target(struct evaluation *e, const struct scene *scene, const double colour[3],
                               struct views_result *result, struct views_target *target)
{
    float fxfycxcy[4], c2w[16];
    const struct view_block block = {e->picture, fxfycxcy, c2w};
    TRY(reading(e, view_block_load(scene, &target->view, 1, &e->frame, e->config->image_height,
                                   e->config->image_width, NULL, &block)));
    interleave(e, e->picture, e->truth);
    const double began = ttt_seconds();
    TRY(view_renderer_render(&e->renderer, fxfycxcy, c2w, 1, e->picture));
    result->render_seconds += ttt_seconds() - began;
    for (int64_t i = 0; i < e->values; i++)
        if (!isfinite(e->picture[i]))
            return ttt_fail(TTT_NUMERIC, "%s: the rendered view %u has values that are not numbers",
                            scene->path, target->view);
    interleave(e, e->picture, e->rendered);
    const int nearest = nearest_input(e, scene, target->view);
    target->nearest = e->input_views[nearest];
    interleave(e, e->images + nearest * e->values, e->nearest);
    return measure(e, colour, &target->likeness);
}

static void add(struct views_likeness *sum, const struct views_likeness *x, double weight)
{
    sum->psnr += weight * x->psnr;
    sum->ssim += weight * x->ssim;
    sum->nearest_psnr += weight * x->nearest_psnr;
    sum->nearest_ssim += weight * x->nearest_ssim;
    sum->mean_colour_psnr += weight * x->mean_colour_psnr;
}

/* Judges scene `number` of the set, as the next one of the result. */
static ttt_status judge_scene(struct evaluation *e, const struct scene *scene, uint32_t number,
                              struct views_result *result)
{
    struct views_scene *judged = &result->scenes[result->scene_count];
    double colour[3];
    TRY(reading(e, load_inputs(e, scene, number)));
    TRY(prepare_renderer(e));
    const struct view_block inputs = input_block(e);
    const double began = ttt_seconds();
    TRY(view_renderer_reconstruct(&e->renderer, &inputs));
    result->reconstruct_seconds += ttt_seconds() - began;
    mean_colour(e, colour);
    *judged = (struct views_scene){.scene = scene,
                                   .first = result->target_count,
                                   .count = (uint32_t)e->target_count,
                                   .inputs = e->input_count};
    for (uint32_t i = 0; i < judged->count; i++) {
        struct views_target *target = &result->targets[judged->first + i];
        *target = (struct views_target){.scene = result->scene_count, .view = e->target_views[i]};
        TRY(judge_target(e, scene, colour, result, target));
        add(&judged->likeness, &target->likeness, 1 / (double)judged->count);
    }
    result->scene_count++;
    result->target_count += judged->count;
    return TTT_OK;
}

/* A scene that cannot be read leaves the result as it was, as long as there are others. */
static ttt_status judge_or_skip(struct evaluation *e, const struct scene_set *set, uint32_t number,
                                struct views_result *result)
{
    const struct views_options *options = e->options;
    const struct views_result before = *result;
    ttt_status status = judge_scene(e, &set->scenes[number], number, result);
    if (!status || !e->unreadable || set->count == 1)
        return status;
    *result = before;
    result->skipped++;
    if (number + 1 == set->count && !result->scene_count)
        return ttt_within(status, "none of the %u scenes can be read; the last", set->count);
    if (options->report && result->skipped - set->skipped <= SCENE_SET_LINES)
        options->report(options->context, ttt_status_text(status));
    ttt_status_free(status);
    return TTT_OK;
}

/* Makes room for every scene's targets: what cannot be judged is known before anything is computed. */
static ttt_status make_result(const struct scene_set *set, const struct view_choice *choice,
                              struct views_result *result)
{
    size_t room = 1;
    for (uint32_t i = 0; i < set->count; i++) {
        int inputs, targets;
        TRY(view_choice_counts(choice, &set->scenes[i], &inputs, &targets));
        room += (size_t)targets;
    }
    result->skipped = set->skipped;
    result->scenes = calloc(set->count, sizeof *result->scenes);
    result->targets = calloc(room, sizeof *result->targets);
    return result->scenes && result->targets ? TTT_OK
                                             : ttt_fail(TTT_MEMORY, "no memory for an evaluation's numbers");
}

ttt_status views_run(const struct lact_nvs_config *config, ttt_store *store, const struct scene_set *set,
                     const struct views_options *options, struct views_result *result)
{
    struct evaluation e;
    ttt_status status = evaluation_create(config, store, options, &e);
    *result = (struct views_result){0};
    if (!status)
        status = make_result(set, &options->sample.choice, result);
    for (uint32_t i = 0; !status && i < set->count; i++) {
        status = judge_or_skip(&e, set, i, result);
        if (!status && options->progress)
            options->progress(options->context, i + 1, set->count);
    }
    for (uint32_t i = 0; i < result->scene_count; i++)
        add(&result->likeness, &result->scenes[i].likeness, 1 / (double)result->scene_count);
    evaluation_destroy(&e);
    if (status)
        views_result_free(result);
    return status;
}

ttt_status views_memory(const struct lact_nvs_config *config, ttt_store *store, const struct scene_set *set,
                        const struct views_options *options, ttt_plan_memory *memory)
{
    struct evaluation e = {.config = config, .options = options, .store = store};
    for (uint32_t i = 0; i < set->count; i++) {
        int inputs, targets;
        TRY(view_choice_counts(&options->sample.choice, &set->scenes[i], &inputs, &targets));
        e.input_count = inputs > e.input_count ? inputs : e.input_count;
    }
    TRY(plan_renderer(&e));
    const struct view_renderer_memory *m = &e.renderer.memory;
    *memory = (ttt_plan_memory){m->variables, m->total - m->variables, m->total};
    evaluation_destroy(&e);
    return TTT_OK;
}

void views_result_free(struct views_result *result)
{
    free(result->scenes);
    free(result->targets);
    *result = (struct views_result){0};
}
