/* The operator "swiglu" and its rows.
 *
 * in   x (..., L, d), w_gate, w_up (..., d, m), contiguous, x's matrices each with its own or all with one;
 *      rate (..., L, 1), any strides, f32; or TTT_NONE
 * out  y, gate, up (..., L, m), contiguous
 */
#ifndef TTT_OPS_SWIGLU_SWIGLU_OPERATOR_H
#define TTT_OPS_SWIGLU_SWIGLU_OPERATOR_H

#include "ttt/graph/operator.h"

enum { SWIGLU_X, SWIGLU_W_GATE, SWIGLU_W_UP, SWIGLU_RATE, SWIGLU_INPUTS };
enum { SWIGLU_Y, SWIGLU_GATE, SWIGLU_UP, SWIGLU_OUTPUTS };

extern const ttt_operator ttt_op_swiglu;
extern const ttt_implementation ttt_swiglu_hopper; /* gate and up side by side in the tensor cores' sums */
extern const ttt_implementation ttt_swiglu_cublas; /* two products, and a pass over both */

/* What a launch is about: `matrices` of `rows` tokens, weights (d, m). */
typedef struct ttt_swiglu_size {
    int64_t matrices, rows, d, m;
    bool shared; /* one pair of weights for all */
} ttt_swiglu_size;

ttt_swiglu_size ttt_swiglu_size_of(const ttt_launch *launch);

/* Where the rates lie: of matrix i and row r at data + i / heads * sample + i % heads * head + r * row; data
 * is NULL for 1. */
typedef struct ttt_swiglu_rates {
    const float *data;
    int64_t heads, sample, head, row; /* strides in elements */
} ttt_swiglu_rates;

ttt_swiglu_rates ttt_swiglu_rates_of(const ttt_launch *launch);

/* y = rate silu(gate) up, on CUDA; f32 or bf16, each on its own. */
ttt_status ttt_swiglu_finish(const ttt_launch *launch, const ttt_operand *gate, const ttt_operand *up,
                             const ttt_operand *y);

#endif
