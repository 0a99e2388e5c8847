/* What batches of examples hold: the scenes of each, and what stands in for bad ones. */
#include "data/scenes/scene_loader.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "data/prefetch.h"

struct scene_slot {
    struct scene_batch batch; /* its arrays lie in `memory` */
    float memory[];
};

struct scene_loader {
    const struct scene_set *set;
    struct scene_loader_options options;
    struct scene_cache *cache; /* or NULL */
    int input_count, target_count;
    atomic_bool *bad; /* (set->count) */
    _Atomic uint32_t bad_count;
    struct prefetch *prefetch;
};

/* Where the arrays of `count` views start in `at`, which moves past them. */
static struct view_block lay_block(float **at, size_t count, size_t picture)
{
    struct view_block block = {.images = *at, .c2w = *at + count * picture};
    block.fxfycxcy = block.c2w + count * 16;
    *at += count * (picture + 16 + 4);
    return block;
}

static size_t picture_floats(const struct scene_loader *loader)
{
    return (size_t)loader->options.sample.height * (size_t)loader->options.sample.width * 3;
}

static size_t slot_bytes(const struct scene_loader *loader)
{
    size_t batch = (size_t)loader->options.batch_size;
    size_t views = batch * ((size_t)loader->input_count + (size_t)loader->target_count);
    size_t numbers = views * (picture_floats(loader) + 16 + 4);
    return sizeof(struct scene_slot) + numbers * sizeof(float) + (views + batch) * sizeof(uint32_t);
}

/* Lays out the slot of a step. */
static int open_step(void *context, void *memory, uint64_t step)
{
    const struct scene_loader *loader = context;
    struct scene_slot *slot = memory;
    size_t size = (size_t)loader->options.batch_size, inputs = size * (size_t)loader->input_count;
    size_t targets = size * (size_t)loader->target_count, picture = picture_floats(loader);
    float *at = slot->memory;
    struct view_block input_block = lay_block(&at, inputs, picture);
    struct view_block target_block = lay_block(&at, targets, picture);
    uint32_t *scenes = (uint32_t *)at;
    slot->batch = (struct scene_batch){.inputs = input_block,
                                       .targets = target_block,
                                       .input_count = loader->input_count,
                                       .target_count = loader->target_count,
                                       .scenes = scenes,
                                       .input_views = scenes + size,
                                       .target_views = scenes + size + inputs,
                                       .step = step};
    return loader->options.batch_size;
}

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
    size_t picture = picture_floats(loader);
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

/* Fills example i of a step. */
static ttt_status fill_example(void *context, void *memory, int i)
{
    struct scene_loader *loader = context;
    struct scene_batch *batch = &((struct scene_slot *)memory)->batch;
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
        if (!atomic_exchange(&loader->bad[scene], true)) {
            atomic_fetch_add(&loader->bad_count, 1);
            prefetch_note(loader->prefetch, ttt_status_text(status));
        }
    }
    return count == 1 ? status : ttt_within(status, "none of the %u scenes can be loaded; the last", count);
}

ttt_status scene_loader_next(struct scene_loader *loader, struct scene_batch *batch)
{
    double waited = 0;
    void *slot;
    TRY(prefetch_next(loader->prefetch, &slot, &waited));
    *batch = ((const struct scene_slot *)slot)->batch;
    batch->waited = waited;
    return TTT_OK;
}

uint32_t scene_loader_bad_scenes(struct scene_loader *loader)
{
    return atomic_load(&loader->bad_count);
}

static ttt_status check_options(const struct scene_loader_options *options)
{
    TRY(scene_sample_options_check(&options->sample));
    if (options->batch_size < 1 || options->batch_size > 1 << 16)
        return ttt_fail(TTT_ARGUMENT, "batch size %d: must be 1 to %d", options->batch_size, 1 << 16);
    return TTT_OK;
}

/* Every scene must give as many views as the first, since a batch holds several. */
static ttt_status count_views(struct scene_loader *loader)
{
    const struct view_choice *choice = &loader->options.sample.choice;
    const struct scene_set *set = loader->set;
    TRY(view_choice_counts(choice, &set->scenes[0], &loader->input_count, &loader->target_count));
    for (uint32_t i = 1; i < set->count; i++) {
        int inputs, targets;
        TRY(view_choice_counts(choice, &set->scenes[i], &inputs, &targets));
        if (inputs != loader->input_count || targets != loader->target_count)
            return ttt_fail(TTT_ARGUMENT, "%s: gives %d input and %d target views, but %s gives %d and %d",
                            set->scenes[i].path, inputs, targets, set->scenes[0].path, loader->input_count,
                            loader->target_count);
    }
    return TTT_OK;
}

static ttt_status start_prefetch(struct scene_loader *loader)
{
    const struct scene_loader_options *options = &loader->options;
    const struct scene_sample_options *sample = &options->sample;
    TRY(count_views(loader));
    loader->bad = calloc(loader->set->count, sizeof *loader->bad);
    if (!loader->bad)
        return ttt_fail(TTT_MEMORY, "not enough memory for a loader");
    if (options->cache_bytes > 0)
        TRY(scene_cache_create(loader->set, sample->height, sample->width, options->cache_bytes,
                               &loader->cache));
    const struct prefetch_options prefetch = {
        .threads = options->threads,
        .ahead = options->prefetch,
        .first = options->first_step,
        .end = UINT64_MAX,
        .device = options->device,
        .slot_bytes = slot_bytes(loader),
        .context = loader,
        .open = open_step,
        .job = fill_example,
        .report = options->report,
        .report_context = options->context,
    };
    return prefetch_create(&prefetch, &loader->prefetch);
}

ttt_status scene_loader_create(const struct scene_set *set, const struct scene_loader_options *options,
                               struct scene_loader **out)
{
    *out = NULL;
    TRY(check_options(options));
    struct scene_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return ttt_fail(TTT_MEMORY, "not enough memory for a loader");
    loader->set = set;
    loader->options = *options;
    ttt_status status = start_prefetch(loader);
    if (status)
        scene_loader_destroy(loader);
    else
        *out = loader;
    return status;
}

void scene_loader_destroy(struct scene_loader *loader)
{
    if (!loader)
        return;
    prefetch_destroy(loader->prefetch);
    scene_cache_destroy(loader->cache);
    free((void *)loader->bad);
    free(loader);
}
