/* What batches of pictures hold: the order of an epoch, and what stands in for bad files. */
#include "data/loader.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "data/prefetch.h"

/* What is known of a file. */
enum { FILE_BAD = 1, FILE_WARNED = 2 };

struct slot {
    struct batch batch; /* its arrays lie in `memory` */
    uint32_t *samples;  /* (batch_size): the pictures that are due */
    int size;           /* pictures that are due */
    float memory[];
};

struct loader {
    const struct pictures *set;
    struct loader_options options;
    size_t picture_floats;  /* of one picture */
    uint64_t batches;       /* per epoch */
    uint32_t *order;        /* (set->count) of order_epoch */
    uint64_t order_epoch;   /* touched, as order, by open_batch alone */
    _Atomic uint8_t *files; /* (set->count) what is known of each */
    _Atomic uint32_t bad_files, warned_files;
    _Atomic uint64_t pictures; /* handed out */
    struct prefetch *prefetch;
};

/* The pictures in the order of an epoch. */
static void order_pictures(struct loader *loader, uint64_t epoch)
{
    if (loader->options.sample.train && epoch != loader->order_epoch) {
        ttt_random random = ttt_random_start(loader->options.seed, TTT_RANDOM_SHUFFLE, epoch, 0);
        ttt_random_permutation(&random, loader->set->count, loader->order);
        loader->order_epoch = epoch;
    }
}

/* Lays out the slot of a batch, and says which pictures are due. */
static int open_batch(void *context, void *memory, uint64_t sequence)
{
    struct loader *loader = context;
    struct slot *slot = memory;
    size_t size = (size_t)loader->options.batch_size;
    uint64_t epoch = sequence / loader->batches, batch = sequence % loader->batches;
    uint64_t start = batch * size, left = loader->set->count - start;
    slot->batch = (struct batch){.images = slot->memory, .epoch = epoch, .index = batch};
    slot->batch.labels = (int32_t *)(slot->memory + size * loader->picture_floats);
    slot->batch.indices = (uint32_t *)(slot->batch.labels + size);
    slot->samples = slot->batch.indices + size;
    slot->size = left < size ? (int)left : loader->options.batch_size;
    order_pictures(loader, epoch);
    memcpy(slot->samples, loader->order + start, (size_t)slot->size * sizeof(*slot->samples));
    return slot->size;
}

/* Sets a flag of a file; true when it was not set before. */
static bool mark_file(struct loader *loader, uint32_t index, uint8_t flag)
{
    return !(atomic_fetch_or(&loader->files[index], flag) & flag);
}

static ttt_status no_picture(const struct pictures *set)
{
    return ttt_fail(TTT_FORMAT, "%s: none of the %" PRIu32 " pictures can be decoded", set->folder,
                    set->count);
}

/* Loads picture `index` in place of `sample`.  *good tells whether it was decoded; a bad file is no error
 * unless the options say so. */
static ttt_status try_picture(struct loader *loader, uint64_t epoch, uint32_t sample, uint32_t index,
                              float *out, bool *good)
{
    const struct loader_options *options = &loader->options;
    int warnings = 0;
    *good = false;
    if (options->bad_file == LOADER_REPLACE && (atomic_load(&loader->files[index]) & FILE_BAD))
        return TTT_OK;
    ttt_random random = ttt_random_start(options->seed, TTT_RANDOM_AUGMENT, epoch, sample);
    ttt_status status = sample_load(loader->set, index, &options->sample, &random, out, &warnings);
    *good = !status;
    if (warnings > 0 && mark_file(loader, index, FILE_WARNED))
        atomic_fetch_add(&loader->warned_files, 1);
    if (!status || !sample_is_bad(status))
        return status;
    if (mark_file(loader, index, FILE_BAD)) {
        atomic_fetch_add(&loader->bad_files, 1);
        prefetch_note(loader->prefetch, ttt_status_text(status));
    }
    if (options->bad_file == LOADER_STOP)
        return status;
    ttt_status_free(status);
    return TTT_OK;
}

/* Fills one position of a batch: its picture, label (-1 where evaluation leaves a bad file out) and index. */
static ttt_status fill_position(void *context, void *memory, int position)
{
    struct loader *loader = context;
    struct slot *slot = memory;
    const struct batch *batch = &slot->batch;
    uint32_t count = loader->set->count, sample = slot->samples[position];
    uint32_t attempts = loader->options.sample.train ? count : 1;
    float *out = batch->images + (size_t)position * loader->picture_floats;
    batch->labels[position] = -1;
    for (uint32_t attempt = 0; attempt < attempts; attempt++) {
        uint32_t index = (uint32_t)(((uint64_t)sample + attempt) % count);
        bool good;
        TRY(try_picture(loader, batch->epoch, sample, index, out, &good));
        if (!good)
            continue;
        batch->labels[position] = (int32_t)pictures_label(loader->set, index);
        batch->indices[position] = index;
        return TTT_OK;
    }
    return loader->options.sample.train ? no_picture(loader->set) : TTT_OK;
}

/* Moves the pictures of a slot together, without those that could not be had, and clears the rest. */
static void compact(const struct loader *loader, struct slot *slot)
{
    struct batch *batch = &slot->batch;
    int count = 0, size = loader->options.batch_size;
    size_t floats = loader->picture_floats;
    for (int i = 0; i < slot->size; i++) {
        if (batch->labels[i] < 0)
            continue;
        if (i != count)
            memcpy(batch->images + (size_t)count * floats, batch->images + (size_t)i * floats,
                   floats * sizeof(float));
        batch->labels[count] = batch->labels[i];
        batch->indices[count++] = batch->indices[i];
    }
    memset(batch->images + (size_t)count * floats, 0, (size_t)(size - count) * floats * sizeof(float));
    memset(batch->indices + count, 0, (size_t)(size - count) * sizeof(*batch->indices));
    for (int i = count; i < size; i++)
        batch->labels[i] = -1;
    batch->count = count;
}

/* At the end of an evaluation: an error when all of it gave no picture. */
static ttt_status end_of_evaluation(const struct loader *loader)
{
    bool whole = loader->options.first_epoch == 0 && loader->options.first_batch == 0;
    return whole && atomic_load(&loader->pictures) == 0 ? no_picture(loader->set) : TTT_OK;
}

ttt_status loader_next(struct loader *loader, struct batch *batch)
{
    struct slot *slot;
    void *memory;
    *batch = (struct batch){0};
    do {
        TRY(prefetch_next(loader->prefetch, &memory, &batch->waited));
        slot = memory;
        if (!slot)
            return end_of_evaluation(loader);
        compact(loader, slot);
    } while (slot->batch.count == 0);
    slot->batch.waited = batch->waited;
    *batch = slot->batch;
    atomic_fetch_add(&loader->pictures, (uint64_t)batch->count);
    return TTT_OK;
}

uint64_t loader_batches(const struct loader *loader)
{
    return loader->batches;
}

struct loader_statistics loader_statistics(struct loader *loader)
{
    struct prefetch_times times = prefetch_times(loader->prefetch);
    return (struct loader_statistics){.pictures = atomic_load(&loader->pictures),
                                      .bad_files = atomic_load(&loader->bad_files),
                                      .warned_files = atomic_load(&loader->warned_files),
                                      .decode_seconds = times.worked,
                                      .waited = times.waited,
                                      .threads = loader->options.threads > 0 ? loader->options.threads : 1};
}

static ttt_status check_options(const struct pictures *set, const struct loader_options *options)
{
    TRY(picture_transform_check(&options->sample.transform));
    if (options->batch_size < 1 || options->batch_size > 1 << 20)
        return ttt_fail(TTT_ARGUMENT, "batch size %d: must be 1 to %d", options->batch_size, 1 << 20);
    if (set->count == 0)
        return ttt_fail(TTT_ARGUMENT, "%s: holds no pictures", set->folder);
    if (options->drop_last && set->count < (uint32_t)options->batch_size)
        return ttt_fail(TTT_ARGUMENT, "%s: holds %" PRIu32 " pictures, fewer than one batch of %d",
                        set->folder, set->count, options->batch_size);
    return TTT_OK;
}

static ttt_status make_order(struct loader *loader)
{
    uint32_t count = loader->set->count;
    loader->files = calloc(count, sizeof(*loader->files));
    loader->order = malloc(count * sizeof(*loader->order));
    if (!loader->files || !loader->order)
        return ttt_fail(TTT_MEMORY, "not enough memory for the order of %" PRIu32 " pictures", count);
    loader->order_epoch = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++)
        loader->order[i] = i;
    return TTT_OK;
}

static ttt_status start_prefetch(struct loader *loader)
{
    const struct loader_options *options = &loader->options;
    size_t position = loader->picture_floats * sizeof(float) + 3 * sizeof(uint32_t);
    const struct prefetch_options prefetch = {
        .threads = options->threads,
        .ahead = options->prefetch,
        .first = options->first_epoch * loader->batches + options->first_batch,
        .end = options->sample.train ? UINT64_MAX : loader->batches,
        .device = options->device,
        .slot_bytes = sizeof(struct slot) + (size_t)options->batch_size * position,
        .context = loader,
        .open = open_batch,
        .job = fill_position,
        .report = options->report,
        .report_context = options->context,
    };
    TRY(make_order(loader));
    return prefetch_create(&prefetch, &loader->prefetch);
}

ttt_status loader_create(const struct pictures *set, const struct loader_options *options,
                         struct loader **out)
{
    *out = NULL;
    TRY(check_options(set, options));
    struct loader *loader = calloc(1, sizeof(*loader));
    if (!loader)
        return ttt_fail(TTT_MEMORY, "not enough memory for a loader");
    loader->set = set;
    loader->options = *options;
    loader->picture_floats =
        (size_t)options->sample.transform.height * (size_t)options->sample.transform.width * 3;
    uint64_t size = (uint64_t)options->batch_size;
    loader->batches = options->drop_last ? set->count / size : (set->count + size - 1) / size;
    ttt_status status = start_prefetch(loader);
    if (status)
        loader_destroy(loader);
    else
        *out = loader;
    return status;
}

void loader_destroy(struct loader *loader)
{
    if (!loader)
        return;
    prefetch_destroy(loader->prefetch);
    free(loader->order);
    free((void *)loader->files);
    free(loader);
}
