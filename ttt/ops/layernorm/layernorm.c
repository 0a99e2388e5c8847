/* The operator "layernorm" and its gradient, with h = (x - mean) rstd and s = dy gain:
 *
 *     dx = rstd (s - mean(s) - h mean(s h)) + c,   dgain = sum of dy h over rows,   dbias = sum of dy over
 * rows
 *
 * c is the gradient that flows around a residual branch, which the planner finds behind dx.
 */
#include "ttt/ops/layernorm/layernorm.h"

#include "ttt/ops/layernorm/layernorm_operator.h"
#include "ttt/ops/pointwise/epilogue.h"
#include "ttt/ops/pointwise/pointwise.h"

static bool matches(ttt_graph *g, const char *name, ttt_tensor parameter, ttt_shape x)
{
    char is[TTT_SHAPE_TEXT], of[TTT_SHAPE_TEXT];
    if (!ttt_exists(parameter))
        return true;
    bool fits = ttt_shape_equal(ttt_shape_of(g, parameter), ttt_dims(x.size[x.rank - 1]));
    if (!fits)
        ttt_graph_fail(g, TTT_SHAPE, "layernorm: %s %s does not match the last dimension of x %s", name,
                       ttt_shape_text(ttt_shape_of(g, parameter), is), ttt_shape_text(x, of));
    return fits;
}

ttt_tensor ttt_layernorm(ttt_graph *g, ttt_tensor x, ttt_tensor gain, ttt_tensor bias, float eps)
{
    if (!ttt_exists(x) || !ttt_valid(gain) || !ttt_valid(bias))
        return TTT_INVALID;
    ttt_shape shape = ttt_shape_of(g, x);
    if (!matches(g, "gain", gain, shape) || !matches(g, "bias", bias, shape))
        return TTT_INVALID;
    if (!(eps > 0))
        return ttt_graph_fail(g, TTT_ARGUMENT, "layernorm: eps is %g, and must be above 0", (double)eps);

    int64_t rows = ttt_shape_elements(shape) / shape.size[shape.rank - 1];
    struct ttt_layernorm_attributes attributes = {eps};
    ttt_tensor inputs[] = {ttt_contiguous(g, x), ttt_exists(gain) ? ttt_contiguous(g, gain) : TTT_NONE,
                           ttt_exists(bias) ? ttt_contiguous(g, bias) : TTT_NONE};
    ttt_output_spec specs[] = {
        {ttt_dtype_of(g, x), shape}, {TTT_F32, ttt_dims(rows)}, {TTT_F32, ttt_dims(rows)}};
    ttt_tensor outputs[3];
    ttt_node_add(g, &ttt_op_layernorm, &attributes, inputs, 3, specs, 3, outputs);
    return outputs[0];
}

static void layernorm_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                               const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor x = ttt_node_input(node, 0);
    ttt_shape shape = ttt_shape_of(g, x), width = ttt_dims(shape.size[shape.rank - 1]);
    ttt_tensor inputs[] = {x,
                           ttt_node_input(node, 1),
                           ttt_node_output(node, 1),
                           ttt_node_output(node, 2),
                           ttt_contiguous(g, out_gradients[0]),
                           TTT_NONE};
    ttt_output_spec specs[] = {{ttt_dtype_of(g, x), shape}, {TTT_F32, width}, {TTT_F32, width}};
    ttt_tensor outputs[3];
    ttt_node_add(g, &ttt_op_layernorm_backward, NULL, inputs, 6, specs, 3, outputs);
    for (int i = 0; i < 3; i++)
        if (wanted[i])
            in_gradients[i] = outputs[i];
}

/* dx + c */
static bool backward_absorb(void *merged, const void *attributes, const ttt_operator *next,
                            const void *next_attributes, int product)
{
    struct pointwise_epilogue epilogue;
    (void)merged;
    (void)attributes;
    return next == &ttt_op_pointwise && pointwise_epilogue_of(next_attributes, product, &epilogue) &&
           epilogue.form == POINTWISE_AFFINE && epilogue.alpha == 1 && epilogue.beta == 1;
}

static ttt_cost forward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 8 * (double)ttt_operand_elements(&launch->in[0])};
}

static ttt_cost backward_cost(const ttt_launch *launch)
{
    const double each = launch->in[5].dtype ? 15 : 14;
    return (ttt_cost){.flops = each * (double)ttt_operand_elements(&launch->in[0])};
}

static const ttt_implementation *const forward_rows[] = {&ttt_layernorm_cpu,
                                                         TTT_CUDA_ROW(&ttt_layernorm_cuda) NULL};
static const ttt_implementation *const backward_rows[] = {&ttt_layernorm_backward_cpu,
                                                          TTT_CUDA_ROW(&ttt_layernorm_backward_cuda) NULL};

const ttt_operator ttt_op_layernorm = {
    .name = "layernorm",
    .attribute_size = sizeof(struct ttt_layernorm_attributes),
    .gradient = layernorm_gradient,
    .cost = forward_cost,
    .overwrites = 1 << 0,
    .bf16_takes = 1 << 0,
    .bf16_gives = 1 << 0,
    .implementations = forward_rows,
};

const ttt_operator ttt_op_layernorm_backward = {
    .name = "layernorm_backward",
    .cost = backward_cost,
    .overwrites = 1 << 0 | 1 << 4 | 1 << 5,
    .bf16_takes = 1 << 0 | 1 << 4 | 1 << 5,
    .bf16_gives = 1 << 0,
    .absorb = backward_absorb,
    .absorbed_operand = 5,
    .implementations = backward_rows,
};
