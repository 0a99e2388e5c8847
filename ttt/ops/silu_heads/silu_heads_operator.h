/* The operators "silu_heads" and "silu_heads_backward".
 *
 * silu_heads           x (B, L, P H d)                                    ->  y[p] (B, L, H, d) for p < P
 * silu_heads_backward  x, dy[p] (B, L, H, d) or none for 0, for p < P     ->  dx (B, L, P H d)
 *
 * x is contiguous, dy has rows of unit stride; outputs other than the first are NULL where nobody reads them.
 */
#ifndef TTT_OPS_SILU_HEADS_SILU_HEADS_OPERATOR_H
#define TTT_OPS_SILU_HEADS_SILU_HEADS_OPERATOR_H

#include "ttt/graph/operator.h"
#include "ttt/ops/silu_heads/silu_heads.h"

struct ttt_silu_heads_attributes {
    int64_t heads;
    int parts, units;
    float eps;
};

extern const ttt_operator ttt_op_silu_heads;
extern const ttt_operator ttt_op_silu_heads_backward;
extern const ttt_implementation ttt_silu_heads_cpu;
extern const ttt_implementation ttt_silu_heads_backward_cpu;
extern const ttt_implementation ttt_silu_heads_cuda;
extern const ttt_implementation ttt_silu_heads_backward_cuda;

#endif
