/* What the two halves of the scene loader share: scene_loader.c hands batches out, scene_loader_fill.c fills
 * their examples. */
#ifndef DATA_SCENES_SCENE_LOADER_INTERNAL_H
#define DATA_SCENES_SCENE_LOADER_INTERNAL_H

#include <pthread.h>

#include "data/scenes/scene_loader.h"
#include "data/workers.h"

struct scene_slot {
    struct scene_batch batch; /* its arrays, which `memory` owns */
    void *memory;
    int taken, filled; /* examples */
    ttt_status status; /* of the first example that failed */
    int failed;
};

struct scene_line {
    struct scene_line *next;
    char text[];
};

struct scene_loader {
    const struct scene_set *set;
    struct scene_loader_options options;
    struct scene_cache *cache; /* or NULL */
    int input_count, target_count;

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;  /* a slot has become free, or the threads shall stop */
    pthread_cond_t done;  /* a batch is complete */
    bool stop;
    int slot_count;
    struct scene_slot *slots;
    uint64_t opened, handed, released; /* steps: the next to open, hand out, let go of */
    bool *bad;                         /* (set->count) */
    uint32_t bad_count;
    struct scene_line *lines; /* to report, newest first */
    int thread_count;
    pthread_t threads[WORKERS_MAX];
};

/* Fills example i of a batch.  Called without the lock, since nobody else touches these rows. */
ttt_status scene_loader_fill(struct scene_loader *loader, struct scene_batch *batch, int i)
    __attribute__((warn_unused_result));

#endif
