/* What the two halves of the loader share: loader.c hands batches out, loader_fill.c fills their positions.
 */
#ifndef DATA_LOADER_INTERNAL_H
#define DATA_LOADER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "data/loader.h"
#include "data/workers.h"

/* What is known of a file. */
enum { FILE_BAD = 1, FILE_WARNED = 2 };

struct line {
    struct line *next;
    char text[];
};

struct slot {
    float *images;           /* (batch_size, 3, height, width) */
    int32_t *labels;         /* (batch_size); -1: nothing to be had */
    uint32_t *indices;       /* (batch_size) */
    uint32_t *samples;       /* (batch_size): the pictures that are due */
    int size, taken, filled; /* positions */
    uint64_t epoch;
    ttt_status status; /* of the first position that failed */
    int failed_position;
};

struct loader {
    const struct pictures *set;
    struct loader_options options;
    size_t picture_floats;  /* of one picture */
    uint64_t batches;       /* per epoch */
    _Atomic uint8_t *files; /* (set->count) what is known of each */

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;  /* a slot has become free, or the threads shall stop */
    pthread_cond_t done;  /* a batch is complete */
    bool stop;
    int slot_count;
    struct slot *slots;
    uint64_t first, opened, handed, released; /* sequence numbers: the next to open, hand out, let go of */
    uint32_t *order;                          /* (set->count) of order_epoch */
    uint64_t order_epoch;
    struct line *lines; /* to report, newest first */
    struct loader_statistics statistics;
    int thread_count;
    pthread_t threads[WORKERS_MAX];
};

/* Fills one position of a slot: its images, label (-1 where evaluation leaves a bad file out) and index.
 * Called without the lock, since nobody else touches these rows. */
ttt_status loader_fill_position(struct loader *loader, struct slot *slot, int position)
    __attribute__((warn_unused_result));

#endif
