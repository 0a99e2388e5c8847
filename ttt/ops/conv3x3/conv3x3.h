/* Depthwise 3x3 convolution in token layout, with stride 1 and zero padding, and its kernel gradient.
 *
 * With T(x, k, y) = sum over b, i, j, c and taps (u, v) of x[b, i+u-1, j+v-1, c] k[c, u, v] y[b, i, j, c],
 * the three gradients of T are the three operations here, so they are closed under differentiation.
 */
#ifndef TTT_OPS_CONV3X3_CONV3X3_H
#define TTT_OPS_CONV3X3_CONV3X3_H

#include "ttt/graph/graph.h"

/* y[b, i, j, c] = bias[c] + sum over u, v in 0..2 of x[b, i+u-1, j+v-1, c] * kernel[(b,) c, u, v]; x is 0
 * outside.
 *
 * x       (B, h, w, C)              f32, channels of unit stride (any strides in front of them)
 * kernel  (C, 3, 3) or (B, C, 3, 3) f32: shared by the batch, or one for each sample
 * bias    (C)                       f32, or TTT_NONE
 *
 * Returns (B, h, w, C), contiguous.  Fails with TTT_SHAPE when kernel or bias does not match.
 */
ttt_tensor ttt_conv3x3(ttt_graph *g, ttt_tensor x, ttt_tensor kernel, ttt_tensor bias);

/* x + ttt_conv3x3(g, x, kernel, bias), in one pass. */
ttt_tensor ttt_conv3x3_residual(ttt_graph *g, ttt_tensor x, ttt_tensor kernel, ttt_tensor bias);

/* d T / d kernel: k[(b,) c, u, v] = sum over (b,) i, j of x[b, i+u-1, j+v-1, c] * y[b, i, j, c].
 *
 * x, y        (B, h, w, C)  f32, channels of unit stride
 * per_sample  returns (B, C, 3, 3); else (C, 3, 3), summed over the batch in a fixed order
 */
ttt_tensor ttt_conv3x3_kernel_gradient(ttt_graph *g, ttt_tensor x, ttt_tensor y, bool per_sample);

#endif
