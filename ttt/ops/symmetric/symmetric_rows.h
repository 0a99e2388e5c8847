/* The operator "symmetric" and its rows.
 *
 * in   a, b (..., N, K), contiguous; b may be TTT_NONE; c, as y, contiguous, or TTT_NONE
 * out  y (..., N, N) = alpha a a^T + beta c + shift I, or alpha (a b^T + b a^T) + beta c + shift I
 *
 * Builders leave out c; the planner gives it (ttt_operator.absorb), and it need not be symmetric.
 */
#ifndef TTT_OPS_SYMMETRIC_SYMMETRIC_ROWS_H
#define TTT_OPS_SYMMETRIC_SYMMETRIC_ROWS_H

#include "ttt/graph/operator.h"

struct ttt_symmetric_attributes {
    float alpha, beta; /* beta is 0 unless c is added */
    float shift;       /* of the diagonal */
};

extern const ttt_operator ttt_op_symmetric;
extern const ttt_implementation ttt_symmetric_cpu; /* our own kernel, mirrored while in cache */
extern const ttt_implementation ttt_symmetric_cblas;
extern const ttt_implementation ttt_symmetric_hopper; /* squares on or below the diagonal */
extern const ttt_implementation ttt_symmetric_cublas; /* whole products; of two operands, made symmetric */

/* What a launch is about: `batches` times n rows of k elements. */
struct ttt_symmetric_size {
    int64_t batches, n, k;
};
struct ttt_symmetric_size ttt_symmetric_size_of(const ttt_launch *launch);

/* One matrix of a launch in f32. */
struct ttt_symmetric_matrix {
    const float *a, *b, *c; /* (n, k), (n, k), (n, n); b, c: NULL where there are none */
    bool y_is_symmetric;    /* as c is, or there is none */
    float *y;               /* (n, n) */
    int64_t n, k;
    float alpha, beta, shift;
};
struct ttt_symmetric_matrix ttt_symmetric_matrix_of(const ttt_launch *launch, int64_t batch);

#endif
