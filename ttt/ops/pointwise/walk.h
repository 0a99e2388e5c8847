/* How a pointwise node's operands are walked. */
#ifndef TTT_OPS_POINTWISE_WALK_H
#define TTT_OPS_POINTWISE_WALK_H

#include "ttt/ops/pointwise/program.h"

/* The output's dimensions, merged where all operands allow it; strides of each input in elements. */
struct pointwise_walk {
    int rank; /* at least 1 */
    int64_t size[TTT_MAX_RANK];
    int64_t stride[POINTWISE_MOST_INPUTS][TTT_MAX_RANK];
    bool in_order[POINTWISE_MOST_INPUTS]; /* laid out as the output is */
};

struct pointwise_walk pointwise_walk_of(const ttt_launch *launch);

#endif
