/* The table of operator cases, and how each is built. */
#include "tools/bench/op_cases.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/bench/op_cases_lact.h"
#include "tools/bench/op_cases_optimiser.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/add_slice/add_slice.h"
#include "ttt/ops/attention/attention.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/conv3x3/conv3x3.h"
#include "ttt/ops/copy/copy.h"
#include "ttt/ops/cross_entropy/cross_entropy.h"
#include "ttt/ops/drop_path/drop_path.h"
#include "ttt/ops/fill/fill.h"
#include "ttt/ops/layernorm/layernorm.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/mse/mse.h"
#include "ttt/ops/patches/patches.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/rays/rays.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/rmsnorm/rmsnorm.h"
#include "ttt/ops/silu_heads/silu_heads.h"
#include "ttt/ops/vittt_inner/vittt_inner.h"

static void output(struct bench_op_graph *g, ttt_tensor y)
{
    ttt_output(g->graph, "y", y);
}

/* (rows, in) to (rows, out) with an activation. */
static void linear(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1])),
               weight = bench_op_activation(g, ttt_dims(n[2], n[1]));
    output(g, ttt_linear(g->graph, x, weight, bench_op_activation(g, ttt_dims(n[2])), (ttt_activation)n[3]));
}

/* (n, k) transposed times (n, m): the gradient of a weight. */
static void weight_gradient(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor dy = bench_op_activation(g, ttt_dims(n[0], n[1])),
               x = bench_op_activation(g, ttt_dims(n[0], n[2]));
    ttt_tensor weight, bias;
    ttt_weight_gradient(g->graph, dy, x, &weight, &bias);
    output(g, weight);
    output(g, bias);
}

/* (n, k) times (k, m): the gradient of an input. */
static void input_gradient(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor dy = bench_op_activation(g, ttt_dims(n[0], n[1]));
    output(g, ttt_matmul(g->graph, dy, bench_op_activation(g, ttt_dims(n[1], n[2]))));
}

/* Tokens of heads as a layer has them: (B, H, N, d), a view of (B, N, H, d). */
static ttt_tensor heads(struct bench_op_graph *g, const int64_t *n)
{
    return ttt_transpose(g->graph, bench_op_activation(g, ttt_dims(n[0], n[2], n[1], n[3])), 1, 2);
}

/* x w, with w shared by n[4] = 1 or held by each of B samples. */
static void fast_read(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = heads(g, n);
    output(g, ttt_matmul(g->graph, x, bench_op_activation(g, ttt_dims(n[4], n[1], n[3], n[3]))));
}

/* k^T e */
static void fast_gradient(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor k = heads(g, n), e = heads(g, n);
    output(g, ttt_matmul(g->graph, ttt_transpose(g->graph, k, 2, 3), e));
}

/* The same, summed over the batch: the gradient of a shared weight. */
static void shared_gradient(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor k = heads(g, n), e = heads(g, n);
    output(g, ttt_matmul_sum(g->graph, ttt_transpose(g->graph, k, 2, 3), e, ttt_dims(1, n[1])));
}

static void layernorm(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1])),
               gain = bench_op_activation(g, ttt_dims(n[1]));
    output(g, ttt_layernorm(g->graph, x, gain, bench_op_activation(g, ttt_dims(n[1])), 1e-6f));
}

static void layernorm_backward(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1])),
               dy = bench_op_activation(g, ttt_dims(n[0], n[1]));
    ttt_tensor wanted[3] = {x, bench_op_activation(g, ttt_dims(n[1])),
                            bench_op_activation(g, ttt_dims(n[1]))},
               gradients[3];
    ttt_gradient_from(g->graph, ttt_layernorm(g->graph, x, wanted[1], wanted[2], 1e-6f), dy, wanted, 3,
                      gradients);
    ttt_output(g->graph, "dx", gradients[0]);
    ttt_output(g->graph, "dgain", gradients[1]);
    ttt_output(g->graph, "dbias", gradients[2]);
}

/* Kernels: (C, 3, 3), or one for each sample where n[4]. */
static ttt_tensor kernel(struct bench_op_graph *g, const int64_t *n)
{
    return bench_op_activation(g, n[4] ? ttt_dims(n[0], n[3], 3, 3) : ttt_dims(n[3], 3, 3));
}

static void conv3x3(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[3])), k = kernel(g, n);
    output(g, ttt_conv3x3(g->graph, x, k, n[4] ? TTT_NONE : bench_op_activation(g, ttt_dims(n[3]))));
}

static void conv3x3_kernel_gradient(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[3]));
    output(g, ttt_conv3x3_kernel_gradient(g->graph, x,
                                          bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[3])), n[4]));
}

static void residual(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1]));
    output(g, ttt_add(g->graph, x, bench_op_activation(g, ttt_dims(n[0], n[1]))));
}

/* dy gelu'(x) */
static void gelu_backward(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1]));
    output(g, ttt_mul(g->graph, bench_op_activation(g, ttt_dims(n[0], n[1])), ttt_gelu_grad(g->graph, x)));
}

/* e z1 silu'(z2): what a fast weight of the gate learns from */
static void gate(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor e = heads(g, n), z1 = bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[3]));
    ttt_tensor slope = ttt_silu_grad(g->graph, bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[3])));
    output(g, ttt_mul(g->graph, ttt_mul(g->graph, ttt_scale(g->graph, e, 0.5f), z1), slope));
}

/* (B, N, d) summed over the dimensions in n[3]. */
static void sum(struct bench_op_graph *g, const int64_t *n)
{
    output(g, ttt_sum(g->graph, bench_op_activation(g, ttt_dims(n[0], n[1], n[2])), (unsigned)n[3]));
}

static void copy(struct bench_op_graph *g, const int64_t *n)
{
    output(g, ttt_copy(g->graph, heads(g, n)));
}

/* (B, N, H, d) and (B, N, 1, d), the outputs of both branches. */
static void concat(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor gated =
        ttt_transpose(g->graph, bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[3])), 1, 2);
    ttt_tensor parts[2] = {gated, bench_op_activation(g, ttt_dims(n[0], n[2], 1, n[3]))};
    output(g, ttt_concat(g->graph, parts, 2, 2));
}

static void patches(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor images = bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[2]));
    output(g, ttt_patches(g->graph, images, (int)n[3], TTT_PATCH_CHANNEL_FIRST));
}

static void unpatches(struct bench_op_graph *g, const int64_t *n)
{
    const int64_t side = n[2] / n[3];
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], side, side, n[1] * n[3] * n[3]));
    output(g, ttt_unpatches(g->graph, x, (int)n[3], TTT_PATCH_CHANNEL_FIRST));
}

static void cross_entropy(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor logits = bench_op_activation(g, ttt_dims(n[0], n[1]));
    output(g, ttt_cross_entropy(g->graph, logits, bench_op_activation(g, ttt_dims(n[0], n[1]))));
}

static void cross_entropy_backward(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor logits = bench_op_activation(g, ttt_dims(n[0], n[1])), gradient;
    ttt_tensor loss = ttt_cross_entropy(g->graph, logits, bench_op_activation(g, ttt_dims(n[0], n[1])));
    ttt_gradient(g->graph, loss, &logits, 1, &gradient);
    output(g, gradient);
}

static void drop_path(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor step = bench_op_input(g, TTT_I32, ttt_dims(1));
    output(g, ttt_drop_path(g->graph, step, n[0], 4, 0.1f, 0, 1));
}

static void fill(struct bench_op_graph *g, const int64_t *n)
{
    output(g, ttt_fill(g->graph, ttt_dims(n[0], n[1]), 1));
}

static void attention(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor q = heads(g, n), k = heads(g, n);
    output(g, ttt_attention(g->graph, q, k, heads(g, n)));
}

static void attention_backward(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor qkv[3], gradients[3];
    for (int i = 0; i < 3; i++)
        qkv[i] = heads(g, n);
    ttt_gradient_from(g->graph, ttt_attention(g->graph, qkv[0], qkv[1], qkv[2]), heads(g, n), qkv, 3,
                      gradients);
    ttt_output(g->graph, "dq", gradients[0]);
    ttt_output(g->graph, "dk", gradients[1]);
    ttt_output(g->graph, "dv", gradients[2]);
}

static void add_slice(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1], n[3])),
               part = bench_op_activation(g, ttt_dims(n[0], n[2], n[3]));
    output(g, ttt_add_slice(g->graph, x, part, 1, 0));
}

static void rmsnorm(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1]));
    output(g, ttt_rmsnorm(g->graph, x, bench_op_activation(g, ttt_dims(n[1])), 1e-5f));
}

static void rmsnorm_backward(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor wanted[2] = {bench_op_activation(g, ttt_dims(n[0], n[1])),
                            bench_op_activation(g, ttt_dims(n[1]))},
               gradients[2];
    ttt_tensor dy = bench_op_activation(g, ttt_dims(n[0], n[1]));
    ttt_gradient_from(g->graph, ttt_rmsnorm(g->graph, wanted[0], wanted[1], 1e-5f), dy, wanted, 2, gradients);
    ttt_output(g->graph, "dx", gradients[0]);
    ttt_output(g->graph, "dgain", gradients[1]);
}

/* Tokens of so many parts, each one head. */
static void silu_heads(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor y[TTT_SILU_HEADS_PARTS];
    ttt_silu_heads(g->graph, bench_op_activation(g, ttt_dims(1, n[0], n[1] * n[2])), 1, (int)n[1], 1, 1e-5f,
                   y);
    for (int p = 0; p < n[1]; p++)
        ttt_output(g->graph, p ? "v" : "k", y[p]);
}

static void silu_heads_backward(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(1, n[0], n[2])),
               dy = bench_op_activation(g, ttt_dims(1, n[0], 1, n[2])), y, dx;
    ttt_silu_heads(g->graph, x, 1, 1, 1, 1e-5f, &y);
    ttt_gradient_from(g->graph, y, dy, &x, 1, &dx);
    ttt_output(g->graph, "dx", dx);
}

/* Cameras of n[0] scenes with n[1] views. */
static void rays(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor focal = bench_op_activation(g, ttt_dims(n[0], n[1], 4));
    output(g, ttt_rays(g->graph, focal, bench_op_activation(g, ttt_dims(n[0], n[1], 4, 4)), n[2], n[2]));
}

static void mse(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[2]));
    output(g, ttt_mse(g->graph, x, bench_op_activation(g, ttt_dims(n[0], n[1], n[2], n[2]))));
}

/* Both branches of a ViTTT layer: of qkv, w1, w2, w3.  n: samples, heads, side of the picture, channels. */
static ttt_tensor layer_inside(struct bench_op_graph *g, const int64_t *n, ttt_tensor in[4])
{
    const int64_t heads = n[1], d = n[3];
    in[0] = bench_op_activation(g, ttt_dims(n[0], n[2] * n[2], (3 * heads + 3) * d));
    in[1] = bench_op_activation(g, ttt_dims(1, heads, d, d));
    in[2] = bench_op_activation(g, ttt_dims(1, heads, d, d));
    in[3] = bench_op_activation(g, ttt_dims(d, 3, 3));
    return ttt_vittt_inner(g->graph, in[0], in[1], in[2], in[3], n[2], n[2],
                           &(ttt_vittt_inner_switches){.conditioned = true});
}

static void vittt_inner(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor in[4];
    output(g, layer_inside(g, n, in));
}

static void vittt_inner_backward(struct bench_op_graph *g, const int64_t *n)
{
    static const char *const names[] = {"dqkv", "dw1", "dw2", "dw3"};
    ttt_tensor in[4], gradients[4], y = layer_inside(g, n, in);
    ttt_gradient_from(g->graph, y, bench_op_activation(g, ttt_shape_of(g->graph, y)), in, 4, gradients);
    for (int i = 0; i < 4; i++)
        ttt_output(g->graph, names[i], gradients[i]);
}

/* Of ViT^3: pictures, tokens of one, width, heads, their channels. */
enum { B = BENCH_OP_BATCH, N = 196, ROWS = B * N, C = 192, H = 6, D = 32 };

/* Of LaCT-NVS: views, tokens of one, attention heads, their channels, width, tokens of a large scene. */
enum { V = BENCH_OP_BATCH, VIEW = 256, VIEW_HEADS = 12, VIEW_D = 64, WIDTH = 768, SCENE = 80 * VIEW };

/* Sizes are the builder's n[0], n[1], ... */
static const struct bench_op_case cases[] = {
    {"linear", "patch_embed", linear, {ROWS, 768, C, TTT_IDENTITY}},
    {"linear", "attn.qkv", linear, {ROWS, C, 3 * C + 3 * D, TTT_IDENTITY}},
    {"linear", "attn.proj", linear, {ROWS, C + D, C, TTT_IDENTITY}},
    {"linear", "mlp.fc1 with GELU", linear, {ROWS, C, 4 * C, TTT_GELU}},
    {"linear", "mlp.fc2", linear, {ROWS, 4 * C, C, TTT_IDENTITY}},
    {"linear", "head", linear, {B, C, 1000, TTT_IDENTITY}},
    {"linear", "LaCT, rates, one scene", linear, {SCENE, WIDTH, 3, TTT_IDENTITY}},
    {"matmul", "input gradient of mlp.fc1", input_gradient, {ROWS, 4 * C, C}},
    {"matmul", "input gradient of mlp.fc2", input_gradient, {ROWS, C, 4 * C}},
    {"matmul", "k w, shared", fast_read, {B, H, N, D, 1}},
    {"matmul", "q w, moved", fast_read, {B, H, N, D, B}},
    {"matmul", "k^T e", fast_gradient, {B, H, N, D}},
    {"matmul", "gradient of w", shared_gradient, {B, H, N, D}},
    {"layernorm", "norm1", layernorm, {ROWS, C}},
    {"layernorm_backward", "norm1", layernorm_backward, {ROWS, C}},
    {"conv3x3", "cpe", conv3x3, {B, 14, 14, C, 0}},
    {"conv3x3", "attn, moved w3", conv3x3, {B, 14, 14, D, 1}},
    {"conv3x3_kernel_gradient", "cpe", conv3x3_kernel_gradient, {B, 14, 14, C, 0}},
    {"conv3x3_kernel_gradient", "attn, inner step", conv3x3_kernel_gradient, {B, 14, 14, D, 1}},
    {"pointwise", "residual", residual, {ROWS, C}},
    {"pointwise", "GELU backward", gelu_backward, {ROWS, 4 * C}},
    {"pointwise", "gate", gate, {B, H, N, D}},
    {"sum", "bias gradient of mlp.fc1", sum, {1, ROWS, 4 * C, 1 << 1}},
    {"sum", "mean of tokens", sum, {B, N, C, 1 << 1}},
    {"sum", "column norms", sum, {B * H, D, D, 1 << 1}},
    {"copy", "heads in order", copy, {B, H, N, D}},
    {"concat", "branches", concat, {B, H, N, D}},
    {"patches", "patch_embed", patches, {B, 3, 224, 16}},
    {"unpatches", "pictures", unpatches, {B, 3, 224, 16}},
    {"cross_entropy", "loss", cross_entropy, {B, 1000}},
    {"cross_entropy_backward", "loss", cross_entropy_backward, {B, 1000}},
    {"drop_path", "block", drop_path, {B}},
    {"fill", "zeros", fill, {ROWS, C}},
    {"attention", "LaCT, in a view", attention, {V, VIEW_HEADS, VIEW, VIEW_D}},
    {"attention_backward", "LaCT, in a view", attention_backward, {V, VIEW_HEADS, VIEW, VIEW_D}},
    {"rmsnorm", "LaCT, of q and k", rmsnorm, {V * VIEW * VIEW_HEADS, VIEW_D}},
    {"rmsnorm_backward", "LaCT, of q and k", rmsnorm_backward, {V * VIEW * VIEW_HEADS, VIEW_D}},
    {"silu_heads", "LaCT, q", silu_heads, {V * VIEW, 1, WIDTH}},
    {"silu_heads", "LaCT, k and v", silu_heads, {V * VIEW, 2, WIDTH}},
    {"silu_heads_backward", "LaCT, q", silu_heads_backward, {V * VIEW, 1, WIDTH}},
    {"add_slice", "LaCT, gradient of input views", add_slice, {2, V / 2 * VIEW, V / 8 * VIEW, WIDTH}},
    {"matmul_pair", "Newton-Schulz, gradient", bench_op_matmul_pair, {BENCH_OP_BATCH, 768}},
    {"swiglu", "LaCT, queries", bench_op_swiglu, {V * VIEW, WIDTH, WIDTH, 0}},
    {"swiglu", "LaCT, keys", bench_op_swiglu, {V * VIEW, WIDTH, WIDTH, 1}},
    {"symmetric", "Newton-Schulz", bench_op_symmetric, {BENCH_OP_BATCH, 768, 768, 0}},
    {"symmetric", "Newton-Schulz, gradient", bench_op_symmetric, {BENCH_OP_BATCH, 768, 768, 1}},
    {"l2norm", "LaCT, one scene", bench_op_l2norm, {3, WIDTH, 2 * WIDTH, 0}},
    {"l2norm", "LaCT, fast weights", bench_op_l2norm, {BENCH_OP_BATCH, 768, 768, 0}},
    {"l2norm_backward", "LaCT, fast weights", bench_op_l2norm, {BENCH_OP_BATCH, 768, 768, 1}},
    {"weight_norm", "LaCT, one scene", bench_op_weight_norm, {1, WIDTH, 2 * WIDTH, 0}},
    {"weight_norm", "LaCT, one scene, transposed", bench_op_weight_norm_transposed, {1, 2 * WIDTH, WIDTH}},
    {"weight_norm", "LaCT, fast weights", bench_op_weight_norm, {BENCH_OP_BATCH, 768, 768, 0}},
    {"weight_norm_backward", "LaCT, fast weights", bench_op_weight_norm, {BENCH_OP_BATCH, 768, 768, 1}},
    {"rays", "LaCT, 2 scenes", rays, {2, V / 2, 128}},
    {"mse", "LaCT, loss", mse, {V, 3, 128}},
    {"gradient_norm", "vittt_tiny", bench_op_gradient_norm, {0}},
    {"adamw", "vittt_tiny", bench_op_adamw, {0}},
    {"adamw", "vittt_tiny, averages", bench_op_adamw, {1}},
    {"accumulate", "vittt_tiny", bench_op_accumulate, {0}},
    {"clear", "vittt_tiny", bench_op_clear, {0}},
    {"weight_gradient", "mlp.fc1", weight_gradient, {ROWS, 4 * C, C}},
    {"weight_gradient", "mlp.fc2", weight_gradient, {ROWS, C, 4 * C}},
    {"weight_gradient", "attn.qkv", weight_gradient, {ROWS, 3 * C + 3 * D, C}},
    {"vittt_inner", "attn", vittt_inner, {B, H, 14, D}},
    {"vittt_inner", "attn of vittt_base", vittt_inner, {B, 12, 14, 64}},
    {"vittt_inner_backward", "attn", vittt_inner_backward, {B, H, 14, D}},
    {"vittt_inner_backward", "attn of vittt_base", vittt_inner_backward, {B, 12, 14, 64}},
};

const struct bench_op_case *bench_op_case_at(int i)
{
    return i >= 0 && (size_t)i < sizeof cases / sizeof *cases ? &cases[i] : NULL;
}
