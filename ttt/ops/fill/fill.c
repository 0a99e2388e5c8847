/* The operator "fill". */
#include "ttt/ops/fill/fill.h"

#include "ttt/ops/fill/fill_operator.h"

ttt_tensor ttt_fill(ttt_graph *g, ttt_shape shape, float value)
{
    struct ttt_fill_attributes attributes = {value};
    return ttt_node_add_one(g, &ttt_op_fill, &attributes, NULL, 0, TTT_F32, shape);
}

static ttt_cost fill_cost(const ttt_launch *launch)
{
    (void)launch;
    return (ttt_cost){0};
}

static const ttt_implementation *const implementations[] = {&ttt_fill_cpu, TTT_CUDA_ROW(&ttt_fill_cuda) NULL};

const ttt_operator ttt_op_fill = {
    .name = "fill",
    .attribute_size = sizeof(struct ttt_fill_attributes),
    .cost = fill_cost,
    .bf16_gives = 1,
    .implementations = implementations,
};
