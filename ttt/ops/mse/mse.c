/* The operator "mse".  dx = 2 (x - target) dloss / n, dtarget = -dx. */
#include "ttt/ops/mse/mse.h"

#include "ttt/ops/mse/mse_operator.h"
#include "ttt/ops/pointwise/pointwise.h"

ttt_tensor ttt_mse(ttt_graph *g, ttt_tensor x, ttt_tensor target)
{
    if (!ttt_exists(x) || !ttt_exists(target))
        return TTT_INVALID;
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    if (!ttt_shape_equal(ttt_shape_of(g, x), ttt_shape_of(g, target)))
        return ttt_graph_fail(g, TTT_SHAPE, "mse: x %s and target %s must have one shape",
                              ttt_shape_text(ttt_shape_of(g, x), a),
                              ttt_shape_text(ttt_shape_of(g, target), b));
    ttt_tensor inputs[] = {ttt_contiguous(g, x), ttt_contiguous(g, target)};
    return ttt_node_add_one(g, &ttt_op_mse, NULL, inputs, 2, TTT_F32, ttt_dims(1));
}

static void mse_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                         const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor x = ttt_node_input(node, 0), target = ttt_node_input(node, 1);
    double elements = (double)ttt_shape_elements(ttt_shape_of(g, x));
    ttt_tensor factor = ttt_scale(g, out_gradients[0], (float)(2 / elements));
    if (wanted[0])
        in_gradients[0] = ttt_mul(g, ttt_sub(g, x, target), factor);
    if (wanted[1])
        in_gradients[1] = ttt_mul(g, ttt_sub(g, target, x), factor);
}

static ttt_cost mse_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 3 * (double)ttt_operand_elements(&launch->in[0])};
}

const ttt_operator ttt_op_mse = {
    .name = "mse",
    .gradient = mse_gradient,
    .cost = mse_cost,
    .bf16_takes = 1 << 0 | 1 << 1,
    .implementations = (const ttt_implementation *const[]){&ttt_mse_cpu, TTT_CUDA_ROW(&ttt_mse_cuda) NULL},
};
