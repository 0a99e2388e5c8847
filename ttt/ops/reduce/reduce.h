/* Sums over dimensions, and what is built from them. */
#ifndef TTT_OPS_REDUCE_REDUCE_H
#define TTT_OPS_REDUCE_REDUCE_H

#include "ttt/graph/graph.h"

/* The sum over the dimensions whose bits are set in `dimensions` (bit 0: the first); they stay, with size 1.
 *
 * x  f32, any strides.  Returns f32, contiguous: x itself where there is nothing to add and x is so.  Partial
 * sums have a fixed order and are kept in enough accumulators (or in double) that the relative error stays
 * near f32 rounding for any length.
 */
ttt_tensor ttt_sum(ttt_graph *g, ttt_tensor x, unsigned dimensions);

/* The sum divided by the number of summed elements. */
ttt_tensor ttt_mean(ttt_graph *g, ttt_tensor x, unsigned dimensions);

/* The L2 norm over dimensions; its gradient is 0 where the norm is 0. */
ttt_tensor ttt_norm(ttt_graph *g, ttt_tensor x, unsigned dimensions);

/* x summed down to `shape`: the gradient of broadcasting `shape` to x's.  x itself when the shapes are equal.
 */
ttt_tensor ttt_sum_to(ttt_graph *g, ttt_tensor x, ttt_shape shape);

#endif
