/* The operator "drop_path".  The factors depend on the step alone, so no gradient flows into it. */
#include "ttt/ops/drop_path/drop_path.h"

#include "ttt/ops/drop_path/drop_path_operator.h"

ttt_tensor ttt_drop_path(ttt_graph *g, ttt_tensor step, int64_t batch, int rank, float rate, uint64_t seed,
                         uint32_t layer)
{
    char text[TTT_SHAPE_TEXT];
    if (!ttt_exists(step))
        return TTT_INVALID;
    if (!(rate >= 0 && rate < 1))
        return ttt_graph_fail(g, TTT_ARGUMENT,
                              "drop_path: the rate is %g, and must be at least 0 and below 1", (double)rate);
    if (batch < 1 || rank < 1 || rank > TTT_MAX_RANK)
        return ttt_graph_fail(g, TTT_ARGUMENT, "drop_path: a batch of %lld in rank %d; ranks are 1 to %d",
                              (long long)batch, rank, TTT_MAX_RANK);
    if (ttt_dtype_of(g, step) != TTT_I32)
        return ttt_graph_fail(g, TTT_DTYPE, "drop_path: the step is %s, and must be i32",
                              ttt_dtype_name(ttt_dtype_of(g, step)));
    if (!ttt_shape_equal(ttt_shape_of(g, step), ttt_dims(1)))
        return ttt_graph_fail(g, TTT_SHAPE, "drop_path: the step is %s, and must be (1)",
                              ttt_shape_text(ttt_shape_of(g, step), text));

    ttt_shape shape = {.rank = rank, .size = {batch}};
    for (int i = 1; i < rank; i++)
        shape.size[i] = 1;
    struct ttt_drop_path_attributes attributes = {.seed = seed, .layer = layer, .rate = rate};
    return ttt_node_add_one(g, &ttt_op_drop_path, &attributes, &step, 1, TTT_F32, shape);
}

static ttt_cost drop_path_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = (double)ttt_operand_elements(&launch->out[0])};
}

static const ttt_implementation *const implementations[] = {&ttt_drop_path_cpu,
                                                            TTT_CUDA_ROW(&ttt_drop_path_cuda) NULL};

const ttt_operator ttt_op_drop_path = {
    .name = "drop_path",
    .attribute_size = sizeof(struct ttt_drop_path_attributes),
    .cost = drop_path_cost,
    .implementations = implementations,
};
