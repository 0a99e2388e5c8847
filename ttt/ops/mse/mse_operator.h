/* The operator "mse": inputs x and target, contiguous; output (1). */
#ifndef TTT_OPS_MSE_MSE_OPERATOR_H
#define TTT_OPS_MSE_MSE_OPERATOR_H

#include "ttt/graph/operator.h"

extern const ttt_operator ttt_op_mse;
extern const ttt_implementation ttt_mse_cpu;
extern const ttt_implementation ttt_mse_cuda;

#endif
