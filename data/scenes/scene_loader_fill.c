/* Filling one example of a batch, and what becomes of bad scenes. */
#include <stdlib.h>
#include <string.h>

#include "data/scenes/scene_loader_internal.h"

/* The scene of an example: each round through the set has an order of its own. */
static ttt_status scene_of(const struct scene_loader *loader, uint64_t example, uint32_t *scene)
{
    uint32_t count = loader->set->count;
    uint32_t *order = malloc(count * sizeof *order);
    if (!order)
        return ttt_fail(TTT_MEMORY, "not enough memory for the order of %u scenes", count);
    ttt_random random = ttt_random_start(loader->options.seed, TTT_RANDOM_SHUFFLE, example / count, 0);
    ttt_random_permutation(&random, count, order);
    *scene = order[example % count];
    free(order);
    return TTT_OK;
}

/* Counts a bad scene, once, and keeps the line; without memory for the line it is only counted. */
static void note_bad(struct scene_loader *loader, uint32_t scene, ttt_status status)
{
    const char *text = ttt_status_text(status);
    pthread_mutex_lock(&loader->lock);
    bool first = !loader->bad[scene];
    loader->bad[scene] = true;
    loader->bad_count += first;
    struct scene_line *line = first ? malloc(sizeof *line + strlen(text) + 1) : NULL;
    if (line) {
        strcpy(line->text, text);
        line->next = loader->lines;
        loader->lines = line;
    }
    pthread_mutex_unlock(&loader->lock);
}

static struct view_block block_at(const struct view_block *all, size_t first, size_t picture)
{
    return (struct view_block){all->images + first * picture, all->fxfycxcy + first * 4,
                               all->c2w + first * 16};
}

static ttt_status load(struct scene_loader *loader, struct scene_batch *batch, int i, uint64_t example,
                       uint32_t number)
{
    const struct scene_sample_options *options = &loader->options.sample;
    const struct scene *scene = &loader->set->scenes[number];
    size_t first_input = (size_t)i * (size_t)batch->input_count;
    size_t first_target = (size_t)i * (size_t)batch->target_count;
    size_t picture = (size_t)options->height * (size_t)options->width * 3;
    uint32_t *inputs = batch->input_views + first_input, *targets = batch->target_views + first_target;
    struct view_block input_block = block_at(&batch->inputs, first_input, picture);
    struct view_block target_block = block_at(&batch->targets, first_target, picture);
    struct pose_frame frame;
    ttt_random random = ttt_random_start(loader->options.seed, TTT_RANDOM_VIEWS, example, number);
    batch->scenes[i] = number;
    TRY(view_choose(&options->choice, scene, &random, inputs, targets));
    TRY(scene_sample_frame(options, scene, inputs, batch->input_count, targets, batch->target_count, &frame));
    TRY(view_block_load(scene, inputs, batch->input_count, &frame, options->height, options->width,
                        loader->cache, &input_block));
    return view_block_load(scene, targets, batch->target_count, &frame, options->height, options->width,
                           loader->cache, &target_block);
}

ttt_status scene_loader_fill(struct scene_loader *loader, struct scene_batch *batch, int i)
{
    uint64_t example = batch->step * (uint64_t)loader->options.batch_size + (uint64_t)i;
    uint32_t count = loader->set->count, due = 0;
    ttt_status status = TTT_OK;
    TRY(scene_of(loader, example, &due));
    for (uint32_t tried = 0; tried < count; tried++) {
        uint32_t scene = (uint32_t)(((uint64_t)due + tried) % count);
        ttt_status_free(status);
        status = load(loader, batch, i, example, scene);
        if (!status || ttt_status_code(status) == TTT_MEMORY)
            return status;
        note_bad(loader, scene, status);
    }
    return count == 1 ? status : ttt_within(status, "none of the %u scenes can be loaded; the last", count);
}
