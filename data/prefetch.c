/* Batches made ahead of time by several threads and handed out in order. */
#include "data/prefetch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "data/workers.h"
#include "ttt/base/clock.h"

struct line {
    struct line *next;
    char text[];
};

struct slot {
    void *memory;
    int jobs, taken, done;
    ttt_status status; /* of the first job that failed */
    int failed;
};

struct prefetch {
    struct prefetch_options options;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;  /* a slot has become free, or the threads shall stop */
    pthread_cond_t done;  /* a batch is complete */
    bool stop;
    int slot_count;
    struct slot *slots;
    uint64_t opened, handed, released; /* sequence numbers: the next to open, hand out, let go of */
    struct line *lines, **next_line;   /* to report, oldest first, and where the next one goes */
    struct prefetch_times times;
    int thread_count;
    pthread_t threads[WORKERS_MAX];
};

static struct slot *slot_of(struct prefetch *prefetch, uint64_t sequence)
{
    return &prefetch->slots[sequence % (uint64_t)prefetch->slot_count];
}

/* Opens a slot for the next batch; false when all are in use or there is no further batch. */
static bool open_slot(struct prefetch *prefetch)
{
    const struct prefetch_options *options = &prefetch->options;
    if (prefetch->opened >= options->end ||
        prefetch->opened - prefetch->released >= (uint64_t)prefetch->slot_count)
        return false;
    struct slot *slot = slot_of(prefetch, prefetch->opened);
    slot->jobs = options->open(options->context, slot->memory, prefetch->opened++);
    slot->taken = slot->done = 0;
    return true;
}

/* The next job to do: of the newest batch, as older ones are taken up.  Under the lock. */
static bool take_job(struct prefetch *prefetch, struct slot **slot, int *job)
{
    *slot = slot_of(prefetch, prefetch->opened - 1); /* one that was never opened has no jobs */
    if ((*slot)->taken == (*slot)->jobs) {
        if (!open_slot(prefetch))
            return false;
        *slot = slot_of(prefetch, prefetch->opened - 1);
    }
    *job = (*slot)->taken++;
    return true;
}

/* Does a job and books it.  Called and left with the lock held. */
static void do_job(struct prefetch *prefetch, struct slot *slot, int job)
{
    pthread_mutex_unlock(&prefetch->lock);
    double start = ttt_seconds();
    ttt_status status = prefetch->options.job(prefetch->options.context, slot->memory, job);
    double seconds = ttt_seconds() - start;
    pthread_mutex_lock(&prefetch->lock);
    prefetch->times.worked += seconds;
    if (status && (!slot->status || job < slot->failed)) {
        ttt_status_free(slot->status);
        slot->status = status;
        slot->failed = job;
    } else {
        ttt_status_free(status);
    }
    if (++slot->done == slot->jobs)
        pthread_cond_signal(&prefetch->done);
}

static void *work(void *argument)
{
    struct prefetch *prefetch = argument;
    struct slot *slot;
    int job;
    pthread_mutex_lock(&prefetch->lock);
    while (!prefetch->stop) {
        if (take_job(prefetch, &slot, &job))
            do_job(prefetch, slot, job);
        else
            pthread_cond_wait(&prefetch->work, &prefetch->lock);
    }
    pthread_mutex_unlock(&prefetch->lock);
    return NULL;
}

/* Lets go of the batch that the consumer held. */
static void release(struct prefetch *prefetch)
{
    if (prefetch->released < prefetch->handed) {
        prefetch->released = prefetch->handed;
        pthread_cond_broadcast(&prefetch->work);
    }
}

/* Waits for the next batch to be complete, or makes it, and hands it out.  Under the lock. */
static ttt_status hand_out(struct prefetch *prefetch, void **memory)
{
    struct slot *slot = slot_of(prefetch, prefetch->handed), *taken;
    int job;
    *memory = NULL;
    if (prefetch->handed >= prefetch->options.end)
        return TTT_OK;
    while (prefetch->opened <= prefetch->handed || slot->done < slot->jobs) {
        if (prefetch->thread_count > 0)
            pthread_cond_wait(&prefetch->done, &prefetch->lock);
        else if (take_job(prefetch, &taken, &job))
            do_job(prefetch, taken, job);
    }
    if (slot->status)
        return ttt_status_copy(slot->status);
    *memory = slot->memory;
    prefetch->handed++;
    return TTT_OK;
}

/* Reports lines, where that is wanted, and frees them. */
static void end_lines(const struct prefetch_options *options, struct line *line)
{
    while (line) {
        struct line *next = line->next;
        if (options->report)
            options->report(options->report_context, line->text);
        free(line);
        line = next;
    }
}

ttt_status prefetch_next(struct prefetch *prefetch, void **slot, double *waited)
{
    double start = ttt_seconds();
    pthread_mutex_lock(&prefetch->lock);
    release(prefetch);
    ttt_status status = hand_out(prefetch, slot);
    struct line *lines = prefetch->lines;
    prefetch->lines = NULL;
    prefetch->next_line = &prefetch->lines;
    double seconds = ttt_seconds() - start;
    prefetch->times.waited += seconds;
    pthread_mutex_unlock(&prefetch->lock);
    *waited += seconds;
    end_lines(&prefetch->options, lines);
    return status;
}

void prefetch_note(struct prefetch *prefetch, const char *text)
{
    struct line *line = malloc(sizeof(*line) + strlen(text) + 1);
    if (!line)
        return;
    line->next = NULL;
    strcpy(line->text, text);
    pthread_mutex_lock(&prefetch->lock);
    *prefetch->next_line = line;
    prefetch->next_line = &line->next;
    pthread_mutex_unlock(&prefetch->lock);
}

struct prefetch_times prefetch_times(struct prefetch *prefetch)
{
    pthread_mutex_lock(&prefetch->lock);
    struct prefetch_times times = prefetch->times;
    pthread_mutex_unlock(&prefetch->lock);
    return times;
}

/* The memory of a slot, cleared. */
static ttt_status take_memory(const struct prefetch_options *options, void **memory)
{
    if (!options->device) {
        *memory = calloc(1, options->slot_bytes);
        return *memory ? TTT_OK : ttt_fail(TTT_MEMORY, "not enough memory");
    }
    TRY(ttt_device_allocate_host(options->device, options->slot_bytes, memory));
    memset(*memory, 0, options->slot_bytes);
    return TTT_OK;
}

static void give_memory(const struct prefetch_options *options, void *memory)
{
    if (options->device)
        ttt_device_release_host(options->device, memory);
    else
        free(memory);
}

static ttt_status make_slots(struct prefetch *prefetch)
{
    ttt_status status = TTT_OK;
    prefetch->slots = calloc((size_t)prefetch->slot_count, sizeof(*prefetch->slots));
    if (!prefetch->slots)
        return ttt_fail(TTT_MEMORY, "not enough memory for a loader");
    for (int i = 0; i < prefetch->slot_count && !status; i++)
        status = take_memory(&prefetch->options, &prefetch->slots[i].memory);
    return ttt_within(status, "the loader's %d batches of %.1f MB", prefetch->slot_count,
                      (double)prefetch->options.slot_bytes / 1e6);
}

/* Signals are left to the threads of the program itself. */
static ttt_status start_threads(struct prefetch *prefetch)
{
    sigset_t all, before;
    int reason = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&prefetch->lock);
    while (!reason && prefetch->thread_count < prefetch->options.threads) {
        reason = pthread_create(&prefetch->threads[prefetch->thread_count], NULL, work, prefetch);
        prefetch->thread_count += !reason;
    }
    pthread_mutex_unlock(&prefetch->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!reason)
        return TTT_OK;
    return ttt_fail(TTT_MEMORY, "only %d of %d loader threads could be started: %s", prefetch->thread_count,
                    prefetch->options.threads, strerror(reason));
}

ttt_status prefetch_create(const struct prefetch_options *options, struct prefetch **out)
{
    *out = NULL;
    if (options->threads < 0 || options->threads > WORKERS_MAX)
        return ttt_fail(TTT_ARGUMENT, "%d loader threads: must be 0 to %d", options->threads, WORKERS_MAX);
    if (options->ahead < 1 || options->ahead > 1024)
        return ttt_fail(TTT_ARGUMENT, "prefetch %d: must be 1 to 1024 batches", options->ahead);
    struct prefetch *prefetch = calloc(1, sizeof(*prefetch));
    if (!prefetch)
        return ttt_fail(TTT_MEMORY, "not enough memory for a loader");
    prefetch->options = *options;
    prefetch->opened = prefetch->handed = prefetch->released = options->first;
    prefetch->slot_count = options->threads > 0 ? options->ahead + 1 : 1;
    prefetch->next_line = &prefetch->lines;
    pthread_mutex_init(&prefetch->lock, NULL);
    pthread_cond_init(&prefetch->work, NULL);
    pthread_cond_init(&prefetch->done, NULL);
    *out = prefetch;
    ttt_status status = make_slots(prefetch);
    if (!status)
        status = start_threads(prefetch);
    if (status) {
        prefetch_destroy(prefetch);
        *out = NULL;
    }
    return status;
}

void prefetch_destroy(struct prefetch *prefetch)
{
    if (!prefetch)
        return;
    pthread_mutex_lock(&prefetch->lock);
    prefetch->stop = true;
    pthread_cond_broadcast(&prefetch->work);
    pthread_mutex_unlock(&prefetch->lock);
    for (int i = 0; i < prefetch->thread_count; i++)
        pthread_join(prefetch->threads[i], NULL);
    for (int i = 0; prefetch->slots && i < prefetch->slot_count; i++) {
        give_memory(&prefetch->options, prefetch->slots[i].memory);
        ttt_status_free(prefetch->slots[i].status);
    }
    free(prefetch->slots);
    end_lines(&(struct prefetch_options){0}, prefetch->lines);
    pthread_cond_destroy(&prefetch->done);
    pthread_cond_destroy(&prefetch->work);
    pthread_mutex_destroy(&prefetch->lock);
    free(prefetch);
}
