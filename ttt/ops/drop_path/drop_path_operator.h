/* The operator "drop_path": input step (1) i32, output 0: factors (batch, 1, ..., 1) f32. */
#ifndef TTT_OPS_DROP_PATH_DROP_PATH_OPERATOR_H
#define TTT_OPS_DROP_PATH_DROP_PATH_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_drop_path_attributes {
    uint64_t seed;
    uint32_t layer;
    float rate; /* probability of 0 */
};

extern const ttt_operator ttt_op_drop_path;
extern const ttt_implementation ttt_drop_path_cpu;
extern const ttt_implementation ttt_drop_path_cuda;

#endif
