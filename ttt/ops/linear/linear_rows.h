/* The operator "linear" and its rows.
 *
 * in   x (rows, in) with rows of unit stride; weight (out, in), contiguous; bias (out) or TTT_NONE
 * out  y (rows, out); with an activation also the value before it, (rows, out)
 */
#ifndef TTT_OPS_LINEAR_LINEAR_ROWS_H
#define TTT_OPS_LINEAR_LINEAR_ROWS_H

#include "ttt/graph/operator.h"
#include "ttt/ops/linear/linear.h"

struct ttt_linear_attributes {
    ttt_activation activation;
};

extern const ttt_operator ttt_op_linear;
extern const ttt_implementation ttt_linear_cpu; /* our own kernel; bias and activation in cache */
extern const ttt_implementation ttt_linear_cblas;

/* y = activation(x) for `rows` rows of `columns` elements, `stride` elements apart in both.  x may be y. */
void ttt_linear_activate(ttt_activation activation, int64_t rows, int64_t columns, const float *x, float *y,
                         int64_t stride);

#endif
