/* The list of operators, in alphabetical order. */
#include "ttt/ops/operators.h"

#include <stdio.h>
#include <string.h>

extern const ttt_operator ttt_op_accumulate, ttt_op_adamw, ttt_op_add_slice, ttt_op_attention,
    ttt_op_attention_backward, ttt_op_clear, ttt_op_concat, ttt_op_conv3x3, ttt_op_conv3x3_kernel_gradient,
    ttt_op_copy, ttt_op_cross_entropy, ttt_op_cross_entropy_backward, ttt_op_drop_path, ttt_op_fill,
    ttt_op_gradient_norm, ttt_op_l2norm, ttt_op_l2norm_backward, ttt_op_layernorm, ttt_op_layernorm_backward,
    ttt_op_linear, ttt_op_matmul, ttt_op_matmul_pair, ttt_op_mse, ttt_op_patches, ttt_op_pointwise,
    ttt_op_rays, ttt_op_rmsnorm, ttt_op_rmsnorm_backward, ttt_op_silu_heads, ttt_op_silu_heads_backward,
    ttt_op_sum, ttt_op_swiglu, ttt_op_symmetric, ttt_op_unpatches, ttt_op_vittt_inner,
    ttt_op_vittt_inner_backward, ttt_op_weight_gradient, ttt_op_weight_norm, ttt_op_weight_norm_backward;

const ttt_operator *const ttt_operators[] = {
    &ttt_op_accumulate,
    &ttt_op_adamw,
    &ttt_op_add_slice,
    &ttt_op_attention,
    &ttt_op_attention_backward,
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
    &ttt_op_l2norm,
    &ttt_op_l2norm_backward,
    &ttt_op_layernorm,
    &ttt_op_layernorm_backward,
    &ttt_op_linear,
    &ttt_op_matmul,
    &ttt_op_matmul_pair,
    &ttt_op_mse,
    &ttt_op_patches,
    &ttt_op_pointwise,
    &ttt_op_rays,
    &ttt_op_rmsnorm,
    &ttt_op_rmsnorm_backward,
    &ttt_op_silu_heads,
    &ttt_op_silu_heads_backward,
    &ttt_op_sum,
    &ttt_op_swiglu,
    &ttt_op_symmetric,
    &ttt_op_unpatches,
    &ttt_op_vittt_inner,
    &ttt_op_vittt_inner_backward,
    &ttt_op_weight_gradient,
    &ttt_op_weight_norm,
    &ttt_op_weight_norm_backward,
    NULL,
};

static const ttt_operator *find_operator(const char *name, size_t length)
{
    for (int i = 0; ttt_operators[i]; i++)
        if (strlen(ttt_operators[i]->name) == length && !strncmp(ttt_operators[i]->name, name, length))
            return ttt_operators[i];
    return NULL;
}

/* One entry "op:row" of `length` characters. */
static ttt_status check_choice(const char *choice, size_t length)
{
    const char *colon = memchr(choice, ':', length);
    if (!colon)
        return ttt_fail(TTT_ARGUMENT, "implementation '%.*s' is not of the form operator:row", (int)length,
                        choice);
    size_t name = (size_t)(colon - choice), row = length - name - 1;
    const ttt_operator *op = find_operator(choice, name);
    if (!op)
        return ttt_fail(TTT_ARGUMENT, "implementation '%.*s': there is no operator '%.*s'", (int)length,
                        choice, (int)name, choice);
    char rows[256] = "";
    size_t at = 0;
    for (const ttt_implementation *const *i = op->implementations; *i; i++) {
        if (strlen((*i)->name) == row && !strncmp((*i)->name, colon + 1, row))
            return TTT_OK;
        if (at < sizeof rows)
            at += (size_t)snprintf(rows + at, sizeof rows - at, "%s%s", at ? ", " : "", (*i)->name);
    }
    return ttt_fail(TTT_ARGUMENT, "implementation '%.*s': %s has no row '%.*s'; it has %s", (int)length,
                    choice, op->name, (int)row, colon + 1, rows);
}

ttt_status ttt_implementations_check(const char *choices)
{
    while (choices && *choices) {
        size_t length = strcspn(choices, ",");
        TRY(check_choice(choices, length));
        choices += length + (choices[length] == ',');
    }
    return TTT_OK;
}
