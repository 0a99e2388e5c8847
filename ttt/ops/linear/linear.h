/* The affine layer, with its activation fused. */
#ifndef TTT_OPS_LINEAR_LINEAR_H
#define TTT_OPS_LINEAR_LINEAR_H

#include "ttt/graph/graph.h"

typedef enum ttt_activation {
    TTT_IDENTITY,
    TTT_GELU, /* exact, as ttt_gelu */
    TTT_SILU,
} ttt_activation;

/* y = activation(x weight^T + bias) over the last dimension.
 *
 * x       (..., in)   f32, rows of unit stride
 * weight  (out, in)   f32, contiguous: the layout of published checkpoints
 * bias    (out)       f32, or TTT_NONE
 *
 * Returns (..., out), contiguous.  With an activation, the value before it is kept for the backward pass.
 * Fails with TTT_SHAPE when weight or bias does not match.
 */
ttt_tensor ttt_linear(ttt_graph *g, ttt_tensor x, ttt_tensor weight, ttt_tensor bias,
                      ttt_activation activation);

#endif
