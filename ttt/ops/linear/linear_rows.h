/* The operators "linear" and "weight_gradient" and their rows.
 *
 * linear
 * in   x (rows, in) with rows of unit stride; weight (out, in), contiguous; bias (out) or TTT_NONE;
 *      c (rows, out), contiguous, or TTT_NONE
 * out  y (rows, out); with an activation also the value before it, (rows, out)
 *
 * y = activation(x weight^T + bias) + c.  Builders leave c out; the planner puts it in (ttt_operator.absorb).
 *
 * weight_gradient
 * in   d (rows, out); x (rows, in); rows of unit stride
 * out  d^T x (out, in); the sum of d's rows (out), of which the data is NULL when nothing reads it
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
extern const ttt_implementation ttt_linear_skinny; /* few outputs, in bf16 */
extern const ttt_implementation ttt_linear_hopper;
extern const ttt_implementation ttt_linear_cuda;

extern const ttt_operator ttt_op_weight_gradient;
extern const ttt_implementation ttt_weight_gradient_cpu; /* our own kernel; d is summed while it is packed */
extern const ttt_implementation ttt_weight_gradient_cblas;
extern const ttt_implementation ttt_weight_gradient_skinny; /* few outputs */
extern const ttt_implementation ttt_weight_gradient_cuda;

/* The gradients of a linear layer's weight (out, in) and bias (out), d (rows, out) being that of its sums and
 * x (rows, in) its input.  The order of summation does not depend on the number of threads. */
void ttt_weight_gradient(ttt_graph *g, ttt_tensor d, ttt_tensor x, ttt_tensor *weight, ttt_tensor *bias);

/* x as a (rows, in) matrix whose rows have unit stride and do not overlap. */
ttt_tensor ttt_linear_matrix(ttt_graph *g, ttt_tensor x);

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
