/* Batches decoded ahead of time.
 *
 * Batches have sequence numbers, epoch * batches + batch.  A ring of slots holds those that are being filled
 * or handed out.  Threads take one position after another, always of the earliest batch; a slot is opened for
 * the next batch once the consumer has let go of the one that was in it.
 */
#include "data/loader_internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct slot *slot_of(struct loader *loader, uint64_t sequence)
{
    return &loader->slots[(sequence - loader->first) % (uint64_t)loader->slot_count];
}

/* The pictures in the order of an epoch. */
static void order_pictures(struct loader *loader, uint64_t epoch)
{
    if (loader->options.sample.train && epoch != loader->order_epoch) {
        ttt_random random = ttt_random_start(loader->options.seed, TTT_RANDOM_SHUFFLE, epoch, 0);
        ttt_random_permutation(&random, loader->set->count, loader->order);
        loader->order_epoch = epoch;
    }
}

/* Opens a slot for the next batch; false when all are in use or the evaluation has no further batch. */
static bool open_slot(struct loader *loader)
{
    uint64_t epoch = loader->opened / loader->batches, batch = loader->opened % loader->batches;
    if (loader->opened - loader->released >= (uint64_t)loader->slot_count ||
        (!loader->options.sample.train && epoch > 0))
        return false;
    order_pictures(loader, epoch);
    struct slot *slot = slot_of(loader, loader->opened);
    uint64_t start = batch * (uint64_t)loader->options.batch_size, left = loader->set->count - start;
    slot->epoch = epoch;
    slot->size = left < (uint64_t)loader->options.batch_size ? (int)left : loader->options.batch_size;
    slot->taken = slot->filled = 0;
    memcpy(slot->samples, loader->order + start, (size_t)slot->size * sizeof(*slot->samples));
    loader->opened++;
    return true;
}

/* The next position to fill: of the newest slot, as older ones are taken up.  Under the lock. */
static bool take_position(struct loader *loader, struct slot **slot, int *position)
{
    struct slot *newest = loader->opened > loader->first ? slot_of(loader, loader->opened - 1) : NULL;
    if (!newest || newest->taken == newest->size) {
        if (!open_slot(loader))
            return false;
        newest = slot_of(loader, loader->opened - 1);
    }
    *slot = newest;
    *position = newest->taken++;
    return true;
}

/* Fills a position and books it.  Called and left with the lock held. */
static void work_position(struct loader *loader, struct slot *slot, int position)
{
    pthread_mutex_unlock(&loader->lock);
    double start = now();
    ttt_status status = loader_fill_position(loader, slot, position);
    double seconds = now() - start;
    pthread_mutex_lock(&loader->lock);
    loader->statistics.decode_seconds += seconds;
    if (status && (!slot->status || position < slot->failed_position)) {
        ttt_status_free(slot->status);
        slot->status = status;
        slot->failed_position = position;
    } else {
        ttt_status_free(status);
    }
    if (++slot->filled == slot->size)
        pthread_cond_signal(&loader->done);
}

static void *work(void *argument)
{
    struct loader *loader = argument;
    struct slot *slot;
    int position;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        if (take_position(loader, &slot, &position))
            work_position(loader, slot, position);
        else
            pthread_cond_wait(&loader->work, &loader->lock);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Waits for the slot of the next batch to be complete, or fills it.  Under the lock. */
static struct slot *await_slot(struct loader *loader)
{
    struct slot *slot = slot_of(loader, loader->handed), *taken;
    int position;
    while (loader->opened <= loader->handed || slot->filled < slot->size) {
        if (loader->thread_count > 0)
            pthread_cond_wait(&loader->done, &loader->lock);
        else if (take_position(loader, &taken, &position))
            work_position(loader, taken, position);
    }
    return slot;
}

/* Moves the pictures of a slot together, without those that could not be had, and clears the rest. */
static int compact(const struct loader *loader, struct slot *slot)
{
    int count = 0;
    size_t floats = loader->picture_floats;
    for (int i = 0; i < slot->size; i++) {
        if (slot->labels[i] < 0)
            continue;
        if (i != count)
            memcpy(slot->images + (size_t)count * floats, slot->images + (size_t)i * floats,
                   floats * sizeof(float));
        slot->labels[count] = slot->labels[i];
        slot->indices[count++] = slot->indices[i];
    }
    size_t rest = (size_t)(loader->options.batch_size - count);
    memset(slot->images + (size_t)count * floats, 0, rest * floats * sizeof(float));
    memset(slot->indices + count, 0, rest * sizeof(*slot->indices));
    for (int i = count; i < loader->options.batch_size; i++)
        slot->labels[i] = -1;
    return count;
}

/* Lets go of the batch that the consumer held. */
static void release(struct loader *loader)
{
    if (loader->released < loader->handed) {
        loader->released = loader->handed;
        pthread_cond_broadcast(&loader->work);
    }
}

/* Hands out the next batch that holds a picture; count 0 at the end of an evaluation.  Under the lock. */
static ttt_status hand_out(struct loader *loader, struct batch *batch)
{
    *batch = (struct batch){0};
    while (batch->count == 0) {
        if (!loader->options.sample.train && loader->handed >= loader->batches)
            return loader->statistics.pictures > 0 || loader->first > 0
                       ? TTT_OK
                       : ttt_fail(TTT_FORMAT, "%s: none of the %" PRIu32 " pictures can be decoded",
                                  loader->set->folder, loader->set->count);
        struct slot *slot = await_slot(loader);
        if (slot->status)
            return ttt_status_copy(slot->status);
        *batch = (struct batch){.images = slot->images,
                                .labels = slot->labels,
                                .indices = slot->indices,
                                .count = compact(loader, slot),
                                .epoch = slot->epoch,
                                .index = loader->handed % loader->batches};
        loader->handed++;
        loader->statistics.pictures += (uint64_t)batch->count;
        if (batch->count == 0)
            release(loader);
    }
    return TTT_OK;
}

/* Reports what was noted, oldest first, and frees it. */
static void report(const struct loader *loader, struct line *newest)
{
    struct line *oldest = NULL;
    while (newest) {
        struct line *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct line *next = oldest->next;
        if (loader->options.report)
            loader->options.report(loader->options.context, oldest->text);
        free(oldest);
        oldest = next;
    }
}

ttt_status loader_next(struct loader *loader, struct batch *batch)
{
    double start = now();
    pthread_mutex_lock(&loader->lock);
    release(loader);
    ttt_status status = hand_out(loader, batch);
    struct line *lines = loader->lines;
    loader->lines = NULL;
    batch->waited = now() - start;
    loader->statistics.waited += batch->waited;
    pthread_mutex_unlock(&loader->lock);
    report(loader, lines);
    return status;
}

uint64_t loader_batches(const struct loader *loader)
{
    return loader->batches;
}

struct loader_statistics loader_statistics(struct loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    struct loader_statistics statistics = loader->statistics;
    pthread_mutex_unlock(&loader->lock);
    statistics.threads = loader->thread_count > 0 ? loader->thread_count : 1;
    return statistics;
}

static ttt_status check_options(const struct pictures *set, const struct loader_options *options)
{
    TRY(picture_transform_check(&options->sample.transform));
    if (options->batch_size < 1 || options->batch_size > 1 << 20)
        return ttt_fail(TTT_ARGUMENT, "batch size %d: must be 1 to %d", options->batch_size, 1 << 20);
    if (options->threads < 0 || options->threads > WORKERS_MAX)
        return ttt_fail(TTT_ARGUMENT, "%d loader threads: must be 0 to %d", options->threads, WORKERS_MAX);
    if (options->prefetch < 1 || options->prefetch > 1024)
        return ttt_fail(TTT_ARGUMENT, "prefetch %d: must be 1 to 1024 batches", options->prefetch);
    if (set->count == 0)
        return ttt_fail(TTT_ARGUMENT, "%s: holds no pictures", set->folder);
    if (options->drop_last && set->count < (uint32_t)options->batch_size)
        return ttt_fail(TTT_ARGUMENT, "%s: holds %" PRIu32 " pictures, fewer than one batch of %d",
                        set->folder, set->count, options->batch_size);
    return TTT_OK;
}

/* Takes the memory of one slot; false when there is none.  What was taken is freed with the loader. */
static bool make_slot(const struct loader *loader, struct slot *slot)
{
    size_t size = (size_t)loader->options.batch_size;
    slot->images = calloc(size * loader->picture_floats, sizeof(*slot->images));
    slot->labels = calloc(size, sizeof(*slot->labels));
    slot->indices = calloc(size, sizeof(*slot->indices));
    slot->samples = calloc(size, sizeof(*slot->samples));
    return slot->images && slot->labels && slot->indices && slot->samples;
}

static ttt_status make_buffers(struct loader *loader)
{
    uint32_t count = loader->set->count;
    loader->files = calloc(count, sizeof(*loader->files));
    loader->order = malloc(count * sizeof(*loader->order));
    loader->slots = calloc((size_t)loader->slot_count, sizeof(*loader->slots));
    bool made = loader->files && loader->order && loader->slots;
    for (int i = 0; made && i < loader->slot_count; i++)
        made = make_slot(loader, &loader->slots[i]);
    size_t batch = (size_t)loader->options.batch_size * loader->picture_floats * sizeof(float);
    if (!made)
        return ttt_fail(TTT_MEMORY, "not enough memory for %d batches of %.1f MB in the loader",
                        loader->slot_count, (double)batch / 1e6);
    for (uint32_t i = 0; i < count; i++)
        loader->order[i] = i;
    return TTT_OK;
}

/* Signals are left to the threads of the program itself. */
static ttt_status start_threads(struct loader *loader)
{
    sigset_t all, before;
    int reason = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&loader->lock);
    while (!reason && loader->thread_count < loader->options.threads) {
        reason = pthread_create(&loader->threads[loader->thread_count], NULL, work, loader);
        loader->thread_count += !reason;
    }
    pthread_mutex_unlock(&loader->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!reason)
        return TTT_OK;
    return ttt_fail(TTT_MEMORY, "only %d of %d loader threads could be started: %s", loader->thread_count,
                    loader->options.threads, strerror(reason));
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
    loader->first = options->first_epoch * loader->batches + options->first_batch;
    loader->opened = loader->handed = loader->released = loader->first;
    loader->order_epoch = UINT64_MAX;
    loader->slot_count = options->threads > 0 ? options->prefetch + 1 : 1;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->done, NULL);
    ttt_status status = make_buffers(loader);
    if (!status)
        status = start_threads(loader);
    if (status)
        loader_destroy(loader);
    else
        *out = loader;
    return status;
}

static void free_slots(struct loader *loader)
{
    for (int i = 0; loader->slots && i < loader->slot_count; i++) {
        struct slot *slot = &loader->slots[i];
        free(slot->images);
        free(slot->labels);
        free(slot->indices);
        free(slot->samples);
        ttt_status_free(slot->status);
    }
    free(loader->slots);
}

void loader_destroy(struct loader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->thread_count; i++)
        pthread_join(loader->threads[i], NULL);
    for (struct line *line = loader->lines, *next; line; line = next) {
        next = line->next;
        free(line);
    }
    free_slots(loader);
    free(loader->order);
    free((void *)loader->files);
    pthread_cond_destroy(&loader->done);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}
