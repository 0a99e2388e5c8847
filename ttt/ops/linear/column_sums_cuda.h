/* Sums over the rows of a matrix, on CUDA. */
#ifndef TTT_OPS_LINEAR_COLUMN_SUMS_CUDA_H
#define TTT_OPS_LINEAR_COLUMN_SUMS_CUDA_H

#include "ttt/graph/operator.h"

/* sums (columns), f32 = the sum of the rows of x (rows, columns), f32 or bf16, rows of unit stride.
 * The order of summation follows from the shape alone. */
ttt_status ttt_cuda_column_sums(const ttt_launch *launch, const ttt_operand *x, float *sums, void *workspace);

/* Bytes of the workspace. */
size_t ttt_cuda_column_sums_workspace(const ttt_operand *x);

#endif
