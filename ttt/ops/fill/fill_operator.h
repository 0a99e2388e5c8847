/* The operator "fill": no inputs, output 0 of any shape. */
#ifndef TTT_OPS_FILL_FILL_OPERATOR_H
#define TTT_OPS_FILL_FILL_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_fill_attributes {
    float value;
};

extern const ttt_operator ttt_op_fill;
extern const ttt_implementation ttt_fill_cpu;
extern const ttt_implementation ttt_fill_cuda;

#endif
