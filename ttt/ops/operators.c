/* The list of operators, in alphabetical order. */
#include "ttt/ops/operators.h"

extern const ttt_operator ttt_op_accumulate, ttt_op_adamw, ttt_op_clear, ttt_op_concat, ttt_op_conv3x3,
    ttt_op_conv3x3_kernel_gradient, ttt_op_copy, ttt_op_cross_entropy, ttt_op_cross_entropy_backward,
    ttt_op_drop_path, ttt_op_fill, ttt_op_gradient_norm, ttt_op_layernorm, ttt_op_layernorm_backward,
    ttt_op_linear, ttt_op_matmul, ttt_op_moving_average, ttt_op_patches, ttt_op_pointwise, ttt_op_sum,
    ttt_op_unpatches;

const ttt_operator *const ttt_operators[] = {
    &ttt_op_accumulate,
    &ttt_op_adamw,
    &ttt_op_clear,
    &ttt_op_concat,
    &ttt_op_conv3x3,
    &ttt_op_conv3x3_kernel_gradient,
    &ttt_op_copy,
    &ttt_op_cross_entropy,
    &ttt_op_cross_entropy_backward,
    &ttt_op_drop_path,
    &ttt_op_fill,
    &ttt_op_gradient_norm,
    &ttt_op_layernorm,
    &ttt_op_layernorm_backward,
    &ttt_op_linear,
    &ttt_op_matmul,
    &ttt_op_moving_average,
    &ttt_op_patches,
    &ttt_op_pointwise,
    &ttt_op_sum,
    &ttt_op_unpatches,
    NULL,
};
