/* The operators "layernorm" and "layernorm_backward".
 *
 * layernorm
 * in   x (..., d); gain (d) or TTT_NONE; bias (d) or TTT_NONE
 * out  y (..., d); mean (rows); rstd (rows), which is 1 / sqrt(var + eps)
 *
 * layernorm_backward
 * in   x; gain or TTT_NONE; mean; rstd; dy (..., d); c (..., d), added to dx, or TTT_NONE
 * out  dx (..., d); dgain (d); dbias (d)
 *
 * x, dy and c are contiguous.  Builders leave c out; the planner puts it in (ttt_operator.absorb).
 */
#ifndef TTT_OPS_LAYERNORM_LAYERNORM_OPERATOR_H
#define TTT_OPS_LAYERNORM_LAYERNORM_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_layernorm_attributes {
    float eps;
};

extern const ttt_operator ttt_op_layernorm;
extern const ttt_operator ttt_op_layernorm_backward;
extern const ttt_implementation ttt_layernorm_cpu;
extern const ttt_implementation ttt_layernorm_backward_cpu;
extern const ttt_implementation ttt_layernorm_cuda;
extern const ttt_implementation ttt_layernorm_backward_cuda;

#endif
