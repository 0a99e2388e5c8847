/* The operator "cross_entropy" and its gradient, with p = softmax(logits) kept by the forward pass:
 *
 *     dlogits = (p sum_k(target) - target) dloss / B
 */
#include "ttt/ops/cross_entropy/cross_entropy.h"

#include "ttt/ops/cross_entropy/cross_entropy_operator.h"

ttt_tensor ttt_cross_entropy(ttt_graph *g, ttt_tensor logits, ttt_tensor target)
{
    if (!ttt_exists(logits) || !ttt_exists(target))
        return TTT_INVALID;
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    ttt_shape shape = ttt_shape_of(g, logits);
    if (shape.rank != 2 || !ttt_shape_equal(shape, ttt_shape_of(g, target)))
        return ttt_graph_fail(g, TTT_SHAPE,
                              "cross_entropy: logits %s and target %s must have one shape (batch, classes)",
                              ttt_shape_text(shape, a), ttt_shape_text(ttt_shape_of(g, target), b));
    ttt_tensor inputs[] = {ttt_contiguous(g, logits), ttt_contiguous(g, target)}, outputs[2];
    ttt_output_spec specs[] = {{TTT_F32, ttt_dims(1)}, {TTT_F32, shape}};
    ttt_node_add(g, &ttt_op_cross_entropy, NULL, inputs, 2, specs, 2, outputs);
    return outputs[0];
}

static void cross_entropy_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                                   const bool *wanted, ttt_tensor *in_gradients)
{
    if (!wanted[0])
        return;
    ttt_tensor inputs[] = {ttt_node_output(node, 1), ttt_node_input(node, 1),
                           ttt_contiguous(g, out_gradients[0])};
    in_gradients[0] = ttt_node_add_one(g, &ttt_op_cross_entropy_backward, NULL, inputs, 3, TTT_F32,
                                       ttt_shape_of(g, inputs[0]));
}

static ttt_cost forward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 7 * (double)ttt_operand_elements(&launch->in[0])};
}

static ttt_cost backward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 4 * (double)ttt_operand_elements(&launch->in[0])};
}

static const ttt_implementation *const forward_rows[] = {&ttt_cross_entropy_cpu,
                                                         TTT_CUDA_ROW(&ttt_cross_entropy_cuda) NULL};
static const ttt_implementation *const backward_rows[] = {
    &ttt_cross_entropy_backward_cpu, TTT_CUDA_ROW(&ttt_cross_entropy_backward_cuda) NULL};

const ttt_operator ttt_op_cross_entropy = {
    .name = "cross_entropy",
    .gradient = cross_entropy_gradient,
    .cost = forward_cost,
    .implementations = forward_rows,
};

const ttt_operator ttt_op_cross_entropy_backward = {
    .name = "cross_entropy_backward",
    .cost = backward_cost,
    .overwrites = 1 << 0,
    .implementations = backward_rows,
};
