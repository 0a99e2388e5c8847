/* The operators "weight_norm" and "weight_norm_backward".
 *
 * weight_norm           step (b, n, m), w (b', n, m), norm (b'', m)            ->  y (b, n, m), was (b, m),
 *                                                                                  y (b, n, m) again
 * weight_norm_backward  y (b, n, m), was (b, m), norm (b'', m), dy (b, n, m)   ->  dstep (b, n, m)
 *
 * b are all dimensions before the last two; matrix i goes with matrix i % b' of w and row i % b'' of norm.
 * All are contiguous, but for step of weight_norm, which may be transposed: (b, m, n) in memory.  The second
 * y is in bf16 and read where the first is in f32; w, norm and was, the columns' norms before, are f32.
 */
#ifndef TTT_OPS_WEIGHT_NORM_WEIGHT_NORM_OPERATOR_H
#define TTT_OPS_WEIGHT_NORM_WEIGHT_NORM_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_weight_norm_attributes {
    float sign, eps;
};

/* b, n, m */
struct ttt_matrices {
    int64_t count, rows, columns;
};
struct ttt_matrices ttt_weight_norm_matrices(const ttt_launch *launch);

/* Whether step is transposed; and supports(): whether all operands lie as above. */
bool ttt_weight_norm_is_transposed(const ttt_operand *step);
bool ttt_weight_norm_laid_out(const ttt_launch *launch, const char **why);

extern const ttt_operator ttt_op_weight_norm;
extern const ttt_operator ttt_op_weight_norm_backward;
extern const ttt_implementation ttt_weight_norm_cpu;
extern const ttt_implementation ttt_weight_norm_backward_cpu;
extern const ttt_implementation ttt_weight_norm_cuda;
extern const ttt_implementation ttt_weight_norm_backward_cuda;

#endif
