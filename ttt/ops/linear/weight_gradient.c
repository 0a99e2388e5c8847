/* The operator "weight_gradient": builder, gradient, cost, table of implementations. */
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/matmul/panel.h"

void ttt_weight_gradient(ttt_graph *g, ttt_tensor d, ttt_tensor x, ttt_tensor *weight, ttt_tensor *bias)
{
    *weight = *bias = TTT_INVALID;
    if (!ttt_valid(d) || !ttt_valid(x))
        return;
    char d_text[TTT_SHAPE_TEXT], x_text[TTT_SHAPE_TEXT];
    ttt_shape of_d = ttt_shape_of(g, d), of_x = ttt_shape_of(g, x);
    if (of_d.rank != 2 || of_x.rank != 2 || of_d.size[0] != of_x.size[0]) {
        ttt_graph_fail(g, TTT_SHAPE,
                       "weight_gradient: d %s does not fit x %s: needs (rows, out) and (rows, in)",
                       ttt_shape_text(of_d, d_text), ttt_shape_text(of_x, x_text));
        return;
    }
    ttt_tensor inputs[] = {ttt_linear_matrix(g, d), ttt_linear_matrix(g, x)}, outputs[2];
    ttt_output_spec specs[] = {{TTT_F32, ttt_dims(of_d.size[1], of_x.size[1])},
                               {TTT_F32, ttt_dims(of_d.size[1])}};
    ttt_node_add(g, &ttt_op_weight_gradient, NULL, inputs, 2, specs, 2, outputs);
    *weight = outputs[0];
    *bias = outputs[1];
}

/* With dw and db flowing into d^T x and the sum of d's rows, d's gradient is a linear layer's value:
 * x dw^T + db. */
static void weight_gradient_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                                     const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor d = ttt_node_input(node, 0), x = ttt_node_input(node, 1);
    ttt_tensor dw = out_gradients[0], db = out_gradients[1];
    if (wanted[0] && ttt_exists(dw))
        in_gradients[0] = ttt_linear(g, x, dw, db, TTT_IDENTITY);
    else if (wanted[0])
        in_gradients[0] = ttt_expand(g, db, ttt_shape_of(g, d));
    if (wanted[1] && ttt_exists(dw))
        in_gradients[1] = ttt_matmul(g, d, dw);
}

static ttt_cost weight_gradient_cost(const ttt_launch *launch)
{
    double of_d = (double)ttt_operand_elements(&launch->in[0]);
    return (ttt_cost){.flops = of_d * (2.0 * (double)launch->in[1].shape.size[1] + 1.0)};
}

static const ttt_implementation *const implementations[] = {
#if TTT_PANEL_IS_FAST
    &ttt_weight_gradient_cpu,
    &ttt_weight_gradient_cblas,
#else
    &ttt_weight_gradient_cblas,
    &ttt_weight_gradient_cpu,
#endif
    TTT_CUDA_ROW(&ttt_weight_gradient_skinny) TTT_CUDA_ROW(&ttt_weight_gradient_cuda) NULL,
};

const ttt_operator ttt_op_weight_gradient = {
    .name = "weight_gradient",
    .gradient = weight_gradient_gradient,
    .cost = weight_gradient_cost,
    .bf16_wants = 3,
    .implementations = implementations,
};
