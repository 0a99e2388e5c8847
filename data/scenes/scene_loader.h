/* Batches of view-synthesis examples, loaded ahead of time by several threads.
 *
 * What a batch holds is a pure function of the set, the options and its step: the number of threads, the
 * cache and the step at which a loader starts cannot matter.  Example number n = step * batch_size + i shows
 * scene n modulo the number of scenes of an order that is drawn anew for every round through the set, from
 * (seed, TTT_RANDOM_SHUFFLE, round); its views come from (seed, TTT_RANDOM_VIEWS, n, scene).
 *
 * A scene with a picture that cannot be loaded is reported once; the next scene of the set that can be loaded
 * stands in for it.
 */
#ifndef DATA_SCENES_SCENE_LOADER_H
#define DATA_SCENES_SCENE_LOADER_H

#include "data/scenes/scene_sample.h"
#include "ttt/device/device.h"

struct scene_loader_options {
    struct scene_sample_options sample;
    int batch_size;     /* >= 1 */
    int threads;        /* 0 .. 256; 0: scene_loader_next loads by itself */
    int prefetch;       /* >= 1: batches loaded ahead; without threads none are */
    size_t cache_bytes; /* for decoded pictures at the sample's size; 0: none are kept */
    ttt_device *device; /* as in prefetch.h */
    uint64_t seed, first_step;
    /* NULL, or called by scene_loader_next, in its thread, with one line per bad scene. */
    void (*report)(void *context, const char *line);
    void *context;
};

struct scene_batch {
    struct view_block inputs;      /* (batch_size, inputs, ...) as in view_block */
    struct view_block targets;     /* (batch_size, targets, ...) */
    int input_count, target_count; /* per example */
    uint32_t *scenes;              /* (batch_size) positions in the set */
    uint32_t *input_views;         /* (batch_size, inputs) positions in the scene */
    uint32_t *target_views;        /* (batch_size, targets) */
    uint64_t step;
    double waited; /* seconds that scene_loader_next waited or loaded for it */
};

struct scene_loader;

/* The caller owns *out and frees it with scene_loader_destroy; the set must outlive it.
 *
 * TTT_ARGUMENT  an option out of range; a scene with too few views, or with other counts than the first
 * TTT_FORMAT    the index names views that there are not
 * TTT_MEMORY    no memory for the batches, which the text counts, or for the threads
 */
ttt_status scene_loader_create(const struct scene_set *set, const struct scene_loader_options *options,
                               struct scene_loader **out) __attribute__((warn_unused_result));

/* The next batch, which belongs to the loader and lives until the next call.
 * Fails with the error of the scene when none of the set can be loaded, and with TTT_MEMORY; every later call
 * then fails likewise. */
ttt_status scene_loader_next(struct scene_loader *loader, struct scene_batch *batch)
    __attribute__((warn_unused_result));

/* Scenes found bad so far. */
uint32_t scene_loader_bad_scenes(struct scene_loader *loader);

/* Ends the threads; NULL is allowed. */
void scene_loader_destroy(struct scene_loader *loader);

#endif
