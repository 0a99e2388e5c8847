/* Batches of examples loaded ahead of time.
 *
 * A ring of slots holds the steps that are being filled or handed out.  Threads take one example after
 * another, always of the earliest step that has one left; a slot is opened for the next step once the
 * consumer has let go of the one that was in it.
 */
#include "data/scenes/scene_loader.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/scenes/scene_loader_internal.h"

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct scene_slot *slot_of(struct scene_loader *loader, uint64_t step)
{
    return &loader->slots[step % (uint64_t)loader->slot_count];
}

/* The next example to fill; false when all slots are in use.  Under the lock. */
static bool take(struct scene_loader *loader, struct scene_slot **slot, int *example)
{
    bool none = loader->opened == loader->released;
    *slot = none ? NULL : slot_of(loader, loader->opened - 1);
    if (none || (*slot)->taken == loader->options.batch_size) {
        if (loader->opened - loader->released >= (uint64_t)loader->slot_count)
            return false;
        *slot = slot_of(loader, loader->opened);
        (*slot)->batch.step = loader->opened++;
        (*slot)->taken = (*slot)->filled = 0;
    }
    *example = (*slot)->taken++;
    return true;
}

/* Fills an example and books it.  Called and left with the lock held. */
static void work_example(struct scene_loader *loader, struct scene_slot *slot, int example)
{
    pthread_mutex_unlock(&loader->lock);
    ttt_status status = scene_loader_fill(loader, &slot->batch, example);
    pthread_mutex_lock(&loader->lock);
    if (status && (!slot->status || example < slot->failed)) {
        ttt_status_free(slot->status);
        slot->status = status;
        slot->failed = example;
    } else {
        ttt_status_free(status);
    }
    if (++slot->filled == loader->options.batch_size)
        pthread_cond_signal(&loader->done);
}

static void *work(void *argument)
{
    struct scene_loader *loader = argument;
    struct scene_slot *slot;
    int example;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        if (take(loader, &slot, &example))
            work_example(loader, slot, example);
        else
            pthread_cond_wait(&loader->work, &loader->lock);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Waits for the slot of the next step to be complete, or fills it.  Under the lock. */
static struct scene_slot *await(struct scene_loader *loader)
{
    struct scene_slot *slot = slot_of(loader, loader->handed), *taken;
    int example;
    while (loader->opened <= loader->handed || slot->filled < loader->options.batch_size) {
        if (loader->thread_count > 0)
            pthread_cond_wait(&loader->done, &loader->lock);
        else if (take(loader, &taken, &example))
            work_example(loader, taken, example);
    }
    return slot;
}

/* Reports what was noted, oldest first, and frees it. */
static void report(const struct scene_loader *loader, struct scene_line *newest)
{
    struct scene_line *oldest = NULL;
    while (newest) {
        struct scene_line *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct scene_line *next = oldest->next;
        if (loader->options.report)
            loader->options.report(loader->options.context, oldest->text);
        free(oldest);
        oldest = next;
    }
}

ttt_status scene_loader_next(struct scene_loader *loader, struct scene_batch *batch)
{
    double start = now();
    pthread_mutex_lock(&loader->lock);
    if (loader->released < loader->handed) {
        loader->released = loader->handed;
        pthread_cond_broadcast(&loader->work);
    }
    struct scene_slot *slot = await(loader);
    ttt_status status = ttt_status_copy(slot->status);
    *batch = slot->batch;
    loader->handed += !status;
    struct scene_line *lines = loader->lines;
    loader->lines = NULL;
    pthread_mutex_unlock(&loader->lock);
    batch->waited = now() - start;
    report(loader, lines);
    return status;
}

uint32_t scene_loader_bad_scenes(struct scene_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    uint32_t count = loader->bad_count;
    pthread_mutex_unlock(&loader->lock);
    return count;
}

static ttt_status check_options(const struct scene_loader_options *options)
{
    TRY(scene_sample_options_check(&options->sample));
    if (options->batch_size < 1 || options->batch_size > 1 << 16)
        return ttt_fail(TTT_ARGUMENT, "batch size %d: must be 1 to %d", options->batch_size, 1 << 16);
    if (options->threads < 0 || options->threads > WORKERS_MAX)
        return ttt_fail(TTT_ARGUMENT, "%d loader threads: must be 0 to %d", options->threads, WORKERS_MAX);
    if (options->prefetch < 1 || options->prefetch > 1024)
        return ttt_fail(TTT_ARGUMENT, "prefetch %d: must be 1 to 1024 batches", options->prefetch);
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

/* Where the arrays of `count` views start in `at`, which moves past them. */
static struct view_block lay_block(float **at, size_t count, size_t picture)
{
    struct view_block block = {.images = *at, .c2w = *at + count * picture};
    block.fxfycxcy = block.c2w + count * 16;
    *at += count * (picture + 16 + 4);
    return block;
}

static size_t slot_bytes(const struct scene_loader *loader)
{
    size_t batch = (size_t)loader->options.batch_size;
    size_t views = batch * ((size_t)loader->input_count + (size_t)loader->target_count);
    size_t picture = (size_t)loader->options.sample.height * (size_t)loader->options.sample.width * 3;
    return views * (picture + 16 + 4) * sizeof(float) + (views + batch) * sizeof(uint32_t);
}

static ttt_status make_slot(const struct scene_loader *loader, struct scene_slot *slot)
{
    size_t batch = (size_t)loader->options.batch_size, inputs = batch * (size_t)loader->input_count;
    size_t targets = batch * (size_t)loader->target_count;
    size_t picture = (size_t)loader->options.sample.height * (size_t)loader->options.sample.width * 3;
    float *at = calloc(1, slot_bytes(loader));
    if (!at)
        return ttt_fail(TTT_MEMORY, "not enough memory for %d batches of %.1f MB in the loader",
                        loader->slot_count, (double)slot_bytes(loader) / 1e6);
    slot->memory = at;
    slot->batch.inputs = lay_block(&at, inputs, picture);
    slot->batch.targets = lay_block(&at, targets, picture);
    slot->batch.scenes = (uint32_t *)at;
    slot->batch.input_views = slot->batch.scenes + batch;
    slot->batch.target_views = slot->batch.input_views + inputs;
    slot->batch.input_count = loader->input_count;
    slot->batch.target_count = loader->target_count;
    return TTT_OK;
}

static ttt_status make_buffers(struct scene_loader *loader)
{
    const struct scene_sample_options *sample = &loader->options.sample;
    TRY(count_views(loader));
    loader->bad = calloc(loader->set->count, sizeof *loader->bad);
    loader->slots = calloc((size_t)loader->slot_count, sizeof *loader->slots);
    if (!loader->bad || !loader->slots)
        return ttt_fail(TTT_MEMORY, "not enough memory for a loader");
    for (int i = 0; i < loader->slot_count; i++)
        TRY(make_slot(loader, &loader->slots[i]));
    if (loader->options.cache_bytes == 0)
        return TTT_OK;
    return scene_cache_create(loader->set, sample->height, sample->width, loader->options.cache_bytes,
                              &loader->cache);
}

/* Signals are left to the threads of the program itself. */
static ttt_status start_threads(struct scene_loader *loader)
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
    loader->opened = loader->handed = loader->released = options->first_step;
    loader->slot_count = options->threads > 0 ? options->prefetch + 1 : 1;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->done, NULL);
    ttt_status status = make_buffers(loader);
    if (!status)
        status = start_threads(loader);
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
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->thread_count; i++)
        pthread_join(loader->threads[i], NULL);
    for (struct scene_line *line = loader->lines, *next; line; line = next) {
        next = line->next;
        free(line);
    }
    for (int i = 0; loader->slots && i < loader->slot_count; i++) {
        free(loader->slots[i].memory);
        ttt_status_free(loader->slots[i].status);
    }
    free(loader->slots);
    free(loader->bad);
    scene_cache_destroy(loader->cache);
    pthread_cond_destroy(&loader->work);
    pthread_cond_destroy(&loader->done);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}
