/* The operator "l2norm" and its gradient.  With n = |x| and y = x / (n + eps):
 *
 *     dx = dy / (n + eps) - x <x, dy> / (n (n + eps)^2) = dy / (n + eps) - y <y, dy> / n
 */
#include "ttt/ops/l2norm/l2norm.h"

#include "ttt/ops/l2norm/l2norm_operator.h"

static int64_t length_of(ttt_shape shape, int dimensions)
{
    int64_t length = 1;
    for (int i = shape.rank - dimensions; i < shape.rank; i++)
        length *= shape.size[i];
    return length;
}

int64_t ttt_l2norm_length(const ttt_launch *launch)
{
    const struct ttt_l2norm_attributes *attributes = launch->attributes;
    return length_of(launch->in[0].shape, attributes->dimensions);
}

ttt_tensor ttt_l2norm(ttt_graph *g, ttt_tensor x, int dimensions, float eps)
{
    if (!ttt_exists(x))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, x);
    char text[TTT_SHAPE_TEXT];
    if (dimensions < 1 || dimensions > shape.rank)
        return ttt_graph_fail(g, TTT_SHAPE, "l2norm: %s has no last %d dimensions",
                              ttt_shape_text(shape, text), dimensions);
    if (!(eps > 0))
        return ttt_graph_fail(g, TTT_ARGUMENT, "l2norm: eps is %g, and must be above 0", (double)eps);

    const struct ttt_l2norm_attributes attributes = {dimensions, eps};
    const int64_t groups = ttt_shape_elements(shape) / length_of(shape, dimensions);
    const ttt_output_spec specs[] = {{TTT_F32, shape}, {TTT_F32, ttt_dims(groups)}};
    ttt_tensor outputs[2];
    x = ttt_contiguous(g, x);
    ttt_node_add(g, &ttt_op_l2norm, &attributes, &x, 1, specs, 2, outputs);
    return outputs[0];
}

static void l2norm_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                            const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor y = ttt_node_output(node, 0);
    ttt_tensor inputs[] = {y, ttt_node_output(node, 1), ttt_contiguous(g, out_gradients[0])};
    if (wanted[0])
        in_gradients[0] = ttt_node_add_one(g, &ttt_op_l2norm_backward, ttt_node_attributes(node), inputs, 3,
                                           TTT_F32, ttt_shape_of(g, y));
}

static ttt_cost forward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 3 * (double)ttt_operand_elements(&launch->in[0])};
}

static ttt_cost backward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 5 * (double)ttt_operand_elements(&launch->in[0])};
}

/* x is taken in bf16 but not wanted: rounded before and after the division, what Newton-Schulz then
 * multiplies is off by a third more, and gradients of rates by 40% in the worst of the golden models, where
 * 30% is allowed.
 */
const ttt_operator ttt_op_l2norm = {
    .name = "l2norm",
    .attribute_size = sizeof(struct ttt_l2norm_attributes),
    .gradient = l2norm_gradient,
    .cost = forward_cost,
    .overwrites = 1 << 0,
    .bf16_takes = 1 << 0,
    .bf16_gives = 1 << 0,
    .implementations =
        (const ttt_implementation *const[]){&ttt_l2norm_cpu, TTT_CUDA_ROW(&ttt_l2norm_cuda) NULL},
};

const ttt_operator ttt_op_l2norm_backward = {
    .name = "l2norm_backward",
    .attribute_size = sizeof(struct ttt_l2norm_attributes),
    .cost = backward_cost,
    .overwrites = 1 << 0 | 1 << 2,
    .bf16_takes = 1 << 0 | 1 << 2,
    .bf16_gives = 1 << 0,
    .implementations = (const ttt_implementation *const[]){&ttt_l2norm_backward_cpu,
                                                           TTT_CUDA_ROW(&ttt_l2norm_backward_cuda) NULL},
};
