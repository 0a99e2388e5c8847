/* The operator "rmsnorm" and its gradient, with h = x rrms and s = dy gain:
 *
 *     dx = rrms (s - h mean(s h)),   dgain = sum of dy h over rows
 */
#include "ttt/ops/rmsnorm/rmsnorm.h"

#include <float.h>

#include "ttt/ops/rmsnorm/rmsnorm_operator.h"

static ttt_tensor with_unit_rows(ttt_graph *g, ttt_tensor x)
{
    return ttt_exists(x) && ttt_stride(g, x, -1) != 1 ? ttt_contiguous(g, x) : x;
}

ttt_tensor ttt_rmsnorm(ttt_graph *g, ttt_tensor x, ttt_tensor gain, float eps)
{
    if (!ttt_exists(x) || !ttt_valid(gain))
        return TTT_INVALID;
    ttt_shape shape = ttt_shape_of(g, x);
    if (ttt_exists(gain) && !ttt_shape_equal(ttt_shape_of(g, gain), ttt_dims(shape.size[shape.rank - 1]))) {
        char is[TTT_SHAPE_TEXT], of[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "rmsnorm: gain %s does not match the last dimension of x %s",
                              ttt_shape_text(ttt_shape_of(g, gain), is), ttt_shape_text(shape, of));
    }
    if (eps == TTT_EPS_OF_TYPE)
        eps = ttt_dtype_of(g, x) == TTT_BF16 ? 0x1p-7F : FLT_EPSILON;
    if (!(eps > 0))
        return ttt_graph_fail(g, TTT_ARGUMENT, "rmsnorm: eps is %g, and must be above 0", (double)eps);

    int64_t rows = ttt_shape_elements(shape) / shape.size[shape.rank - 1];
    struct ttt_rmsnorm_attributes attributes = {eps};
    ttt_tensor inputs[] = {with_unit_rows(g, x), ttt_exists(gain) ? ttt_contiguous(g, gain) : TTT_NONE};
    ttt_output_spec specs[] = {{ttt_dtype_of(g, x), shape}, {TTT_F32, ttt_dims(rows)}};
    ttt_tensor outputs[2];
    ttt_node_add(g, &ttt_op_rmsnorm, &attributes, inputs, 2, specs, 2, outputs);
    return outputs[0];
}

static void rmsnorm_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                             const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor x = ttt_node_input(node, 0);
    ttt_shape shape = ttt_shape_of(g, x);
    ttt_tensor inputs[] = {x, ttt_node_input(node, 1), ttt_node_output(node, 1),
                           with_unit_rows(g, out_gradients[0])};
    ttt_output_spec specs[] = {{ttt_dtype_of(g, x), shape}, {TTT_F32, ttt_dims(shape.size[shape.rank - 1])}};
    ttt_tensor outputs[2];
    ttt_node_add(g, &ttt_op_rmsnorm_backward, NULL, inputs, 4, specs, 2, outputs);
    for (int i = 0; i < 2; i++)
        if (wanted[i])
            in_gradients[i] = outputs[i];
}

static ttt_cost forward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 4 * (double)ttt_operand_elements(&launch->in[0])};
}

static ttt_cost backward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 10 * (double)ttt_operand_elements(&launch->in[0])};
}

const ttt_operator ttt_op_rmsnorm = {
    .name = "rmsnorm",
    .attribute_size = sizeof(struct ttt_rmsnorm_attributes),
    .gradient = rmsnorm_gradient,
    .cost = forward_cost,
    .overwrites = 1 << 0,
    .bf16_takes = 1 << 0,
    .bf16_gives = 1 << 0,
    .implementations =
        (const ttt_implementation *const[]){&ttt_rmsnorm_cpu, TTT_CUDA_ROW(&ttt_rmsnorm_cuda) NULL},
};

const ttt_operator ttt_op_rmsnorm_backward = {
    .name = "rmsnorm_backward",
    .cost = backward_cost,
    .overwrites = 1 << 0 | 1 << 3,
    .spaced = 1 << 0,
    .bf16_takes = 1 << 0 | 1 << 3,
    .bf16_gives = 1 << 0,
    .implementations = (const ttt_implementation *const[]){&ttt_rmsnorm_backward_cpu,
                                                           TTT_CUDA_ROW(&ttt_rmsnorm_backward_cuda) NULL},
};
