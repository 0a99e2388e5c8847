/* Operations that treat every element alike, and chains of them.
 *
 * Operands broadcast as in NumPy: shapes are aligned at the last dimension, and sizes of 1 repeat.  They are
 * f32, of any strides; the result is contiguous.  All builders fail with TTT_SHAPE when the shapes do not
 * fit. The planner fuses neighbouring pointwise nodes into one that touches memory once (graph/fuse.h).
 */
#ifndef TTT_OPS_POINTWISE_POINTWISE_H
#define TTT_OPS_POINTWISE_POINTWISE_H

#include "ttt/graph/graph.h"

ttt_tensor ttt_add(ttt_graph *g, ttt_tensor a, ttt_tensor b);
ttt_tensor ttt_sub(ttt_graph *g, ttt_tensor a, ttt_tensor b);
ttt_tensor ttt_mul(ttt_graph *g, ttt_tensor a, ttt_tensor b);
ttt_tensor ttt_div(ttt_graph *g, ttt_tensor a, ttt_tensor b);

ttt_tensor ttt_scale(ttt_graph *g, ttt_tensor x, float factor); /* x * factor */
ttt_tensor ttt_shift(ttt_graph *g, ttt_tensor x, float term);   /* x + term */

ttt_tensor ttt_exp(ttt_graph *g, ttt_tensor x);
ttt_tensor ttt_sqrt(ttt_graph *g, ttt_tensor x); /* its gradient is taken as 0 where x is 0 */
ttt_tensor ttt_square(ttt_graph *g, ttt_tensor x);
ttt_tensor ttt_reciprocal(ttt_graph *g, ttt_tensor x);

/* 1/x, and 0 where x is 0. */
ttt_tensor ttt_reciprocal_or_zero(ttt_graph *g, ttt_tensor x);

ttt_tensor ttt_sigmoid(ttt_graph *g, ttt_tensor x);   /* s(x) = 1 / (1 + exp(-x)) */
ttt_tensor ttt_silu(ttt_graph *g, ttt_tensor x);      /* x s(x) */
ttt_tensor ttt_silu_grad(ttt_graph *g, ttt_tensor x); /* silu'(x) = s(x) (1 + x (1 - s(x))) */
ttt_tensor ttt_gelu(ttt_graph *g, ttt_tensor x);      /* exact: x/2 (1 + erf(x / sqrt 2)) */
ttt_tensor ttt_gelu_grad(ttt_graph *g, ttt_tensor x); /* gelu'(x) */
ttt_tensor ttt_softplus(ttt_graph *g, ttt_tensor x);  /* log(1 + exp(x)), x itself from 20 on */

#endif
