/* The operator "linear": builder, gradient, cost, table of implementations. */
#include "ttt/ops/linear/linear.h"

#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/pointwise/epilogue.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"

static bool shapes_fit(ttt_graph *g, ttt_tensor x, ttt_tensor weight, ttt_tensor bias)
{
    char in_text[TTT_SHAPE_TEXT], weight_text[TTT_SHAPE_TEXT];
    ttt_shape in = ttt_shape_of(g, x), w = ttt_shape_of(g, weight);
    if (in.rank < 1 || w.rank != 2 || in.size[in.rank - 1] != w.size[1]) {
        ttt_graph_fail(g, TTT_SHAPE, "linear: x %s does not fit weight %s: needs (..., in) and (out, in)",
                       ttt_shape_text(in, in_text), ttt_shape_text(w, weight_text));
        return false;
    }
    if (ttt_exists(bias) && !ttt_shape_equal(ttt_shape_of(g, bias), ttt_dims(w.size[0]))) {
        ttt_graph_fail(g, TTT_SHAPE, "linear: bias %s does not fit weight %s: needs (out) and (out, in)",
                       ttt_shape_text(ttt_shape_of(g, bias), in_text), ttt_shape_text(w, weight_text));
        return false;
    }
    return true;
}

static bool types_fit(ttt_graph *g, ttt_tensor x, ttt_tensor weight, ttt_tensor bias)
{
    const ttt_tensor all[] = {x, weight, bias};
    for (int i = 0; i < 3; i++)
        if (ttt_exists(all[i]) && ttt_dtype_of(g, all[i]) != TTT_F32) {
            ttt_graph_fail(g, TTT_DTYPE, "linear: takes f32 tensors, not %s",
                           ttt_dtype_name(ttt_dtype_of(g, all[i])));
            return false;
        }
    return true;
}

ttt_tensor ttt_linear_matrix(ttt_graph *g, ttt_tensor x)
{
    int64_t in = ttt_size(g, x, -1);
    ttt_tensor rows = ttt_reshape(g, x, ttt_dims(ttt_shape_elements(ttt_shape_of(g, x)) / in, in));
    if (!ttt_valid(rows))
        return rows;
    bool in_order = ttt_stride(g, rows, 1) == 1 || in == 1;
    bool apart = ttt_stride(g, rows, 0) >= in || ttt_size(g, rows, 0) == 1;
    return in_order && apart ? rows : ttt_contiguous(g, rows);
}

ttt_tensor ttt_linear(ttt_graph *g, ttt_tensor x, ttt_tensor weight, ttt_tensor bias,
                      ttt_activation activation)
{
    if (!ttt_valid(x) || !ttt_valid(weight) || !ttt_valid(bias))
        return TTT_INVALID;
    if (!shapes_fit(g, x, weight, bias) || !types_fit(g, x, weight, bias))
        return TTT_INVALID;

    ttt_tensor inputs[] = {ttt_linear_matrix(g, x), ttt_contiguous(g, weight), bias, TTT_NONE};
    if (ttt_exists(bias))
        inputs[2] = ttt_contiguous(g, bias);
    if (!ttt_valid(inputs[0]))
        return TTT_INVALID;
    ttt_output_spec spec = {TTT_F32, ttt_dims(ttt_size(g, inputs[0], 0), ttt_size(g, weight, 0))};
    ttt_output_spec specs[] = {spec, spec};
    ttt_tensor outputs[2];
    struct ttt_linear_attributes attributes = {.activation = activation};
    ttt_node_add(g, &ttt_op_linear, &attributes, inputs, 4, specs, activation == TTT_IDENTITY ? 1 : 2,
                 outputs);

    ttt_shape shape = ttt_shape_of(g, x);
    shape.size[shape.rank - 1] = ttt_size(g, weight, 0);
    return ttt_reshape(g, outputs[0], shape);
}

/* The gradient of the value before the activation, which flows in through y and, where a gradient is itself
 * differentiated, through the kept value. */
static ttt_tensor sums_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients)
{
    const struct ttt_linear_attributes *attributes = ttt_node_attributes(node);
    if (attributes->activation == TTT_IDENTITY)
        return out_gradients[0];
    ttt_tensor sums = ttt_node_output(node, 1);
    if (!ttt_exists(out_gradients[0]))
        return out_gradients[1];
    ttt_tensor d =
        ttt_mul(g, out_gradients[0],
                attributes->activation == TTT_GELU ? ttt_gelu_grad(g, sums) : ttt_silu_grad(g, sums));
    return ttt_exists(out_gradients[1]) ? ttt_add(g, d, out_gradients[1]) : d;
}

/* The graph differentiates before it plans: there is no c yet.  The weight may be a slice of a parameter, of
 * which the gradient is joined from parts in f32. */
static void linear_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                            const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor x = ttt_node_input(node, 0), weight = ttt_node_input(node, 1), bias = ttt_node_input(node, 2);
    ttt_tensor d = sums_gradient(g, node, out_gradients);
    if (wanted[0])
        in_gradients[0] = ttt_matmul(g, d, weight);
    if (wanted[1] && wanted[2])
        ttt_weight_gradient(g, d, x, &in_gradients[1], &in_gradients[2]);
    else if (wanted[1])
        in_gradients[1] = ttt_precise(g, ttt_matmul(g, ttt_transpose(g, d, 0, 1), x));
    else if (wanted[2])
        in_gradients[2] = ttt_reshape(g, ttt_sum(g, d, 1u), ttt_shape_of(g, bias));
}

/* y + c */
static bool linear_absorb(void *merged, const void *attributes, const ttt_operator *next,
                          const void *next_attributes, int product)
{
    const struct ttt_linear_attributes *had = attributes;
    struct pointwise_epilogue epilogue;
    if (next != &ttt_op_pointwise || had->activation != TTT_IDENTITY || had->adds ||
        !pointwise_epilogue_of(next_attributes, product, &epilogue))
        return false;
    *(struct ttt_linear_attributes *)merged = (struct ttt_linear_attributes){had->activation, true};
    return epilogue.form == POINTWISE_AFFINE && epilogue.alpha == 1 && epilogue.beta == 1;
}

static ttt_cost linear_cost(const ttt_launch *launch)
{
    const struct ttt_linear_attributes *attributes = launch->attributes;
    double outputs = (double)ttt_operand_elements(&launch->out[0]);
    double each = 2.0 * (double)launch->in[0].shape.size[1];
    each += launch->in[2].dtype ? 1.0 : 0.0;
    each += attributes->activation == TTT_IDENTITY ? 0.0 : 4.0;
    each += attributes->adds ? 1.0 : 0.0;
    return (ttt_cost){.flops = outputs * each};
}

static const ttt_implementation *const implementations[] = {
#if TTT_PANEL_IS_FAST
    &ttt_linear_cpu,
    &ttt_linear_cblas,
#else
    &ttt_linear_cblas,
    &ttt_linear_cpu,
#endif
    TTT_CUDA_ROW(&ttt_linear_skinny) TTT_HOPPER_ROW(&ttt_linear_hopper) TTT_CUDA_ROW(&ttt_linear_cuda) NULL,
};

const ttt_operator ttt_op_linear = {
    .name = "linear",
    .attribute_size = sizeof(struct ttt_linear_attributes),
    .gradient = linear_gradient,
    .cost = linear_cost,
    .absorb = linear_absorb,
    .absorbed_operand = 3,
    .bf16_takes = 8,
    .bf16_wants = 7,
    .bf16_gives = 3,
    .implementations = implementations,
};
