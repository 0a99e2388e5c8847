/* The operator "matmul" and its rows.
 *
 * in   a (..., M, K); b (..., K, N); c, as many elements as y in the same order, contiguous, or TTT_NONE
 * out  y (..., M, N)
 *
 * Builders make plain products; the planner gives them c and a finish (ttt_operator.absorb).
 */
#ifndef TTT_OPS_MATMUL_MATMUL_ROWS_H
#define TTT_OPS_MATMUL_MATMUL_ROWS_H

#include "ttt/graph/operator.h"
#include "ttt/ops/matmul/panel.h"

/* What is done to a product before it is written. */
enum ttt_matmul_finish {
    TTT_MATMUL_PLAIN,     /* y = alpha (a b) */
    TTT_MATMUL_ADD,       /* y = alpha (a b) + beta c */
    TTT_MATMUL_GELU_GRAD, /* y = alpha (a b) gelu'(c) */
    TTT_MATMUL_SILU_GRAD, /* y = alpha (a b) silu'(c) */
};

struct ttt_matmul_attributes {
    enum ttt_matmul_finish finish;
    float alpha, beta; /* beta is 0 unless c is added */
};

extern const ttt_operator ttt_op_matmul;
extern const ttt_implementation ttt_matmul_small;  /* small matrices: own kernel, no call overhead */
extern const ttt_implementation ttt_matmul_packed; /* large matrices: own kernel, packed operands */
extern const ttt_implementation ttt_matmul_cblas;
extern const ttt_implementation ttt_matmul_skinny; /* sums of few terms */
extern const ttt_implementation ttt_matmul_tensor; /* small matrices in bf16, by one launch */
extern const ttt_implementation ttt_matmul_cublas; /* as few calls of cuBLASLt as the strides allow */
extern const ttt_implementation ttt_matmul_cuda;   /* own kernel: anything */

/* A matrix of sums that are finished in place. */
struct ttt_matmul_epilogue {
    const struct ttt_matmul_attributes *attributes;
    const float *c; /* laid out as y; NULL where the finish reads none */
    float *y;
    int64_t n; /* from row to row of both */
};

/* What finishes it, given the epilogue as context; NULL where there is nothing to finish. */
ttt_panel_finish *ttt_matmul_finisher(const struct ttt_matmul_epilogue *epilogue);

#endif
