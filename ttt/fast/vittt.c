/* The ViTTT layer out of operators. */
#include "ttt/fast/vittt.h"

#include "ttt/ops/concat/concat.h"
#include "ttt/ops/conv3x3/conv3x3.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"

/* Both branches scale the inner loss by (3*3)^-1/2, the size of the convolution's kernel. */
static const float inner_scale = 1.0f / 3;

/* w - direction * gradient, the gradient divided by (its norm over `dimensions` + 1) where `conditioned`. */
static ttt_tensor move(ttt_graph *g, ttt_tensor w, ttt_tensor gradient, unsigned dimensions, bool conditioned,
                       ttt_direction direction)
{
    if (conditioned)
        gradient = ttt_div(g, gradient, ttt_shift(g, ttt_norm(g, gradient, dimensions), 1));
    return direction == TTT_DESCENT ? ttt_sub(g, w, gradient) : ttt_add(g, w, gradient);
}

/* k^T e, the gradient of a bias-free linear layer, moved into w.  Columns are conditioned one by one. */
static ttt_tensor move_linear(ttt_graph *g, ttt_tensor w, ttt_tensor k, ttt_tensor e,
                              const ttt_variant *variant)
{
    const unsigned rows = 1u << 2; /* of (B, H, d, d) */
    ttt_tensor gradient = ttt_matmul(g, ttt_transpose(g, k, -1, -2), e);
    return move(g, w, gradient, rows, variant->condition_gradient, variant->direction);
}

void ttt_vittt_glu_step(ttt_graph *g, ttt_tensor *w1, ttt_tensor *w2, ttt_tensor k, ttt_tensor v,
                        const ttt_variant *variant)
{
    const bool gated = variant->kernel == TTT_KERNEL_SWIGLU, mse = variant->loss == TTT_LOSS_MSE;
    const float scale = inner_scale / (float)ttt_size(g, k, 2);
    ttt_tensor z1 = TTT_NONE, z2 = TTT_NONE, gate = TTT_NONE;
    if (gated) {
        z2 = ttt_matmul(g, k, *w2);
        gate = ttt_silu(g, z2);
    }
    if (mse || (gated && variant->update == TTT_UPDATE_ALL))
        z1 = ttt_matmul(g, k, *w1);

    /* The inner loss's gradient at f(k): -v, or f(k) - v. */
    ttt_tensor e =
        mse ? ttt_scale(g, ttt_sub(g, gated ? ttt_mul(g, z1, gate) : z1, v), scale) : ttt_scale(g, v, -scale);
    ttt_tensor moved1 = move_linear(g, *w1, k, gated ? ttt_mul(g, e, gate) : e, variant);
    if (gated && variant->update == TTT_UPDATE_ALL)
        *w2 = move_linear(g, *w2, k, ttt_mul(g, ttt_mul(g, e, z1), ttt_silu_grad(g, z2)), variant);
    *w1 = moved1;
}

ttt_tensor ttt_vittt_glu_apply(ttt_graph *g, ttt_tensor w1, ttt_tensor w2, ttt_tensor x,
                               const ttt_variant *variant)
{
    ttt_tensor y = ttt_matmul(g, x, w1);
    return variant->kernel == TTT_KERNEL_SWIGLU ? ttt_mul(g, y, ttt_silu(g, ttt_matmul(g, x, w2))) : y;
}

ttt_tensor ttt_vittt_conv_step(ttt_graph *g, ttt_tensor w3, ttt_tensor k, ttt_tensor v,
                               const ttt_variant *variant)
{
    const unsigned taps = 1u << 2 | 1u << 3; /* of (B, d, 3, 3) */
    const float scale = inner_scale / (float)(ttt_size(g, k, 1) * ttt_size(g, k, 2));
    /* The gradient is linear in v, so its small result is scaled instead. */
    ttt_tensor gradient = ttt_scale(g, ttt_conv3x3_kernel_gradient(g, k, v, true), -scale);
    return move(g, w3, gradient, taps, true, variant->direction);
}

/* (B, h, w, C) to (B, H, N, d): a view where strides allow it. */
static ttt_tensor split_heads(ttt_graph *g, ttt_tensor x, int64_t heads)
{
    int64_t tokens = ttt_size(g, x, 1) * ttt_size(g, x, 2);
    ttt_tensor rows =
        ttt_reshape(g, x, ttt_dims(ttt_size(g, x, 0), tokens, heads, ttt_size(g, x, 3) / heads));
    return ttt_transpose(g, rows, 1, 2);
}

static ttt_tensor join_heads(ttt_graph *g, ttt_tensor x, ttt_shape to)
{
    ttt_tensor rows = ttt_transpose(g, x, 1, 2);
    return ttt_reshape(g, rows, to);
}

static bool layer_fits(ttt_graph *g, const ttt_vittt_weights *weights, ttt_tensor x)
{
    ttt_shape in = ttt_shape_of(g, x), fast = ttt_shape_of(g, weights->w1);
    if (!ttt_exists(x) || !ttt_exists(weights->w1))
        return false;
    if (in.rank == 4 && fast.rank == 4 && fast.size[1] * fast.size[2] == in.size[3])
        return true;
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    ttt_graph_fail(g, TTT_SHAPE,
                   "a ViTTT layer takes (B, h, w, C) and fast weights (1, H, C/H, C/H), not %s and %s",
                   ttt_shape_text(in, a), ttt_shape_text(fast, b));
    return false;
}

ttt_tensor ttt_vittt_layer(ttt_graph *g, const ttt_vittt_weights *weights, ttt_tensor x,
                           const ttt_variant *variant)
{
    if (!layer_fits(g, weights, x))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, x);
    const int64_t c = shape.size[3], heads = ttt_size(g, weights->w1, 1), d = c / heads;

    ttt_tensor part[6]; /* q1, k1, v1 of the gated branch; q2, k2, v2 of the convolution */
    ttt_tensor qkv = ttt_linear(g, x, weights->qkv_weight, weights->qkv_bias, TTT_IDENTITY);
    ttt_split(g, qkv, -1, 6, (int64_t[]){c, c, c, d, d, d}, part);
    ttt_tensor q1 = split_heads(g, part[0], heads), k1 = split_heads(g, part[1], heads),
               v1 = split_heads(g, part[2], heads);

    ttt_tensor w1 = weights->w1, w2 = weights->w2, w3 = ttt_reshape(g, weights->w3, ttt_dims(d, 3, 3));
    for (int step = 0; step < variant->inner_steps; step++) {
        ttt_vittt_glu_step(g, &w1, &w2, k1, v1, variant);
        w3 = ttt_vittt_conv_step(g, w3, part[4], part[5], variant);
    }

    bool read_k = variant->query == TTT_QUERY_K;
    ttt_tensor y1 = ttt_vittt_glu_apply(g, w1, w2, read_k ? k1 : q1, variant);
    ttt_tensor y2 = ttt_conv3x3(g, read_k ? part[4] : part[3], w3, TTT_NONE);
    ttt_tensor y = ttt_concat(g, (ttt_tensor[]){join_heads(g, y1, shape), y2}, 2, -1);
    return ttt_linear(g, y, weights->proj_weight, weights->proj_bias, TTT_IDENTITY);
}
