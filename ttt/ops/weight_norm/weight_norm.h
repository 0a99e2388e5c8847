/* Fast weights moved and normalised. */
#ifndef TTT_OPS_WEIGHT_NORM_WEIGHT_NORM_H
#define TTT_OPS_WEIGHT_NORM_WEIGHT_NORM_H

#include "ttt/graph/graph.h"

/* y = v / (|v| + eps) * norm with v = w + sign step, where |v| is the L2 norm of every column: over the
 * dimension before the last.
 *
 * w     (..., n, m)   f32; shared by all leading dimensions of step that it has not, or has with size 1
 * step  (..., n, m)   f32, any strides; w, step and norm are copied first unless contiguous, or step
 *                     a contiguous (..., m, n) transposed
 * norm  (..., 1, m)   f32, shared likewise; a constant: no gradient flows into it
 * sign  1 or -1
 * eps   above 0
 *
 * Returns y, shaped as step, contiguous; the gradient of a norm of 0 is taken as 0.  Fails with TTT_SHAPE
 * when w or norm does not fit step, with TTT_ARGUMENT for another sign or eps.
 */
ttt_tensor ttt_weight_norm(ttt_graph *g, ttt_tensor w, ttt_tensor step, ttt_tensor norm, int sign, float eps);

#endif
