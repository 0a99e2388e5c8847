/* Chunks in the parallel form: all gradients at once, momentum as a product with a triangular matrix, batched
 * Newton-Schulz, a prefix sum, and all reads at once. */
#include "ttt/fast/chunks.h"

#include "ttt/fast/chunks_internal.h"
#include "ttt/fast/muon.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/fill/fill.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"

const char *ttt_chunks_obstacle(const ttt_variant *variant)
{
    if (variant->update == TTT_UPDATE_ALL && variant->kernel != TTT_KERNEL_LINEAR)
        return "update 'all' moves the feature map; the parallel form needs update 'last' or kernel 'linear'";
    if (variant->loss != TTT_LOSS_DOT)
        return "loss 'mse' makes a step depend on the one before; the parallel form needs loss 'dot'";
    if (variant->weight_norm)
        return "weight_norm makes the weights no plain sum of steps; the parallel form needs it off";
    if (variant->inner_steps != 1)
        return "inner_steps above 1 is steps after one another; the parallel form needs inner_steps 1";
    return NULL;
}

/* From blocks of s x s on the diagonal, (B, H, n, s, s), to half as many of twice the size.  The new corner
 * leads from the left block's last row over the right block's first factor down the right block's first
 * column.
 */
static ttt_tensor join_pairs(ttt_graph *g, ttt_tensor blocks, ttt_tensor beta)
{
    const ttt_shape shape = ttt_shape_of(g, blocks);
    const int64_t batch = shape.size[0], heads = shape.size[1], pairs = shape.size[2] / 2, s = shape.size[3];
    const ttt_shape block = ttt_dims(batch, heads, pairs, s, s);
    ttt_tensor half[2];
    ttt_split(g, ttt_reshape(g, blocks, ttt_dims(batch, heads, pairs, 2, s, s)), 3, 2, (int64_t[]){1, 1},
              half);
    ttt_tensor left = ttt_reshape(g, half[0], block), right = ttt_reshape(g, half[1], block);
    ttt_tensor factor = ttt_slice(g, ttt_reshape(g, beta, ttt_dims(batch, heads, pairs, 2 * s)), 3, s, 1);
    factor = ttt_reshape(g, factor, ttt_dims(batch, heads, pairs, 1, 1));
    ttt_tensor column = ttt_mul(g, ttt_slice(g, right, 4, 0, 1), factor);
    ttt_tensor corner = ttt_mul(g, column, ttt_slice(g, left, 3, s - 1, 1));
    ttt_tensor upper = ttt_concat(g, (ttt_tensor[]){left, ttt_fill(g, block, 0)}, 2, 4);
    ttt_tensor lower = ttt_concat(g, (ttt_tensor[]){corner, right}, 2, 4);
    return ttt_concat(g, (ttt_tensor[]){upper, lower}, 2, 3);
}

ttt_tensor ttt_chunks_decay(ttt_graph *g, ttt_tensor beta)
{
    if (!ttt_exists(beta))
        return TTT_INVALID;
    char text[TTT_SHAPE_TEXT];
    const ttt_shape shape = ttt_shape_of(g, beta);
    if (shape.rank != 3)
        return ttt_graph_fail(g, TTT_SHAPE, "chunks: factors %s are not (B, H, C)",
                              ttt_shape_text(shape, text));
    const int64_t batch = shape.size[0], heads = shape.size[1], count = shape.size[2];
    int64_t whole = 1;
    while (whole < count)
        whole *= 2;
    if (whole > count)
        beta =
            ttt_concat(g, (ttt_tensor[]){beta, ttt_fill(g, ttt_dims(batch, heads, whole - count), 0)}, 2, 2);
    ttt_tensor blocks = ttt_fill(g, ttt_dims(batch, heads, whole, 1, 1), 1);
    for (int64_t s = 1; s < whole; s *= 2)
        blocks = join_pairs(g, blocks, beta);
    blocks = ttt_reshape(g, blocks, ttt_dims(batch, heads, whole, whole));
    return ttt_slice(g, ttt_slice(g, blocks, 2, 0, count), 3, 0, count);
}

/* The sums that the weights stand at before each chunk and after the last: (1, 1, C + 1, C) of ones below the
 * diagonal. */
static ttt_tensor prefix_matrix(ttt_graph *g, int64_t count)
{
    ttt_tensor ones = ttt_chunks_decay(g, ttt_fill(g, ttt_dims(1, 1, count), 1));
    return ttt_concat(g, (ttt_tensor[]){ttt_fill(g, ttt_dims(1, 1, 1, count), 0), ones}, 2, 2);
}

/* (B, H, L, c) as (B, H, C, chunk, c), zeros after the last token. */
static ttt_tensor by_chunks(ttt_graph *g, ttt_tensor x, int64_t chunk, int64_t count)
{
    const ttt_shape s = ttt_shape_of(g, x);
    const int64_t missing = count * chunk - s.size[2];
    if (missing)
        x = ttt_concat(
            g, (ttt_tensor[]){x, ttt_fill(g, ttt_dims(s.size[0], s.size[1], missing, s.size[3]), 0)}, 2, 2);
    return ttt_reshape(g, x, ttt_dims(s.size[0], s.size[1], count, chunk, s.size[3]));
}

/* The first chunk's direction takes along the momentum of an earlier sequence: directions (B, H, C, m, d). */
static ttt_tensor carry_momentum(ttt_graph *g, ttt_tensor directions, ttt_tensor before, ttt_tensor beta)
{
    const ttt_shape s = ttt_shape_of(g, directions);
    ttt_tensor parts[2] = {ttt_slice(g, directions, 2, 0, 1)};
    ttt_tensor factor = ttt_slice(g, beta, 2, 0, 1);
    factor = ttt_reshape(g, factor, ttt_dims(ttt_size(g, beta, 0), ttt_size(g, beta, 1), 1, 1, 1));
    before = ttt_reshape(g, before, ttt_dims(s.size[0], s.size[1], 1, s.size[3], s.size[4]));
    parts[0] = ttt_add(g, parts[0], ttt_mul(g, before, factor));
    if (s.size[2] == 1)
        return parts[0];
    parts[1] = ttt_slice(g, directions, 2, 1, s.size[2] - 1);
    return ttt_concat(g, parts, 2, 2);
}

/* matrix (B or 1, H or 1, n, C) over the chunks of x (B, H, C, m, d): (B, H, n, m, d). */
static ttt_tensor over_chunks(ttt_graph *g, ttt_tensor matrix, ttt_tensor x)
{
    const ttt_shape s = ttt_shape_of(g, x);
    ttt_tensor flat = ttt_reshape(g, x, ttt_dims(s.size[0], s.size[1], s.size[2], s.size[3] * s.size[4]));
    return ttt_reshape(g, ttt_precise(g, ttt_matmul(g, matrix, flat)),
                       ttt_dims(s.size[0], s.size[1], ttt_size(g, matrix, 2), s.size[3], s.size[4]));
}

/* Chunk c of x (B, H, C, m, d). */
static ttt_tensor chunk_of(ttt_graph *g, ttt_tensor x, int64_t c)
{
    const ttt_shape s = ttt_shape_of(g, x);
    return ttt_reshape(g, ttt_slice(g, x, 2, c, 1), ttt_dims(s.size[0], s.size[1], s.size[3], s.size[4]));
}

/* The sums of steps before each chunk and after the last, (B, H, C + 1, m, d), of directions (B, H, C, m, d).
 */
static ttt_tensor sum_steps(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                            ttt_tensor directions, ttt_tensor momentum)
{
    const int64_t count = ttt_size(g, directions, 2);
    ttt_tensor prefix = prefix_matrix(g, count), steps = directions;
    if (options->variant.momentum && ttt_exists(momentum)) {
        ttt_tensor decay = ttt_chunks_decay(g, momentum);
        if (ttt_exists(fast->momentum[1]))
            directions = carry_momentum(g, directions, fast->momentum[1], momentum);
        fast->momentum[1] = chunk_of(g, over_chunks(g, ttt_slice(g, decay, 2, count - 1, 1), directions), 0);
        if (!options->variant.condition_gradient)
            return over_chunks(g, ttt_matmul(g, prefix, decay), directions);
        steps = over_chunks(g, decay, directions);
    }
    if (options->variant.condition_gradient)
        steps = ttt_newton_schulz(g, steps, options->muon_steps);
    return over_chunks(g, prefix, steps);
}

/* The chunks' directions of w[1]: (B, H, C, m, d). */
static ttt_tensor directions_of(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                                const ttt_lact_tokens *tokens, int64_t chunk, int64_t count)
{
    ttt_tensor features = ttt_lact_features(g, options, fast, tokens->k);
    if (options->variant.token_lr)
        features = ttt_mul(g, features, tokens->rate[1]);
    return ttt_precise(g, ttt_matmul(g, ttt_transpose(g, by_chunks(g, features, chunk, count), 3, 4),
                                     by_chunks(g, tokens->v, chunk, count)));
}

ttt_tensor ttt_chunks_parallel(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                               const ttt_lact_tokens *tokens, int64_t chunk, ttt_tensor momentum)
{
    const char *obstacle = ttt_chunks_obstacle(&options->variant);
    if (obstacle)
        return ttt_graph_fail(g, TTT_UNSUPPORTED, "chunks in parallel: %s", obstacle);
    if (!chunks_fit(g, tokens, chunk, momentum))
        return TTT_INVALID;
    const int64_t count = chunks_count(g, tokens, chunk);
    const ttt_shape s = ttt_shape_of(g, tokens->k), w = ttt_shape_of(g, fast->w[1]);
    ttt_tensor directions = directions_of(g, options, fast, tokens, chunk, count);
    ttt_tensor sums = sum_steps(g, options, fast, directions, momentum);
    ttt_tensor start = ttt_reshape(g, fast->w[1], ttt_dims(w.size[0], w.size[1], 1, w.size[2], w.size[3]));
    ttt_tensor weights =
        options->variant.direction == TTT_DESCENT ? ttt_add(g, start, sums) : ttt_sub(g, start, sums);
    ttt_precise(g, weights);
    ttt_tensor features = ttt_lact_features(g, options, fast, ttt_lact_query(options, tokens));
    ttt_tensor y = ttt_matmul(g, by_chunks(g, features, chunk, count), ttt_slice(g, weights, 2, 0, count));
    fast->w[1] = chunk_of(g, weights, count);
    y = ttt_reshape(g, y, ttt_dims(s.size[0], s.size[1], count * chunk, s.size[3]));
    return ttt_slice(g, y, 2, 0, s.size[2]);
}
