/* The operator "copy": input x, output y, both of x's shape; no attributes. */
#ifndef TTT_OPS_COPY_COPY_OPERATOR_H
#define TTT_OPS_COPY_COPY_OPERATOR_H

#include "ttt/graph/operator.h"

extern const ttt_implementation ttt_copy_cpu;
extern const ttt_implementation ttt_copy_cuda;

#endif
