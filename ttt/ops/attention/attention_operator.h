/* The operators "attention" and "attention_backward".
 *
 * attention           q (B, H, M, d), k (B, H, L, d), v (B, H, L, d)  ->  y (B, M, H, d), log_sum (B, H, M)
 * attention_backward  q, k, v, y, log_sum, dy (B, M, H, d)
 *                     ->  dq (B, M, H, d), dk (B, L, H, d), dv (B, L, H, d)
 *
 * log_sum is log(sum over keys of exp(q . k / sqrt(d))).  q, k, v, dy, dq, dk and dv have rows of unit
 * stride.
 */
#ifndef TTT_OPS_ATTENTION_ATTENTION_OPERATOR_H
#define TTT_OPS_ATTENTION_ATTENTION_OPERATOR_H

#include "ttt/graph/operator.h"

/* A row that calls cuDNN: not there in builds without. */
#ifdef TTT_HAVE_CUDNN
#define TTT_CUDNN_ROW(row) row,
#else
#define TTT_CUDNN_ROW(row)
#endif

extern const ttt_operator ttt_op_attention;
extern const ttt_operator ttt_op_attention_backward;
extern const ttt_implementation ttt_attention_cpu;
extern const ttt_implementation ttt_attention_backward_cpu;
extern const ttt_implementation ttt_attention_cudnn;
extern const ttt_implementation ttt_attention_backward_cudnn;
extern const ttt_implementation ttt_attention_cuda;
extern const ttt_implementation ttt_attention_backward_cuda;
extern const ttt_implementation ttt_attention_cuda_mma;
extern const ttt_implementation ttt_attention_backward_cuda_mma;
extern const ttt_implementation ttt_attention_hopper;
extern const ttt_implementation ttt_attention_backward_hopper;

#endif
