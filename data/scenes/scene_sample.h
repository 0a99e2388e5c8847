/* One example for view synthesis: pictures and cameras of input and target views, in a common frame. */
#ifndef DATA_SCENES_SCENE_SAMPLE_H
#define DATA_SCENES_SCENE_SAMPLE_H

#include <stdatomic.h>

#include "data/scenes/scene_set.h"
#include "data/scenes/view_choice.h"

/* Over which views poses are normalised.  The published code takes all of an example's, inputs and targets;
 * a model that renders any camera later can only take the inputs. */
enum pose_scope { POSES_OF_EXAMPLE, POSES_OF_INPUTS };

struct scene_sample_options {
    int height, width; /* of every picture, in pixels */
    struct view_choice choice;
    enum pose_normalisation normalisation;
    double factor; /* > 0: of the normalisation */
    enum pose_scope scope;
};

/* TTT_ARGUMENT when a value is out of range. */
ttt_status scene_sample_options_check(const struct scene_sample_options *options)
    __attribute__((warn_unused_result));

/* Views as a model takes them; OpenCV axes, intrinsics in pixels. */
struct view_block {
    float *images;   /* (views, 3, height, width) in [0, 1] */
    float *fxfycxcy; /* (views, 4) */
    float *c2w;      /* (views, 4, 4) in the frame */
};

struct scene_sample {
    int input_count, target_count;
    uint32_t *input_views, *target_views; /* positions in scene->views */
    struct view_block inputs, targets;
    struct pose_frame frame;
    void *memory; /* of all arrays */
};

/* Pictures that are decoded once, at one size, as long as they fit; what is read from it does not depend on
 * what it holds.  Several threads may use it at once. */
struct scene_cache;

/* A cache for pictures of height x width of a set, of at most `bytes` bytes; the set must outlive it.
 * TTT_MEMORY. */
ttt_status scene_cache_create(const struct scene_set *set, int height, int width, size_t bytes,
                              struct scene_cache **out) __attribute__((warn_unused_result));
void scene_cache_destroy(struct scene_cache *cache);

/* Fills `block` with views[count] of a scene; cache may be NULL, else the scene must be of its set and the
 * size the cache's.  images may be NULL where only cameras are wanted.  Errors: view_load's. */
ttt_status view_block_load(const struct scene *scene, const uint32_t *views, int count,
                           const struct pose_frame *frame, int height, int width, struct scene_cache *cache,
                           const struct view_block *block) __attribute__((warn_unused_result));

/* The frame of an example with these views. */
ttt_status scene_sample_frame(const struct scene_sample_options *options, const struct scene *scene,
                              const uint32_t *inputs, int input_count, const uint32_t *targets,
                              int target_count, struct pose_frame *frame) __attribute__((warn_unused_result));

/* Chooses views of a scene and loads them.  The caller frees *sample; on failure it is empty.
 * Errors: view_choose's, view_load's. */
ttt_status scene_sample_load(const struct scene_sample_options *options, const struct scene *scene,
                             ttt_random *random, struct scene_cache *cache, struct scene_sample *sample)
    __attribute__((warn_unused_result));
void scene_sample_free(struct scene_sample *sample);

#endif
