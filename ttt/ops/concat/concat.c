/* The operator "concat".  Each part's gradient is the slice of dy that it went into. */
#include "ttt/ops/concat/concat.h"

#include "ttt/ops/concat/concat_operator.h"

/* Whether `part` can follow `first`: alike in everything but the size of `dimension`. */
static bool fits(ttt_shape first, ttt_shape part, int dimension)
{
    if (part.rank != first.rank)
        return false;
    part.size[dimension] = first.size[dimension];
    return ttt_shape_equal(first, part);
}

ttt_tensor ttt_concat(ttt_graph *g, const ttt_tensor *parts, int count, int dimension)
{
    if (count < 1)
        return ttt_graph_fail(g, TTT_ARGUMENT, "concat: needs at least one part");
    for (int i = 0; i < count; i++)
        if (!ttt_exists(parts[i]))
            return TTT_INVALID;

    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    ttt_shape first = ttt_shape_of(g, parts[0]), joined = first;
    int from_front = dimension < 0 ? dimension + first.rank : dimension;
    if (from_front < 0 || from_front >= first.rank)
        return ttt_graph_fail(g, TTT_SHAPE, "concat: there is no dimension %d in %s", dimension,
                              ttt_shape_text(first, a));
    for (int i = 1; i < count; i++) {
        ttt_shape part = ttt_shape_of(g, parts[i]);
        if (!fits(first, part, from_front))
            return ttt_graph_fail(g, TTT_SHAPE,
                                  "concat: part %d %s does not match part 0 %s outside dimension %d", i,
                                  ttt_shape_text(part, a), ttt_shape_text(first, b), from_front);
        if (ttt_dtype_of(g, parts[i]) != ttt_dtype_of(g, parts[0]))
            return ttt_graph_fail(g, TTT_DTYPE, "concat: part %d is %s and part 0 is %s", i,
                                  ttt_dtype_name(ttt_dtype_of(g, parts[i])),
                                  ttt_dtype_name(ttt_dtype_of(g, parts[0])));
        joined.size[from_front] += part.size[from_front];
    }
    struct ttt_concat_attributes attributes = {from_front};
    return ttt_node_add_one(g, &ttt_op_concat, &attributes, parts, count, ttt_dtype_of(g, parts[0]), joined);
}

static void concat_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                            const bool *wanted, ttt_tensor *in_gradients)
{
    const struct ttt_concat_attributes *attributes = ttt_node_attributes(node);
    int64_t start = 0;
    for (int i = 0; i < ttt_node_input_count(node); i++) {
        int64_t length = ttt_size(g, ttt_node_input(node, i), attributes->dimension);
        if (wanted[i])
            in_gradients[i] = ttt_slice(g, out_gradients[0], attributes->dimension, start, length);
        start += length;
    }
}

static ttt_cost concat_cost(const ttt_launch *launch)
{
    (void)launch;
    return (ttt_cost){0};
}

static const ttt_implementation *const implementations[] = {&ttt_concat_cpu,
                                                            TTT_CUDA_ROW(&ttt_concat_cuda) NULL};

const ttt_operator ttt_op_concat = {
    .name = "concat",
    .attribute_size = sizeof(struct ttt_concat_attributes),
    .gradient = concat_gradient,
    .cost = concat_cost,
    .joins = true,
    .bf16_takes = ~0u,
    .bf16_gives = 1,
    .implementations = implementations,
};
