/* Judging view synthesis: every scene is reconstructed from its input views, and every target view rendered.
 *
 * PSNR of a view is -10 log10(mean squared error) over all pixels and channels, both pictures in [0, 1], the
 * rendered one clamped and not rounded; a scene's is the mean over its target views, the whole's the mean
 * over scenes.  SSIM likewise; see metrics.h.  Next to the model stand two predictors that know nothing of
 * scenes: the input view whose camera is nearest to the target's, copied, and the mean colour of all input
 * views.
 */
#ifndef EVAL_VIEWS_H
#define EVAL_VIEWS_H

#include "data/scenes/scene_sample.h"
#include "eval/view_renderer.h"

/* Means over views, or over scenes. */
struct views_likeness {
    double psnr, ssim; /* ssim is NaN for pictures with a side below 11 */
    double nearest_psnr, nearest_ssim;
    double mean_colour_psnr;
};

struct views_target {
    uint32_t scene;         /* index into scenes */
    uint32_t view, nearest; /* positions in the scene's views */
    struct views_likeness likeness;
};

struct views_scene {
    const struct scene *scene; /* of the set, which must live as long */
    uint32_t first, count;     /* of its targets */
    int inputs;
    struct views_likeness likeness;
};

struct views_result {
    uint32_t scene_count, target_count; /* that were judged */
    uint32_t skipped;                   /* scenes that could not be used, when the set was opened or later */
    struct views_scene *scenes;         /* (scene_count) */
    struct views_target *targets;       /* (target_count), scene after scene */
    struct views_likeness likeness;
    double reconstruct_seconds, render_seconds; /* sums, without reading files */
};

struct views_options {
    const char *prefix; /* of the weights in the store: "" or "ema." */
    struct scene_sample_options sample;
    uint64_t seed;           /* of the views of scene i, where they are random */
    int64_t tokens_per_pass; /* as in view_renderer.h */
    ttt_dtype dtype;         /* of activations; 0: f32 */
    ttt_plan_options plan;
    void (*progress)(void *context, int64_t done, int64_t scenes); /* after every scene; NULL: none */
    void (*report)(void *context, const char *line); /* of the first scenes that cannot be read; NULL: none */
    void *context;
};

/* Judges the weights in `store` on every scene of the set.  The model's pictures and the sample's have one
 * size. A scene that cannot be read is an error when it is the only one, and skipped and counted when it is
 * one of many; so is a set of which none is left, with the error of its last.  The caller frees *result with
 * views_result_free; on failure it is empty.
 * Errors: view_choose's, view_load's, view_renderer_create's, TTT_MEMORY; TTT_NUMERIC for a rendered value
 * that is not a number. */
ttt_status views_run(const struct lact_nvs_config *config, ttt_store *store, const struct scene_set *set,
                     const struct views_options *options, struct views_result *result);
void views_result_free(struct views_result *result);

/* What views_run will need on the device, for the scene with the most input views; takes none.
 * Errors: view_choice_counts', view_renderer_create's. */
ttt_status views_memory(const struct lact_nvs_config *config, ttt_store *store, const struct scene_set *set,
                        const struct views_options *options, ttt_plan_memory *memory);

/* views.csv has a row for every target view, scenes.csv one for every scene and a last one for all; both say
 * above, in lines that start with '#', how their numbers are defined.  views.json has all of it.  TTT_IO. */
ttt_status views_write_targets(const struct views_result *result, const char *path);
ttt_status views_write_scenes(const struct views_result *result, const char *path);
ttt_status views_write_json(const struct views_result *result, const char *path);

#endif
