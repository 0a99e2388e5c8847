/* Batches made ahead of time by several threads and handed out in order.
 *
 * Batches have sequence numbers and consist of jobs.  A ring of slots holds those that are being made or
 * handed out.  Threads take one job after another, always of the earliest batch that has one left; a slot is
 * opened for the next batch once the consumer, a single thread, has let go of the one that was in it.
 */
#ifndef DATA_PREFETCH_H
#define DATA_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"
#include "ttt/device/device.h"

struct prefetch_options {
    int threads;         /* 0 .. 256; 0: prefetch_next does the jobs by itself */
    int ahead;           /* 1 .. 1024: batches beside the one handed out; without threads none are */
    uint64_t first, end; /* the batches are first .. end - 1 */
    ttt_device *device;  /* that batches are copied to: slots are its host memory; NULL: plain memory */
    size_t slot_bytes;   /* of a slot's memory, which starts as zeros and then keeps what is written */
    void *context;       /* of the functions below */
    /* Prepares a slot for a batch and returns its number of jobs, >= 1.  One call at a time, in order. */
    int (*open)(void *context, void *slot, uint64_t sequence);
    /* Does job 0 .. jobs - 1 of the batch in a slot, beside other jobs. */
    ttt_status (*job)(void *context, void *slot, int job);
    /* NULL, or called by prefetch_next, in its thread, with each line that a job noted. */
    void (*report)(void *context, const char *line);
    void *report_context;
};

/* Seconds since the start. */
struct prefetch_times {
    double worked; /* by all threads together */
    double waited; /* by prefetch_next, or worked by it */
};

struct prefetch;

/* The caller owns *out, which is set before the first job, and frees it with prefetch_destroy; what the
 * context points to must outlive it.
 *
 * TTT_ARGUMENT  threads or ahead out of range
 * TTT_MEMORY    no memory for the slots, which the text counts, or for the threads
 */
ttt_status prefetch_create(const struct prefetch_options *options, struct prefetch **out)
    __attribute__((warn_unused_result));

/* *slot becomes the slot of the next batch, the caller's until the next call; NULL when there is none.
 * Adds to *waited the seconds that it waited or worked.
 *
 * Fails with the error of the batch's first job that failed; every later call then fails likewise.
 */
ttt_status prefetch_next(struct prefetch *prefetch, void **slot, double *waited)
    __attribute__((warn_unused_result));

/* Keeps a copy of a line for the consumer; for jobs.  Without memory the line is lost. */
void prefetch_note(struct prefetch *prefetch, const char *line);

struct prefetch_times prefetch_times(struct prefetch *prefetch);

/* Stops the threads, each after the job it is at, and frees everything; NULL is allowed. */
void prefetch_destroy(struct prefetch *prefetch);

#endif
