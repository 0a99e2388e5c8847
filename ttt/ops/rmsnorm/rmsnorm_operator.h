/* The operators "rmsnorm" and "rmsnorm_backward".
 *
 * rmsnorm           x (..., d), gain (d) or none                  ->  y (..., d), rrms (rows)
 * rmsnorm_backward  x, gain or none, rrms (rows), dy (..., d)     ->  dx (..., d), dgain (d)
 *
 * rrms is 1 / sqrt(mean(x^2) + eps).  x, dy and dx have rows of unit stride; gain is contiguous.
 */
#ifndef TTT_OPS_RMSNORM_RMSNORM_OPERATOR_H
#define TTT_OPS_RMSNORM_RMSNORM_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_rmsnorm_attributes {
    float eps;
};

extern const ttt_operator ttt_op_rmsnorm;
extern const ttt_operator ttt_op_rmsnorm_backward;
extern const ttt_implementation ttt_rmsnorm_cpu;
extern const ttt_implementation ttt_rmsnorm_backward_cpu;
extern const ttt_implementation ttt_rmsnorm_cuda;
extern const ttt_implementation ttt_rmsnorm_backward_cuda;

#endif
