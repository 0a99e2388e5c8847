/* A LaCT-NVS model at work on one scene: reconstruct once from posed pictures, add further ones where the
 * variant allows it, then render any camera.
 *
 * The scene's state, every block's fast weights, lies between the two in variables of the store.
 */
#ifndef EVAL_VIEW_RENDERER_H
#define EVAL_VIEW_RENDERER_H

#include <stdbool.h>

#include "data/scenes/scene_sample.h"
#include "ttt/graph/plan.h"
#include "vision/lact_nvs.h"

struct view_renderer_options {
    const char *prefix;      /* of the weights in the store: "" or "ema." */
    int inputs;              /* >= 1: views of a reconstruction */
    int added;               /* views that view_renderer_add takes; 0: none are ever added */
    int at_once;             /* >= 1: views rendered in one pass */
    int64_t tokens_per_pass; /* of the reconstruction: lact_nvs_reconstruct; 0: all */
    ttt_dtype dtype;         /* of activations; 0: f32 */
    bool once;               /* one scene alone: each step's memory is given back before the next */
    ttt_plan_options plan;   /* memory_limit holds for the whole renderer */
};

struct view_renderer_memory {
    int64_t variables;                /* weights and state */
    int64_t reconstruct, add, render; /* arenas */
    int64_t total;                    /* at the peak; with `once` only the largest arena counts */
};

struct view_renderer {
    struct view_renderer_options options;
    int height, width;     /* of every picture, in pixels */
    ttt_plan *reconstruct; /* NULL once it has been given back, as `add` */
    ttt_plan *add;         /* NULL also where no views are added */
    ttt_plan *render;
    struct view_renderer_memory memory;
    bool reconstruct_ready, add_ready, render_ready, has_scene;
    double reconstruct_flops;  /* of a whole reconstruction */
    double render_flops;       /* of one pass of at_once views */
    float *cameras, *pictures; /* of one pass that is not full */
};

/* Plans all over weights in `store`, which must outlive the renderer; pictures have the config's size.
 * Takes no device memory before the first scene: renderer->memory says how much it will be.  The caller
 * destroys it; on failure there is nothing to destroy.
 * Errors: lact_nvs_config_check, ttt_plan_create; TTT_UNSUPPORTED where views shall be added to a variant
 * that does not allow it, naming what forbids it; TTT_MEMORY when all together are over the limit, with both
 * numbers. */
ttt_status view_renderer_create(const struct lact_nvs_config *config, ttt_store *store,
                                const struct view_renderer_options *options, struct view_renderer *renderer)
    __attribute__((warn_unused_result));
void view_renderer_destroy(struct view_renderer *renderer);

/* How many views are worth rendering in one pass, of `most` in all: enough tokens to keep every core busy,
 * few enough to stay small. */
int view_renderer_views_at_once(const struct lact_nvs_config *config, int most);

/* Takes the memory, which the first scene would do otherwise: for those who take times. */
ttt_status view_renderer_prepare(struct view_renderer *renderer) __attribute__((warn_unused_result));

/* inputs: options.inputs views.  The scene before is forgotten.  TTT_ARGUMENT for a second scene of a
 * renderer that was made for one. */
ttt_status view_renderer_reconstruct(struct view_renderer *renderer, const struct view_block *inputs)
    __attribute__((warn_unused_result));

/* views: options.added more of the scene, in the frame of the inputs.  The scene is then that of all its
 * views, as if they had been given together, to rounding.  TTT_ARGUMENT without a scene, or for a renderer
 * made for no further views. */
ttt_status view_renderer_add(struct view_renderer *renderer, const struct view_block *views)
    __attribute__((warn_unused_result));

/* Renders `count` >= 1 cameras, fxfycxcy (count, 4) in pixels and c2w (count, 4, 4) in the frame of the
 * inputs, to images (count, 3, height, width) in [0, 1].  There must be a scene. */
ttt_status view_renderer_render(struct view_renderer *renderer, const float *fxfycxcy, const float *c2w,
                                int count, float *images) __attribute__((warn_unused_result));

#endif
