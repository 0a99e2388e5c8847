/* The operator "linear" and its rows.
 *
 * in   x (rows, in) with rows of unit stride; weight (out, in), contiguous; bias (out) or TTT_NONE;
 *      c (rows, out), contiguous, or TTT_NONE
 * out  y (rows, out); with an activation also the value before it, (rows, out)
 *
 * y = activation(x weight^T + bias) + c.  Builders leave c out; the planner puts it in (ttt_operator.absorb).
 */
#ifndef TTT_OPS_LINEAR_LINEAR_ROWS_H
#define TTT_OPS_LINEAR_LINEAR_ROWS_H

#include "ttt/graph/operator.h"
#include "ttt/ops/linear/linear.h"

struct ttt_linear_attributes {
    ttt_activation activation;
    bool adds; /* c is there; only without an activation */
};

extern const ttt_operator ttt_op_linear;
extern const ttt_implementation ttt_linear_cpu; /* our own kernel; bias and activation in cache */
extern const ttt_implementation ttt_linear_cblas;

/* What is done to a block of sums while it is in cache. */
struct ttt_linear_epilogue {
    ttt_activation activation;
    const float *c;    /* added; NULL: nothing is */
    const float *sums; /* y itself when nobody reads them */
    float *y;
    int64_t out; /* row stride of all three, in elements */
};

struct ttt_linear_epilogue ttt_linear_epilogue_of(const ttt_launch *launch);

/* Finishes rows row ... row + rows of columns column ... column + columns. */
void ttt_linear_finish(const struct ttt_linear_epilogue *epilogue, int64_t row, int64_t rows, int64_t column,
                       int64_t columns);

#endif
