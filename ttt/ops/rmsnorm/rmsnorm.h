/* Root-mean-square normalisation. */
#ifndef TTT_OPS_RMSNORM_RMSNORM_H
#define TTT_OPS_RMSNORM_RMSNORM_H

#include "ttt/graph/graph.h"

/* For eps: the machine epsilon of x's type, 2^-23 for f32 and 2^-7 for bf16. */
#define TTT_EPS_OF_TYPE (-1.0F)

/* y = x / sqrt(mean(x^2) + eps) * gain, over the last dimension.
 *
 * x      (..., d)  f32, any strides; copied first unless its rows are of unit stride
 * gain   (d)       f32, or TTT_NONE for 1
 * eps    > 0, added to the mean square; or TTT_EPS_OF_TYPE
 *
 * Returns y, shaped and typed as x, contiguous.  Fails with TTT_SHAPE when gain does not match x's last
 * dimension, with TTT_ARGUMENT for another eps.
 * Zhang, Sennrich, "Root mean square layer normalization", 2019.
 */
ttt_tensor ttt_rmsnorm(ttt_graph *g, ttt_tensor x, ttt_tensor gain, float eps);

#endif
