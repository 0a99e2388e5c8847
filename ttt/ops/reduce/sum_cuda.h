/* Sums on CUDA, for the operators that need one on the way. */
#ifndef TTT_OPS_REDUCE_SUM_CUDA_H
#define TTT_OPS_REDUCE_SUM_CUDA_H

#include "ttt/ops/reduce/layout.h"

/* y, f32 = the sum of x, f32 or bf16, as the layout says.  The order of summation follows from the layout
 * alone. */
ttt_status ttt_cuda_sum(const ttt_launch *launch, const struct ttt_sum_layout *layout, const ttt_operand *x,
                        float *y, void *workspace);

/* Bytes of the workspace, for x of this type. */
size_t ttt_cuda_sum_workspace(const struct ttt_sum_layout *layout, ttt_dtype dtype);

/* The sum of the rows of a matrix x (rows, columns), to y (columns). */
struct ttt_sum_layout ttt_sum_of_rows(const ttt_operand *x);

#endif
