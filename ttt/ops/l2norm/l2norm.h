/* Division by the L2 norm. */
#ifndef TTT_OPS_L2NORM_L2NORM_H
#define TTT_OPS_L2NORM_L2NORM_H

#include "ttt/graph/graph.h"

/* y = x / (|x| + eps), where |x| is the L2 norm over the last `dimensions` dimensions: 1 for rows, 2 for
 * matrices.
 *
 * x    (..., d) or (..., n, m)  f32, any strides; copied first unless contiguous
 * eps  above 0
 *
 * Returns y, shaped as x, contiguous; 0 where the norm is 0, and the norm's gradient is taken as 0 there.
 * Fails with TTT_SHAPE when x has fewer dimensions, with TTT_ARGUMENT for another eps.
 */
ttt_tensor ttt_l2norm(ttt_graph *g, ttt_tensor x, int dimensions, float eps);

#endif
