/* The operators "vittt_inner" and "vittt_inner_backward". */
#include "ttt/ops/vittt_inner/vittt_inner.h"

#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/vittt_inner/kernels.h"
#include "ttt/ops/vittt_inner/vittt_inner_operator.h"

#ifdef TTT_HAVE_CUDA
static bool fits_a_gpu(const ttt_graph *g, int64_t d, int64_t tokens)
{
    return ttt_graph_targets(g, TTT_CUDA, TTT_BF16) && (d == 32 || d == 64) &&
           tokens <= TTT_VITTT_INNER_TOKENS &&
           vittt_inner_backward_shared(d, tokens) <= ttt_graph_shared_memory(g);
}
#else
static bool fits_a_gpu(const ttt_graph *g, int64_t d, int64_t tokens)
{
    (void)g, (void)d, (void)tokens;
    return false;
}
#endif

bool ttt_vittt_inner_fits(const ttt_graph *g, int64_t d, int64_t tokens)
{
    return ttt_graph_targets(g, TTT_CPU, TTT_F32) ? TTT_PANEL_IS_FAST : fits_a_gpu(g, d, tokens);
}

static bool shapes_match(ttt_graph *g, ttt_tensor qkv, ttt_tensor w1, ttt_tensor w2, ttt_tensor w3,
                         int64_t height, int64_t width)
{
    const ttt_shape in = ttt_shape_of(g, qkv), fast = ttt_shape_of(g, w1);
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT], c[TTT_SHAPE_TEXT];
    if (in.rank == 3 && fast.rank == 4 && ttt_shape_equal(fast, ttt_shape_of(g, w2))) {
        const int64_t heads = fast.size[1], d = fast.size[2];
        if (in.size[1] == height * width && in.size[2] == (3 * heads + 3) * d &&
            ttt_shape_equal(fast, ttt_dims(1, heads, d, d)) &&
            ttt_shape_equal(ttt_shape_of(g, w3), ttt_dims(d, 3, 3)))
            return true;
    }
    ttt_graph_fail(
        g, TTT_SHAPE,
        "vittt_inner takes (B, height * width, 3 H d + 3 d), (1, H, d, d) twice and (d, 3, 3), not "
        "%s, %s and %s",
        ttt_shape_text(in, a), ttt_shape_text(fast, b), ttt_shape_text(ttt_shape_of(g, w3), c));
    return false;
}

ttt_tensor ttt_vittt_inner(ttt_graph *g, ttt_tensor qkv, ttt_tensor w1, ttt_tensor w2, ttt_tensor w3,
                           int64_t height, int64_t width, const ttt_vittt_inner_switches *switches)
{
    if (!ttt_exists(qkv) || !ttt_exists(w1) || !ttt_exists(w2) || !ttt_exists(w3) ||
        !shapes_match(g, qkv, w1, w2, w3, height, width))
        return TTT_INVALID;
    const ttt_shape in = ttt_shape_of(g, qkv);
    const int64_t heads = ttt_size(g, w1, 1), d = ttt_size(g, w1, 2);
    const struct ttt_vittt_inner_attributes attributes = {(int)height, (int)width, (int)heads, *switches};
    const ttt_tensor inputs[] = {ttt_contiguous(g, qkv), ttt_contiguous(g, w1), ttt_contiguous(g, w2),
                                 ttt_contiguous(g, w3)};
    return ttt_node_add_one(g, &ttt_op_vittt_inner, &attributes, inputs, 4, ttt_dtype_of(g, qkv),
                            ttt_dims(in.size[0], in.size[1], (heads + 1) * d));
}

static void vittt_inner_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                                 const bool *wanted, ttt_tensor *in_gradients)
{
    const ttt_tensor qkv = ttt_node_input(node, 0);
    ttt_tensor inputs[5], outputs[4];
    ttt_output_spec specs[4] = {{ttt_dtype_of(g, qkv), ttt_shape_of(g, qkv)}};
    if (!ttt_exists(out_gradients[0]))
        return;
    for (int i = 0; i < 4; i++)
        inputs[i] = ttt_node_input(node, i);
    inputs[4] = ttt_contiguous(g, out_gradients[0]);
    for (int i = 1; i < 4; i++)
        specs[i] = (ttt_output_spec){TTT_F32, ttt_shape_of(g, inputs[i])};
    ttt_node_add(g, &ttt_op_vittt_inner_backward, ttt_node_attributes(node), inputs, 5, specs, 4, outputs);
    for (int i = 0; i < 4; i++)
        if (wanted[i])
            in_gradients[i] = outputs[i];
}

/* Products of (tokens x d) and (d x d) matrices for each head of the batch, and rounds of nine taps. */
static double flops(const ttt_launch *launch, double products, double convolutions)
{
    const ttt_shape in = launch->in[0].shape, fast = launch->in[1].shape;
    const double rows = (double)in.size[0] * (double)in.size[1], d = (double)fast.size[2];
    return rows * d * (2 * products * d * (double)fast.size[1] + 18 * convolutions);
}

/* Products of the gated branch, forward. */
static double gated_products(const ttt_launch *launch)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    return a->switches.linear ? 2 : a->switches.last_only ? 4 : 6;
}

static ttt_cost forward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = flops(launch, gated_products(launch), 2)};
}

/* Each product has two gradients; what is worked out again, as nothing is kept, does not count. */
static ttt_cost backward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 2 * flops(launch, gated_products(launch), 2)};
}

static const ttt_implementation *const forward_rows[] = {&ttt_vittt_inner_cpu,
                                                         TTT_CUDA_ROW(&ttt_vittt_inner_cuda) NULL};

const ttt_operator ttt_op_vittt_inner = {
    .name = "vittt_inner",
    .attribute_size = sizeof(struct ttt_vittt_inner_attributes),
    .gradient = vittt_inner_gradient,
    .cost = forward_cost,
    .bf16_wants = 1 << 0,
    .bf16_gives = 1 << 0,
    .implementations = forward_rows,
};

static const ttt_implementation *const backward_rows[] = {&ttt_vittt_inner_backward_cpu,
                                                          TTT_CUDA_ROW(&ttt_vittt_inner_backward_cuda) NULL};

const ttt_operator ttt_op_vittt_inner_backward = {
    .name = "vittt_inner_backward",
    .attribute_size = sizeof(struct ttt_vittt_inner_attributes),
    .cost = backward_cost,
    .bf16_wants = 1 << 0 | 1 << 4,
    .bf16_gives = 1 << 0,
    .implementations = backward_rows,
};
