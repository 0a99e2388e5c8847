/* Layer normalisation. */
#ifndef TTT_OPS_LAYERNORM_LAYERNORM_H
#define TTT_OPS_LAYERNORM_LAYERNORM_H

#include "ttt/graph/graph.h"

/* y = (x - mean(x)) / sqrt(var(x) + eps) * gain + bias, over the last dimension.
 *
 * x      (..., d)  f32 or bf16
 * gain   (d)       f32, or TTT_NONE for 1
 * bias   (d)       f32, or TTT_NONE for 0
 * eps    > 0, added to the variance (the mean of squared deviations)
 *
 * Returns y, shaped and typed as x, contiguous.  Mean and variance are taken in f32.
 * Fails with TTT_SHAPE when gain or bias does not match x's last dimension.
 * Ba, Kiros, Hinton, "Layer Normalization", 2016.
 */
ttt_tensor ttt_layernorm(ttt_graph *g, ttt_tensor x, ttt_tensor gain, ttt_tensor bias, float eps);

#endif
