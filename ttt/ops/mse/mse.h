/* Mean squared error. */
#ifndef TTT_OPS_MSE_MSE_H
#define TTT_OPS_MSE_MSE_H

#include "ttt/graph/graph.h"

/* mean((x - target)^2) over all elements.
 *
 * x, target  f32, of one shape
 *
 * Returns (1).  Fails with TTT_SHAPE, naming both shapes, when they differ.
 */
ttt_tensor ttt_mse(ttt_graph *g, ttt_tensor x, ttt_tensor target);

#endif
