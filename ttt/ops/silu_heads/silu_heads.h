/* Queries, keys and values of fast weights, out of their projections. */
#ifndef TTT_OPS_SILU_HEADS_SILU_HEADS_H
#define TTT_OPS_SILU_HEADS_SILU_HEADS_H

#include "ttt/graph/graph.h"

enum { TTT_SILU_HEADS_PARTS = 3 }; /* most: q, k, v */

/* y[p] = h / (|h| + eps) for the first `units` parts of x and y[p] = h for the others, with h = silu(x) and
 * |h| the L2 norm over a head's d elements; where that is 0, its gradient is 0.
 *
 * x  (B, L, parts * heads * d)  f32: parts side by side, each of them heads side by side
 * y  `parts` tensors (B, L, heads, d), contiguous, typed as x
 *
 * Fails with TTT_SHAPE when x does not divide into the parts' heads, with TTT_ARGUMENT for parts beyond
 * 1 ... TTT_SILU_HEADS_PARTS, units beyond 0 ... parts, or an eps that is not above 0.
 */
void ttt_silu_heads(ttt_graph *g, ttt_tensor x, int64_t heads, int parts, int units, float eps,
                    ttt_tensor *y);

#endif
