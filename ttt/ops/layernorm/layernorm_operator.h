/* The operators "layernorm" and "layernorm_backward".
 *
 * layernorm:           x (..., d), gain (d) or none, bias (d) or none  ->  y (..., d), mean (rows), rstd
 * (rows) layernorm_backward:  x, gain or none, mean, rstd, dy (..., d)        ->  dx (..., d), dgain (d),
 * dbias (d)
 *
 * rstd is 1 / sqrt(var + eps).  x and dy are contiguous.
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
