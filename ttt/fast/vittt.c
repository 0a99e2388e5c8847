/* The ViTTT layer out of operators; its inside is one of them where that is there. */
#include "ttt/fast/vittt.h"

#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/conv3x3/conv3x3.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/vittt_inner/vittt_inner.h"

/* Both branches scale the inner loss by (3*3)^-1/2, the size of the convolution's kernel. */
static const float inner_scale = 1.0f / 3;

/* w - direction * gradient, the gradient divided by (its norm over `dimensions` + 1) where `conditioned`. */
static ttt_tensor move(ttt_graph *g, ttt_tensor w, ttt_tensor gradient, unsigned dimensions, bool conditioned,
                       ttt_direction direction)
{
    if (conditioned)
        gradient = ttt_div(g, gradient, ttt_shift(g, ttt_norm(g, gradient, dimensions), 1));
    return ttt_precise(g, direction == TTT_DESCENT ? ttt_sub(g, w, gradient) : ttt_add(g, w, gradient));
}

/* k^T e, the gradient of a bias-free linear layer, moved into w.  Columns are conditioned one by one. */
static ttt_tensor move_linear(ttt_graph *g, ttt_tensor w, ttt_tensor k, ttt_tensor e,
                              const ttt_variant *variant)
{
    const unsigned rows = 1u << 2; /* of (B, H, d, d) */
    ttt_tensor gradient = ttt_precise(g, ttt_matmul(g, ttt_transpose(g, k, -1, -2), e));
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

/* Both branches as one operator; qkv (B, N, 3C + 3d). */
static ttt_tensor inner_operator(ttt_graph *g, const ttt_vittt_weights *weights, ttt_tensor qkv,
                                 ttt_shape picture, const ttt_variant *variant)
{
    const int64_t d = ttt_size(g, weights->w1, 2);
    const ttt_vittt_inner_switches switches = {.linear = variant->kernel == TTT_KERNEL_LINEAR,
                                               .last_only = variant->update == TTT_UPDATE_LAST,
                                               .ascent = variant->direction == TTT_ASCENT,
                                               .conditioned = variant->condition_gradient,
                                               .query_is_key = variant->query == TTT_QUERY_K};
    return ttt_vittt_inner(g, qkv, weights->w1, weights->w2, ttt_reshape(g, weights->w3, ttt_dims(d, 3, 3)),
                           picture.size[1], picture.size[2], &switches);
}

/* The same out of operators. */
static ttt_tensor inner_composition(ttt_graph *g, const ttt_vittt_weights *weights, ttt_tensor qkv,
                                    ttt_shape picture, const ttt_variant *variant)
{
    const int64_t batch = picture.size[0], tokens = picture.size[1] * picture.size[2],
                  heads = ttt_size(g, weights->w1, 1), d = picture.size[3] / heads;

    /* Seen as 3H + 3 heads of d channels, every part is a view, and so is its gradient's place. */
    ttt_tensor part[6];
    qkv = ttt_reshape(g, qkv, ttt_dims(batch, tokens, 3 * heads + 3, d));
    ttt_split(g, qkv, 2, 6, (int64_t[]){heads, heads, heads, 1, 1, 1}, part);
    for (int i = 0; i < 3; i++) /* of the gated branch: (B, H, N, d) */
        part[i] = ttt_transpose(g, part[i], 1, 2);
    for (int i = 3; i < 6; i++) /* of the convolution: (B, h, w, d) */
        part[i] = ttt_reshape(g, part[i], ttt_dims(batch, picture.size[1], picture.size[2], d));
    ttt_tensor q1 = part[0], k1 = part[1], v1 = part[2], q2 = part[3], k2 = part[4], v2 = part[5];

    ttt_tensor w1 = weights->w1, w2 = weights->w2, w3 = ttt_reshape(g, weights->w3, ttt_dims(d, 3, 3));
    for (int step = 0; step < variant->inner_steps; step++) {
        ttt_vittt_glu_step(g, &w1, &w2, k1, v1, variant);
        w3 = ttt_vittt_conv_step(g, w3, k2, v2, variant);
    }

    bool read_k = variant->query == TTT_QUERY_K;
    ttt_tensor y1 = ttt_vittt_glu_apply(g, w1, w2, read_k ? k1 : q1, variant);
    ttt_tensor y2 = ttt_conv3x3(g, read_k ? k2 : q2, w3, TTT_NONE);
    return ttt_concat(
        g, (ttt_tensor[]){ttt_transpose(g, y1, 1, 2), ttt_reshape(g, y2, ttt_dims(batch, tokens, 1, d))}, 2,
        2);
}

ttt_tensor ttt_vittt_layer(ttt_graph *g, const ttt_vittt_weights *weights, ttt_tensor x,
                           const ttt_variant *variant)
{
    if (!layer_fits(g, weights, x))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, x);
    const int64_t batch = shape.size[0], tokens = shape.size[1] * shape.size[2],
                  d = shape.size[3] / ttt_size(g, weights->w1, 1);
    ttt_tensor qkv = ttt_linear(g, x, weights->qkv_weight, weights->qkv_bias, TTT_IDENTITY), y;
    if (ttt_vittt_inner_fits(g, d, tokens) && variant->loss == TTT_LOSS_DOT && variant->inner_steps == 1)
        y = inner_operator(g, weights, ttt_reshape(g, qkv, ttt_dims(batch, tokens, 3 * (shape.size[3] + d))),
                           shape, variant);
    else
        y = inner_composition(g, weights, qkv, shape, variant);
    y = ttt_reshape(g, y, ttt_dims(batch, shape.size[1], shape.size[2], shape.size[3] + d));
    return ttt_linear(g, y, weights->proj_weight, weights->proj_bias, TTT_IDENTITY);
}
