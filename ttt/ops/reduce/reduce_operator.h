/* The operator "sum": input x, output 0 of x's rank with size 1 in the summed dimensions. */
#ifndef TTT_OPS_REDUCE_REDUCE_OPERATOR_H
#define TTT_OPS_REDUCE_REDUCE_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_sum_attributes {
    unsigned dimensions; /* bit i: dimension i is summed */
    float factor;        /* the sum is multiplied by it: 1/n for a mean */
};

extern const ttt_operator ttt_op_sum;
extern const ttt_implementation ttt_sum_cpu;
extern const ttt_implementation ttt_sum_cuda;

#endif
