/* The operator "concat": inputs are the parts, output 0 is the joined tensor. */
#ifndef TTT_OPS_CONCAT_CONCAT_OPERATOR_H
#define TTT_OPS_CONCAT_CONCAT_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_concat_attributes {
    int dimension; /* counted from the front */
};

extern const ttt_operator ttt_op_concat;
extern const ttt_implementation ttt_concat_cpu;
extern const ttt_implementation ttt_concat_cuda;

#endif
