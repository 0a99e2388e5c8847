/* Stochastic depth: whole samples lose a residual branch at random. */
#ifndef TTT_OPS_DROP_PATH_DROP_PATH_H
#define TTT_OPS_DROP_PATH_DROP_PATH_H

#include "ttt/graph/graph.h"

/* Factors to multiply a branch with: 0 with probability `rate`, else 1 / (1 - rate).
 *
 * step   (1) i32: the training step, an input or variable
 * Sample i of a step is drawn from Philox (seed, TTT_RANDOM_DROP_PATH, step, layer): its i-th uniform.
 *
 * Returns (batch, 1, ..., 1) of the given rank.  Fails with TTT_ARGUMENT unless 0 <= rate < 1.
 * Huang et al., "Deep Networks with Stochastic Depth", 2016.
 */
ttt_tensor ttt_drop_path(ttt_graph *g, ttt_tensor step, int64_t batch, int rank, float rate, uint64_t seed,
                         uint32_t layer);

#endif
