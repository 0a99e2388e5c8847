/* The operator "silu_heads" and its gradient, with h = silu(x) and m = |h| + eps:
 *
 *     dh = dy / m - h <dy, h> / (|h| m^2)  for a unit part, dh = dy for another;   dx = dh silu'(x)
 */
#include "ttt/ops/silu_heads/silu_heads.h"

#include "ttt/ops/silu_heads/silu_heads_operator.h"

static ttt_tensor with_unit_rows(ttt_graph *g, ttt_tensor x)
{
    return ttt_exists(x) && ttt_stride(g, x, -1) != 1 ? ttt_contiguous(g, x) : x;
}

static bool request_fits(ttt_graph *g, ttt_tensor x, const struct ttt_silu_heads_attributes *a)
{
    char text[TTT_SHAPE_TEXT];
    const ttt_shape s = ttt_shape_of(g, x);
    if (a->parts < 1 || a->parts > TTT_SILU_HEADS_PARTS || a->units < 0 || a->units > a->parts ||
        !(a->eps > 0)) {
        ttt_graph_fail(g, TTT_ARGUMENT,
                       "silu_heads: %d parts, %d of them units, eps %g: takes 1 to %d parts, no more units, "
                       "and an eps above 0",
                       a->parts, a->units, (double)a->eps, TTT_SILU_HEADS_PARTS);
        return false;
    }
    if (s.rank != 3 || a->heads < 1 || s.size[2] % (a->parts * a->heads)) {
        ttt_graph_fail(g, TTT_SHAPE, "silu_heads: x %s does not divide into %d parts of %lld heads",
                       ttt_shape_text(s, text), a->parts, (long long)a->heads);
        return false;
    }
    return true;
}

void ttt_silu_heads(ttt_graph *g, ttt_tensor x, int64_t heads, int parts, int units, float eps, ttt_tensor *y)
{
    const struct ttt_silu_heads_attributes attributes = {heads, parts, units, eps};
    for (int p = 0; p < parts; p++)
        y[p] = TTT_INVALID;
    if (!ttt_exists(x) || !request_fits(g, x, &attributes))
        return;
    const ttt_shape s = ttt_shape_of(g, x);
    ttt_output_spec specs[TTT_SILU_HEADS_PARTS];
    for (int p = 0; p < parts; p++)
        specs[p] = (ttt_output_spec){ttt_dtype_of(g, x),
                                     ttt_dims(s.size[0], s.size[1], heads, s.size[2] / (parts * heads))};
    x = ttt_contiguous(g, x);
    ttt_node_add(g, &ttt_op_silu_heads, &attributes, &x, 1, specs, parts, y);
}

static void silu_heads_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                                const bool *wanted, ttt_tensor *in_gradients)
{
    const struct ttt_silu_heads_attributes *attributes = ttt_node_attributes(node);
    ttt_tensor x = ttt_node_input(node, 0), inputs[1 + TTT_SILU_HEADS_PARTS] = {x};
    for (int p = 0; p < attributes->parts; p++)
        inputs[1 + p] = with_unit_rows(g, out_gradients[p]);
    if (wanted[0])
        in_gradients[0] = ttt_node_add_one(g, &ttt_op_silu_heads_backward, attributes, inputs,
                                           1 + attributes->parts, ttt_dtype_of(g, x), ttt_shape_of(g, x));
}

/* A sigmoid is taken as 4 operations. */
static ttt_cost forward_cost(const ttt_launch *launch)
{
    const struct ttt_silu_heads_attributes *a = launch->attributes;
    const double each = (double)ttt_operand_elements(&launch->in[0]) / a->parts;
    return (ttt_cost){.flops = each * (5 * a->parts + 3 * a->units)};
}

static ttt_cost backward_cost(const ttt_launch *launch)
{
    const struct ttt_silu_heads_attributes *a = launch->attributes;
    const double each = (double)ttt_operand_elements(&launch->in[0]) / a->parts;
    return (ttt_cost){.flops = each * (9 * a->parts + 7 * a->units)};
}

const ttt_operator ttt_op_silu_heads = {
    .name = "silu_heads",
    .attribute_size = sizeof(struct ttt_silu_heads_attributes),
    .gradient = silu_heads_gradient,
    .cost = forward_cost,
    .overwrites = 1 << 0,
    .bf16_takes = 1 << 0,
    .bf16_gives = ~0u,
    .implementations =
        (const ttt_implementation *const[]){&ttt_silu_heads_cpu, TTT_CUDA_ROW(&ttt_silu_heads_cuda) NULL},
};

const ttt_operator ttt_op_silu_heads_backward = {
    .name = "silu_heads_backward",
    .attribute_size = sizeof(struct ttt_silu_heads_attributes),
    .cost = backward_cost,
    .overwrites = 1 << 0,
    .bf16_takes = ~0u,
    .bf16_gives = 1 << 0,
    .implementations = (const ttt_implementation *const[]){&ttt_silu_heads_backward_cpu,
                                                           TTT_CUDA_ROW(&ttt_silu_heads_backward_cuda) NULL},
};
