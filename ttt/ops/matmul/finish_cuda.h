/* Pointwise work before and after a product on CUDA, where the library's epilogues do not serve.
 *
 * Matrices lie without gaps and are f32 or bf16, each on its own.
 */
#ifndef TTT_OPS_MATMUL_FINISH_CUDA_H
#define TTT_OPS_MATMUL_FINISH_CUDA_H

#include "ttt/graph/operator.h"

/* y (rows, columns) = bias (columns) + c, for a product to be added to; without data they count as 0. */
ttt_status ttt_cuda_start(const ttt_launch *launch, const ttt_operand *bias, const ttt_operand *c,
                          const ttt_operand *y, int64_t rows, int64_t columns);

enum ttt_finish {
    TTT_FINISH_GELU,      /* y = gelu(x), exact */
    TTT_FINISH_SILU,      /* y = silu(x) */
    TTT_FINISH_GELU_GRAD, /* y = y gelu'(x) */
    TTT_FINISH_SILU_GRAD, /* y = y silu'(x) */
};

/* For all elements of y.  x may be y. */
ttt_status ttt_cuda_finish(const ttt_launch *launch, enum ttt_finish finish, const ttt_operand *x,
                           const ttt_operand *y);

#endif
