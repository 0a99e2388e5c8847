/* The operator "sum".  y = factor * sum(x), so dx is factor * dy, repeated. */
#include "ttt/ops/reduce/reduce.h"

#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce_operator.h"

static ttt_tensor scaled_sum(ttt_graph *g, ttt_tensor x, unsigned dimensions, bool mean)
{
    if (!ttt_exists(x))
        return TTT_INVALID;
    char text[TTT_SHAPE_TEXT];
    ttt_shape shape = ttt_shape_of(g, x);
    if (dimensions >> shape.rank)
        return ttt_graph_fail(g, TTT_SHAPE, "sum: dimensions %#x go beyond those of %s", dimensions,
                              ttt_shape_text(shape, text));
    int64_t summed = 1;
    for (int i = 0; i < shape.rank; i++)
        if (dimensions >> i & 1) {
            summed *= shape.size[i];
            shape.size[i] = 1;
        }
    if (summed == 1)
        return ttt_contiguous(g, x);
    struct ttt_sum_attributes attributes = {dimensions, mean ? 1.0f / (float)summed : 1.0f};
    return ttt_node_add_one(g, &ttt_op_sum, &attributes, &x, 1, TTT_F32, shape);
}

ttt_tensor ttt_sum(ttt_graph *g, ttt_tensor x, unsigned dimensions)
{
    return scaled_sum(g, x, dimensions, false);
}

ttt_tensor ttt_mean(ttt_graph *g, ttt_tensor x, unsigned dimensions)
{
    return scaled_sum(g, x, dimensions, true);
}

ttt_tensor ttt_norm(ttt_graph *g, ttt_tensor x, unsigned dimensions)
{
    return ttt_sqrt(g, ttt_sum(g, ttt_square(g, x), dimensions));
}

ttt_tensor ttt_sum_to(ttt_graph *g, ttt_tensor x, ttt_shape shape)
{
    if (!ttt_exists(x))
        return TTT_INVALID;
    char from[TTT_SHAPE_TEXT], to[TTT_SHAPE_TEXT];
    ttt_shape x_shape = ttt_shape_of(g, x);
    if (ttt_shape_equal(x_shape, shape))
        return x;
    int lead = x_shape.rank - shape.rank;
    bool fits = lead >= 0;
    unsigned dimensions = 0;
    for (int i = 0; i < x_shape.rank && fits; i++) {
        int64_t wanted = i < lead ? 1 : shape.size[i - lead];
        if (i < lead || (wanted == 1 && x_shape.size[i] != 1))
            dimensions |= 1u << i;
        else
            fits = wanted == x_shape.size[i];
    }
    if (!fits)
        return ttt_graph_fail(g, TTT_SHAPE, "sum_to: %s is no broadcast of %s", ttt_shape_text(x_shape, from),
                              ttt_shape_text(shape, to));
    return ttt_reshape(g, ttt_sum(g, x, dimensions), shape);
}

static void sum_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                         const bool *wanted, ttt_tensor *in_gradients)
{
    if (!wanted[0])
        return;
    const struct ttt_sum_attributes *attributes = ttt_node_attributes(node);
    ttt_tensor dy = out_gradients[0];
    if (attributes->factor != 1)
        dy = ttt_scale(g, dy, attributes->factor);
    in_gradients[0] = ttt_expand(g, dy, ttt_shape_of(g, ttt_node_input(node, 0)));
}

static ttt_cost sum_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = (double)ttt_operand_elements(&launch->in[0])};
}

static const ttt_implementation *const implementations[] = {&ttt_sum_cpu, TTT_CUDA_ROW(&ttt_sum_cuda) NULL};

const ttt_operator ttt_op_sum = {
    .name = "sum",
    .attribute_size = sizeof(struct ttt_sum_attributes),
    .gradient = sum_gradient,
    .cost = sum_cost,
    .bf16_takes = 1,
    .implementations = implementations,
};
