/* LaCT novel view synthesis: posed pictures to fast weights, fast weights and a camera to a picture.
 *
 * Every pixel carries 12 channels: ray origin o, direction d, o x d, and the colour in [-1, 1] (0 in a view
 * to be rendered).  Parameter names and shapes are those of the published checkpoints. Shapes: B scenes, V
 * views, h x w pixels, L tokens, D width.
 */
#ifndef VISION_LACT_NVS_H
#define VISION_LACT_NVS_H

#include "vision/lact_nvs_config.h"
#include "vision/parameter.h"

/* Views of B scenes; all of one size. */
struct lact_nvs_views {
    ttt_tensor fxfycxcy; /* (B, V, 4), pixels */
    ttt_tensor c2w;      /* (B, V, 4, 4), camera to world, OpenCV axes */
    ttt_tensor images;   /* (B, V, 3, h, w) in [0, 1]; TTT_NONE for views to be rendered */
};

/* The parameters of a model in the order of the published state dict.  *parameters is malloc'ed, for the
 * caller to free.  Fails with TTT_MEMORY or as lact_nvs_config_check. */
ttt_status lact_nvs_parameters(const struct lact_nvs_config *config, struct parameter **parameters,
                               int *count);

/* Inputs and targets together, as in training: (B, target views, 3, h, w) in [0, 1].
 * prefix: in front of every parameter's name in the store, "" or "ema.". */
ttt_tensor lact_nvs_forward(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                            const struct lact_nvs_views *inputs, const struct lact_nvs_views *targets);

/* The scene's state: every block's fast weights after the input views, left in the variables
 * "state.BLOCK.w0" to "state.BLOCK.w2" of the store.
 *
 * tokens_per_pass  how many tokens (at least one view's) have intermediates at one time; 0: all.  The tokens
 *                  themselves are always held.  The result depends on it by rounding alone.
 * add              goes on from the state that is there, instead of from the initial fast weights, where that
 *                  gives what starting over with all views would: TTT_UNSUPPORTED elsewhere, naming what
 * forbids it
 */
void lact_nvs_reconstruct(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                          const struct lact_nvs_views *inputs, int64_t tokens_per_pass, bool add);

/* Pictures (B, V, 3, h, w) in [0, 1] of the state in the store, which lact_nvs_reconstruct left for B scenes.
 */
ttt_tensor lact_nvs_render(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                           const struct lact_nvs_views *targets);

#endif
