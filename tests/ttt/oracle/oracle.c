/* The table of oracles: one line per operator. */
#include "tests/ttt/oracle/oracle.h"

#include <string.h>

extern const struct op_test oracle_accumulate;
extern const struct op_test oracle_adamw;
extern const struct op_test oracle_add_slice;
extern const struct op_test oracle_attention;
extern const struct op_test oracle_attention_backward;
extern const struct op_test oracle_clear;
extern const struct op_test oracle_concat;
extern const struct op_test oracle_conv3x3;
extern const struct op_test oracle_conv3x3_kernel_gradient;
extern const struct op_test oracle_copy;
extern const struct op_test oracle_cross_entropy;
extern const struct op_test oracle_cross_entropy_backward;
extern const struct op_test oracle_drop_path;
extern const struct op_test oracle_fill;
extern const struct op_test oracle_gradient_norm;
extern const struct op_test oracle_l2norm;
extern const struct op_test oracle_l2norm_backward;
extern const struct op_test oracle_layernorm;
extern const struct op_test oracle_layernorm_backward;
extern const struct op_test oracle_linear;
extern const struct op_test oracle_matmul;
extern const struct op_test oracle_matmul_pair;
extern const struct op_test oracle_mse;
extern const struct op_test oracle_patches;
extern const struct op_test oracle_pointwise;
extern const struct op_test oracle_rays;
extern const struct op_test oracle_rmsnorm;
extern const struct op_test oracle_rmsnorm_backward;
extern const struct op_test oracle_silu_heads;
extern const struct op_test oracle_silu_heads_backward;
extern const struct op_test oracle_sum;
extern const struct op_test oracle_swiglu;
extern const struct op_test oracle_symmetric;
extern const struct op_test oracle_unpatches;
extern const struct op_test oracle_vittt_inner;
extern const struct op_test oracle_vittt_inner_backward;
extern const struct op_test oracle_weight_gradient;
extern const struct op_test oracle_weight_norm;
extern const struct op_test oracle_weight_norm_backward;

static const struct op_test *const oracles[] = {
    &oracle_accumulate,
    &oracle_adamw,
    &oracle_add_slice,
    &oracle_attention,
    &oracle_attention_backward,
    &oracle_clear,
    &oracle_concat,
    &oracle_conv3x3,
    &oracle_conv3x3_kernel_gradient,
    &oracle_copy,
    &oracle_cross_entropy,
    &oracle_cross_entropy_backward,
    &oracle_drop_path,
    &oracle_fill,
    &oracle_gradient_norm,
    &oracle_l2norm,
    &oracle_l2norm_backward,
    &oracle_layernorm,
    &oracle_layernorm_backward,
    &oracle_linear,
    &oracle_matmul,
    &oracle_matmul_pair,
    &oracle_mse,
    &oracle_patches,
    &oracle_pointwise,
    &oracle_rays,
    &oracle_rmsnorm,
    &oracle_rmsnorm_backward,
    &oracle_silu_heads,
    &oracle_silu_heads_backward,
    &oracle_sum,
    &oracle_swiglu,
    &oracle_symmetric,
    &oracle_unpatches,
    &oracle_vittt_inner,
    &oracle_vittt_inner_backward,
    &oracle_weight_gradient,
    &oracle_weight_norm,
    &oracle_weight_norm_backward,
    NULL,
};

const struct op_test *oracle_at(int i)
{
    return oracles[i];
}

const struct op_test *oracle_find(const char *op)
{
    for (int i = 0; oracles[i]; i++)
        if (!strcmp(oracles[i]->op, op))
            return oracles[i];
    return NULL;
}

int64_t op_elements(const struct op_input *input)
{
    int64_t count = 1;
    for (int d = 0; d < input->shape.rank; d++)
        count *= input->shape.size[d];
    return count;
}
