/* Matrix products over batches of strided matrices. */
#ifndef TTT_OPS_MATMUL_MATMUL_H
#define TTT_OPS_MATMUL_MATMUL_H

#include "ttt/graph/graph.h"

/* y = a b in the last two dimensions; the dimensions before them broadcast as in NumPy.
 *
 * a  (..., M, K)  f32; any strides, but one of the last two must be 1 (else it is copied first)
 * b  (..., K, N)  likewise
 *
 * Returns (..., M, N), contiguous.  Fails with TTT_SHAPE when K or the batch dimensions do not fit.
 * Transposes are views: ttt_transpose(g, a, -1, -2).
 */
ttt_tensor ttt_matmul(ttt_graph *g, ttt_tensor a, ttt_tensor b);

/* As ttt_matmul, with the products summed over each batch dimension that is 1 in `batch` though not in the
 * operands. It is the gradient of a broadcast operand: batch (1, H) for a (B, H, M, K), b (B, H, K, N) gives
 * (1, H, M, N), the sum over B.  The order of summation does not depend on the number of threads.
 *
 * batch  the leading dimensions of the result, as many as the operands' broadcast batch has.
 */
ttt_tensor ttt_matmul_sum(ttt_graph *g, ttt_tensor a, ttt_tensor b, ttt_shape batch);

#endif
