/* The operators "cross_entropy" and "cross_entropy_backward".
 *
 * cross_entropy:           logits (B, K), target (B, K)                      ->  loss (1), probabilities (B,
 * K) cross_entropy_backward:  probabilities (B, K), target (B, K), dloss (1)    ->  dlogits (B, K)
 *
 * Neither has attributes; all operands are contiguous.
 */
#ifndef TTT_OPS_CROSS_ENTROPY_CROSS_ENTROPY_OPERATOR_H
#define TTT_OPS_CROSS_ENTROPY_CROSS_ENTROPY_OPERATOR_H

#include "ttt/graph/operator.h"

extern const ttt_operator ttt_op_cross_entropy;
extern const ttt_operator ttt_op_cross_entropy_backward;
extern const ttt_implementation ttt_cross_entropy_cpu;
extern const ttt_implementation ttt_cross_entropy_backward_cpu;
extern const ttt_implementation ttt_cross_entropy_cuda;
extern const ttt_implementation ttt_cross_entropy_backward_cuda;

#endif
