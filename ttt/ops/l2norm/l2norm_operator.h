/* The operators "l2norm" and "l2norm_backward", over groups of as many elements as the last `dimensions`
 * dimensions have.
 *
 * l2norm           x (groups, n)                                    ->  y (groups, n), norms (groups)
 * l2norm_backward  y (groups, n), norms (groups), dy (groups, n)    ->  dx (groups, n)
 *
 * All are contiguous; norms, before eps is added, are f32.
 */
#ifndef TTT_OPS_L2NORM_L2NORM_OPERATOR_H
#define TTT_OPS_L2NORM_L2NORM_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_l2norm_attributes {
    int dimensions;
    float eps;
};

/* n */
int64_t ttt_l2norm_length(const ttt_launch *launch);

extern const ttt_operator ttt_op_l2norm;
extern const ttt_operator ttt_op_l2norm_backward;
extern const ttt_implementation ttt_l2norm_cpu;
extern const ttt_implementation ttt_l2norm_backward_cpu;
extern const ttt_implementation ttt_l2norm_cuda;
extern const ttt_implementation ttt_l2norm_backward_cuda;

#endif
