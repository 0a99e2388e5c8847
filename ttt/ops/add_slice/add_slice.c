/* The operator "add_slice", and the view whose gradient it is. */
#include "ttt/ops/add_slice/add_slice.h"

#include "ttt/ops/add_slice/add_slice_operator.h"

static bool slice_fits(ttt_shape a, ttt_shape b, int dimension, int64_t start)
{
    if (dimension < 0 || dimension >= a.rank || a.rank != b.rank || start < 0 ||
        start > a.size[dimension] - b.size[dimension])
        return false;
    b.size[dimension] = a.size[dimension];
    return ttt_shape_equal(a, b);
}

ttt_tensor ttt_add_slice(ttt_graph *g, ttt_tensor a, ttt_tensor b, int dimension, int64_t start)
{
    if (!ttt_exists(a) || !ttt_exists(b))
        return TTT_INVALID;
    const ttt_shape whole = ttt_shape_of(g, a), part = ttt_shape_of(g, b);
    const struct ttt_add_slice_attributes attributes = {dimension < 0 ? dimension + whole.rank : dimension,
                                                        start};
    if (!slice_fits(whole, part, attributes.dimension, start)) {
        char to[TTT_SHAPE_TEXT], from[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "add_slice: %s does not fit into dimension %d of %s from %lld on",
                              ttt_shape_text(part, from), dimension, ttt_shape_text(whole, to),
                              (long long)start);
    }
    const ttt_tensor inputs[] = {ttt_contiguous(g, a), ttt_contiguous(g, b)};
    return ttt_node_add_one(g, &ttt_op_add_slice, &attributes, inputs, 2, ttt_dtype_of(g, a), whole);
}

static void add_slice_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                               const bool *wanted, ttt_tensor *in_gradients)
{
    const struct ttt_add_slice_attributes *at = ttt_node_attributes(node);
    if (wanted[0])
        in_gradients[0] = out_gradients[0];
    if (wanted[1])
        in_gradients[1] = ttt_slice(g, out_gradients[0], at->dimension, at->start,
                                    ttt_size(g, ttt_node_input(node, 1), at->dimension));
}

static ttt_cost add_slice_cost(const ttt_launch *launch)
{
    const ttt_operand *b = &launch->in[1];
    const double added = (double)ttt_operand_elements(b);
    return (ttt_cost){.flops = added,
                      .bytes =
                          added * (double)(ttt_dtype_size(launch->in[0].dtype) + ttt_dtype_size(b->dtype) +
                                           ttt_dtype_size(launch->out[0].dtype))};
}

struct ttt_add_slice_rows ttt_add_slice_rows_of(const ttt_launch *launch)
{
    const struct ttt_add_slice_attributes *at = launch->attributes;
    const ttt_operand *a = &launch->in[0], *b = &launch->in[1];
    struct ttt_add_slice_rows rows = {1, 1, at->start, 1};
    for (int i = 0; i < at->dimension; i++)
        rows.count *= a->shape.size[i];
    for (int i = at->dimension; i < a->shape.rank; i++) {
        rows.length *= a->shape.size[i];
        rows.run *= b->shape.size[i];
        rows.first *= i > at->dimension ? a->shape.size[i] : 1;
    }
    return rows;
}

const ttt_operator ttt_op_add_slice = {
    .name = "add_slice",
    .attribute_size = sizeof(struct ttt_add_slice_attributes),
    .gradient = add_slice_gradient,
    .cost = add_slice_cost,
    .overwrites = 1 << 0,
    .bf16_takes = 1 << 0 | 1 << 1,
    .bf16_gives = 1 << 0,
    .implementations =
        (const ttt_implementation *const[]){&ttt_add_slice_cpu, TTT_CUDA_ROW(&ttt_add_slice_cuda) NULL},
};

static void whole_and_slice_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                                     const bool *wanted, ttt_tensor *in_gradients)
{
    (void)wanted;
    const struct ttt_add_slice_attributes *at = ttt_node_attributes(node);
    ttt_tensor whole = out_gradients[0], slice = out_gradients[1];
    if (ttt_exists(slice) && !ttt_exists(whole))
        whole = ttt_fill(g, ttt_shape_of(g, ttt_node_input(node, 0)), 0);
    in_gradients[0] = ttt_exists(slice) ? ttt_add_slice(g, whole, slice, at->dimension, at->start) : whole;
}

static const ttt_operator op_whole_and_slice = {.name = "whole_and_slice",
                                                .attribute_size = sizeof(struct ttt_add_slice_attributes),
                                                .is_view = true,
                                                .gradient = whole_and_slice_gradient};

void ttt_whole_and_slice(ttt_graph *g, ttt_tensor x, int dimension, int64_t start, int64_t length,
                         ttt_tensor *whole, ttt_tensor *slice)
{
    *whole = *slice = TTT_INVALID;
    if (!ttt_exists(x))
        return;
    const ttt_shape shape = ttt_shape_of(g, x);
    const int along = dimension < 0 ? dimension + shape.rank : dimension;
    if (along < 0 || along >= shape.rank || start < 0 || length < 1 || start > shape.size[along] - length) {
        char text[TTT_SHAPE_TEXT];
        ttt_graph_fail(g, TTT_SHAPE, "%lld elements from %lld on are no slice of dimension %d of %s",
                       (long long)length, (long long)start, dimension, ttt_shape_text(shape, text));
        return;
    }
    const struct ttt_add_slice_attributes attributes = {along, start};
    ttt_view_spec specs[2] = {{.shape = shape}, {.shape = shape, .offset = start * ttt_stride(g, x, along)}};
    specs[1].shape.size[along] = length;
    for (int i = 0; i < shape.rank; i++)
        specs[0].stride[i] = specs[1].stride[i] = ttt_stride(g, x, i);
    ttt_tensor views[2];
    ttt_view_add(g, &op_whole_and_slice, &attributes, x, specs, 2, views);
    *whole = views[0];
    *slice = views[1];
}
