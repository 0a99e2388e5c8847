/* The operator "copy".  y = x, so dx = dy. */
#include "ttt/ops/copy/copy.h"

#include "ttt/ops/copy/copy_operator.h"

ttt_tensor ttt_copy(ttt_graph *g, ttt_tensor x)
{
    if (!ttt_exists(x))
        return TTT_INVALID;
    return ttt_node_add_one(g, &ttt_op_copy, NULL, &x, 1, ttt_dtype_of(g, x), ttt_shape_of(g, x));
}

static void copy_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                          const bool *wanted, ttt_tensor *in_gradients)
{
    (void)g;
    (void)node;
    if (wanted[0])
        in_gradients[0] = out_gradients[0];
}

static ttt_cost copy_cost(const ttt_launch *launch)
{
    (void)launch;
    return (ttt_cost){0};
}

static const ttt_implementation *const implementations[] = {&ttt_copy_cpu, TTT_CUDA_ROW(&ttt_copy_cuda) NULL};

const ttt_operator ttt_op_copy = {
    .name = "copy",
    .gradient = copy_gradient,
    .cost = copy_cost,
    .bf16_takes = 1,
    .bf16_gives = 1,
    .implementations = implementations,
};
