/* ViT^3 (ViTTT) image classifier: patches, blocks with a TTT layer, mean over tokens, linear head.
 *
 * Parameter names and shapes are those of the published checkpoints; there is no class token and no position
 * table.  Shapes: B pictures, h x w patches, C width.
 */
#ifndef VISION_VITTT_H
#define VISION_VITTT_H

#include "vision/parameter.h"
#include "vision/vittt_config.h"

/* The parameters of a model in the order of the published state dict.  *parameters is malloc'ed, for the
 * caller to free.  Fails with TTT_MEMORY or as vittt_config_check. */
ttt_status vittt_parameters(const struct vittt_config *config, struct parameter **parameters, int *count);

/* The forward pass.
 *
 * images  (B, 3, H, W)  f32, normalised
 * prefix  in front of every parameter's name in the store: "" for the weights, "ema." for their averages
 * step    (1) i32, the training step, for stochastic depth; TTT_NONE: evaluation, nothing is dropped
 * seed    of the run, for stochastic depth
 *
 * Returns logits (B, classes).
 */
ttt_tensor vittt_forward(ttt_graph *g, const struct vittt_config *config, const char *prefix,
                         ttt_tensor images, ttt_tensor step, uint64_t seed);

/* Fills the store with initial values (parameters_initialise). */
ttt_status vittt_initialise(const struct vittt_config *config, ttt_store *store, uint64_t seed);

#endif
