/* The inner model of LaCT and its steps. */
#include "ttt/fast/lact.h"

#include "ttt/fast/muon.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/swiglu/swiglu.h"
#include "ttt/ops/weight_norm/weight_norm.h"

/* The L2 norm of every output column of w (B, H, in, out): (B, H, 1, out). */
static ttt_tensor column_norm(ttt_graph *g, ttt_tensor w)
{
    return ttt_norm(g, w, 1U << 2);
}

ttt_lact_fast ttt_lact_start(ttt_graph *g, const ttt_lact_options *options, const ttt_tensor w[3])
{
    ttt_lact_fast fast = {.w = {w[0], w[1], w[2]}};
    for (int i = 0; i < 3 && options->variant.weight_norm; i++)
        if (ttt_exists(w[i]))
            fast.norm[i] = ttt_detach(g, column_norm(g, w[i]));
    return fast;
}

ttt_tensor ttt_lact_query(const ttt_lact_options *options, const ttt_lact_tokens *tokens)
{
    return options->variant.query == TTT_QUERY_K ? tokens->k : tokens->q;
}

ttt_tensor ttt_lact_features(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                             ttt_tensor x)
{
    if (options->variant.kernel == TTT_KERNEL_LINEAR)
        return x;
    return ttt_swiglu_of(g, x, fast->w[0], fast->w[2], TTT_NONE).y;
}

ttt_tensor ttt_lact_apply(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                          ttt_tensor x)
{
    return ttt_matmul(g, ttt_lact_features(g, options, fast, x), fast->w[1]);
}

/* x^T e, summed over the tokens. */
static ttt_tensor over_tokens(ttt_graph *g, ttt_tensor x, ttt_tensor e)
{
    return ttt_precise(g, ttt_matmul(g, ttt_transpose(g, x, -1, -2), e));
}

static ttt_tensor rated(ttt_graph *g, const ttt_lact_options *options, ttt_tensor x, ttt_tensor rate)
{
    return options->variant.token_lr ? ttt_mul(g, x, rate) : x;
}

/* Minus the inner loss's gradient at f(k): v, or v - f(k). */
static ttt_tensor pull_of(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                          ttt_tensor features, ttt_tensor v)
{
    return options->variant.loss == TTT_LOSS_DOT ? v : ttt_sub(g, v, ttt_matmul(g, features, fast->w[1]));
}

static bool is_square(const ttt_graph *g, ttt_tensor x)
{
    return ttt_size(g, x, -1) == ttt_size(g, x, -2);
}

/* Whether Newton-Schulz goes through the directions of all three fast weights at once, to fill a GPU: w[1]'s
 * must be transposed for that, unless they are square, which pays where samples and heads, the first
 * dimensions of `like`, are few. */
static bool goes_as_one(const ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                        ttt_tensor like)
{
    enum { FEW_MATRICES = 16 };
    const ttt_variant *v = &options->variant;
    if (!v->condition_gradient || v->kernel == TTT_KERNEL_LINEAR || v->update == TTT_UPDATE_LAST)
        return false;
    return is_square(g, fast->w[0]) || ttt_size(g, like, 0) * ttt_size(g, like, 1) < FEW_MATRICES;
}

static bool goes_transposed(const ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                            ttt_tensor like)
{
    return goes_as_one(g, options, fast, like) && !is_square(g, fast->w[0]);
}

void ttt_lact_direction(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                        const ttt_lact_tokens *tokens, ttt_tensor direction[3])
{
    const ttt_tensor k = tokens->k, v = tokens->v, *rate = tokens->rate;
    direction[0] = direction[1] = direction[2] = TTT_NONE;
    if (options->variant.kernel == TTT_KERNEL_LINEAR) {
        ttt_tensor pull = pull_of(g, options, fast, k, v);
        direction[1] = over_tokens(g, rated(g, options, k, rate[1]), pull);
        return;
    }
    const bool with_rate = options->variant.loss == TTT_LOSS_DOT && options->variant.token_lr;
    const ttt_swiglu hidden = ttt_swiglu_of(g, k, fast->w[0], fast->w[2], with_rate ? rate[1] : TTT_NONE);
    ttt_tensor pull = pull_of(g, options, fast, hidden.y, v);
    ttt_tensor weighted = with_rate ? hidden.y : rated(g, options, hidden.y, rate[1]);
    direction[1] = goes_transposed(g, options, fast, k) ? over_tokens(g, pull, weighted)
                                                        : over_tokens(g, weighted, pull);
    if (options->variant.update == TTT_UPDATE_LAST)
        return;
    ttt_tensor back = ttt_matmul(g, pull, ttt_transpose(g, fast->w[1], -1, -2));
    ttt_tensor at_gate = ttt_mul(g, ttt_mul(g, back, hidden.up), ttt_silu_grad(g, hidden.gate));
    direction[0] = over_tokens(g, k, rated(g, options, at_gate, rate[0]));
    direction[2] = over_tokens(g, k, rated(g, options, ttt_mul(g, back, hidden.act), rate[2]));
}

/* Newton-Schulz on each of the steps there are, after which they are shaped as the fast weights. */
static void condition(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                      ttt_tensor step[3])
{
    if (!goes_as_one(g, options, fast, step[1])) {
        for (int i = 0; i < 3; i++)
            if (ttt_exists(step[i]))
                step[i] = ttt_newton_schulz(g, step[i], options->muon_steps);
        return;
    }
    const int64_t batch = ttt_size(g, step[0], 0);
    ttt_tensor whole = ttt_newton_schulz(g, ttt_concat(g, step, 3, 0), options->muon_steps);
    ttt_split(g, whole, 0, 3, (int64_t[]){batch, batch, batch}, step);
    if (goes_transposed(g, options, fast, step[1]))
        step[1] = ttt_transpose(g, step[1], -1, -2);
}

void ttt_lact_move(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                   const ttt_tensor direction[3], ttt_tensor momentum)
{
    const bool keeps_momentum = options->variant.momentum && ttt_exists(momentum);
    ttt_tensor step[3];
    for (int i = 0; i < 3; i++) {
        step[i] = direction[i];
        if (!ttt_exists(step[i]) || !keeps_momentum)
            continue;
        if (ttt_exists(fast->momentum[i]))
            step[i] = ttt_add(g, step[i], ttt_mul(g, fast->momentum[i], momentum));
        fast->momentum[i] = step[i];
    }
    if (options->variant.condition_gradient)
        condition(g, options, fast, step);
    for (int i = 0; i < 3; i++) {
        if (!ttt_exists(step[i]))
            continue;
        const bool descends = options->variant.direction == TTT_DESCENT;
        ttt_tensor w = fast->w[i];
        if (options->variant.weight_norm)
            w = ttt_weight_norm(g, w, step[i], fast->norm[i], descends ? 1 : -1, 1e-5F);
        else
            w = descends ? ttt_add(g, w, step[i]) : ttt_sub(g, w, step[i]);
        fast->w[i] = ttt_precise(g, w);
    }
}

void ttt_lact_update(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                     const ttt_lact_tokens *tokens, ttt_tensor momentum)
{
    for (int step = 0; step < options->variant.inner_steps; step++) {
        ttt_tensor direction[3];
        ttt_lact_direction(g, options, fast, tokens, direction);
        ttt_lact_move(g, options, fast, direction, momentum);
    }
}
