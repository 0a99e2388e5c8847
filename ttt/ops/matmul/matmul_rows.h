/* The operator "matmul" and its rows. */
#ifndef TTT_OPS_MATMUL_MATMUL_ROWS_H
#define TTT_OPS_MATMUL_MATMUL_ROWS_H

#include "ttt/graph/operator.h"

extern const ttt_operator ttt_op_matmul;
extern const ttt_implementation ttt_matmul_small;  /* small matrices: own kernel, no call overhead */
extern const ttt_implementation ttt_matmul_packed; /* large matrices: own kernel, packed operands */
extern const ttt_implementation ttt_matmul_cblas;

#endif
