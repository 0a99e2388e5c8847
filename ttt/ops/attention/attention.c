/* The operator "attention" and its gradient, with P the softmax and S = q k^T / sqrt(d):
 *
 *     dv = P^T dy,   dS = P (dy v^T - sum over d of (dy y)),   dq = dS k / sqrt(d),   dk = dS^T q / sqrt(d)
 */
#include "ttt/ops/attention/attention.h"

#include "ttt/ops/attention/attention_operator.h"

static ttt_tensor with_unit_rows(ttt_graph *g, ttt_tensor x)
{
    return ttt_exists(x) && ttt_stride(g, x, -1) != 1 ? ttt_contiguous(g, x) : x;
}

static bool shapes_fit(ttt_shape q, ttt_shape k, ttt_shape v)
{
    if (q.rank != 4 || k.rank != 4 || !ttt_shape_equal(k, v))
        return false;
    q.size[2] = k.size[2];
    return ttt_shape_equal(q, k);
}

ttt_tensor ttt_attention(ttt_graph *g, ttt_tensor q, ttt_tensor k, ttt_tensor v)
{
    if (!ttt_exists(q) || !ttt_exists(k) || !ttt_exists(v))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, q);
    if (!shapes_fit(shape, ttt_shape_of(g, k), ttt_shape_of(g, v))) {
        char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT], c[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE,
                              "attention: q %s, k %s, v %s are not (B, H, M, d), (B, H, L, d), (B, H, L, d)",
                              ttt_shape_text(shape, a), ttt_shape_text(ttt_shape_of(g, k), b),
                              ttt_shape_text(ttt_shape_of(g, v), c));
    }
    const int64_t batch = shape.size[0], heads = shape.size[1], queries = shape.size[2], d = shape.size[3];
    ttt_tensor inputs[] = {with_unit_rows(g, q), with_unit_rows(g, k), with_unit_rows(g, v)};
    ttt_output_spec specs[] = {{ttt_dtype_of(g, q), ttt_dims(batch, queries, heads, d)},
                               {TTT_F32, ttt_dims(batch, heads, queries)}};
    ttt_tensor outputs[2];
    ttt_node_add(g, &ttt_op_attention, NULL, inputs, 3, specs, 2, outputs);
    return ttt_transpose(g, outputs[0], 1, 2);
}

static void attention_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                               const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor inputs[6], outputs[3];
    ttt_output_spec specs[3];
    for (int i = 0; i < 3; i++) {
        inputs[i] = ttt_node_input(node, i);
        ttt_shape s = ttt_shape_of(g, inputs[i]);
        specs[i] = (ttt_output_spec){ttt_dtype_of(g, inputs[i]),
                                     ttt_dims(s.size[0], s.size[2], s.size[1], s.size[3])};
    }
    inputs[3] = ttt_node_output(node, 0);
    inputs[4] = ttt_node_output(node, 1);
    inputs[5] = with_unit_rows(g, out_gradients[0]);
    ttt_node_add(g, &ttt_op_attention_backward, NULL, inputs, 6, specs, 3, outputs);
    for (int i = 0; i < 3; i++)
        if (wanted[i])
            in_gradients[i] = ttt_transpose(g, outputs[i], 1, 2);
}

/* Number of scores, and d. */
static double scores_of(const ttt_launch *launch, double *d)
{
    const ttt_shape q = launch->in[0].shape, k = launch->in[1].shape;
    *d = (double)q.size[3];
    return (double)(q.size[0] * q.size[1]) * (double)q.size[2] * (double)k.size[2];
}

static ttt_cost forward_cost(const ttt_launch *launch)
{
    double d, scores = scores_of(launch, &d);
    return (ttt_cost){.flops = scores * (2 * 2 * d + 4)};
}

static ttt_cost backward_cost(const ttt_launch *launch)
{
    double d, scores = scores_of(launch, &d);
    return (ttt_cost){.flops = scores * (5 * 2 * d + 6)};
}

static const ttt_implementation *const forward_rows[] = {
    &ttt_attention_cpu, TTT_HOPPER_ROW(&ttt_attention_hopper) TTT_CUDNN_ROW(&ttt_attention_cudnn)
                            TTT_CUDA_ROW(&ttt_attention_cuda_mma) TTT_CUDA_ROW(&ttt_attention_cuda) NULL};

static const ttt_implementation *const backward_rows[] = {
    &ttt_attention_backward_cpu,
    TTT_HOPPER_ROW(&ttt_attention_backward_hopper) TTT_CUDNN_ROW(&ttt_attention_backward_cudnn)
        TTT_CUDA_ROW(&ttt_attention_backward_cuda_mma) TTT_CUDA_ROW(&ttt_attention_backward_cuda) NULL};

const ttt_operator ttt_op_attention = {
    .name = "attention",
    .gradient = attention_gradient,
    .cost = forward_cost,
    .bf16_wants = 0x7, /* q, k, v */
    .bf16_gives = 0x1, /* y; log_sum stays f32 */
    .implementations = forward_rows,
};

const ttt_operator ttt_op_attention_backward = {
    .name = "attention_backward",
    .cost = backward_cost,
    .spaced = 0x7,
    .bf16_wants = 0x2f, /* all but log_sum */
    .bf16_gives = 0x7,
    .implementations = backward_rows,
};
