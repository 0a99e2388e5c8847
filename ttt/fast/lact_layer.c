/* The LaCT layer: projections around the inner model, and plans over the tokens. */
#include <math.h>
#include <stdlib.h>

#include "ttt/fast/lact.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/add_slice/add_slice.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/rmsnorm/rmsnorm.h"
#include "ttt/ops/silu_heads/silu_heads.h"

/* The number that softplus takes to y. */
static double inverse_softplus(double y)
{
    return y + log(-expm1(-y));
}

/* (B, L, H, d) as (B, H, L, d). */
static ttt_tensor heads_first(ttt_graph *g, ttt_tensor x)
{
    return ttt_transpose(g, x, 1, 2);
}

/* The rows of to_qkv that make queries (D, D), and those that make keys and values (2D, D). */
static void split_weight(ttt_graph *g, const ttt_lact_weights *weights, ttt_tensor part[2])
{
    const int64_t width = ttt_size(g, weights->to_qkv, 1);
    ttt_split(g, weights->to_qkv, 0, 2, (int64_t[]){width, 2 * width}, part);
}

/* x (B, L, D) to `parts` tensors (B, H, L, d), the first of unit rows. */
static void project(ttt_graph *g, const ttt_lact_weights *weights, ttt_tensor weight, int parts, ttt_tensor x,
                    ttt_tensor *y)
{
    ttt_silu_heads(g, ttt_linear(g, x, weight, TTT_NONE, TTT_IDENTITY), ttt_size(g, weights->w[1], 0), parts,
                   1, 1e-5F, y);
    for (int p = 0; p < parts; p++)
        y[p] = heads_first(g, y[p]);
}

/* x (B, L, D) to rates (B, H, L, 1). */
static void project_rates(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_weights *weights,
                          ttt_tensor x, ttt_tensor rate[3])
{
    const ttt_shape s = ttt_shape_of(g, x);
    const int64_t heads = ttt_size(g, weights->w[1], 0);
    ttt_tensor y = ttt_precise(g, ttt_linear(g, x, weights->lr_fc_weight, weights->lr_fc_bias, TTT_IDENTITY));
    y = ttt_softplus(g, ttt_shift(g, y, (float)inverse_softplus(options->base_lr)));
    ttt_split(g, ttt_reshape(g, y, ttt_dims(s.size[0], s.size[1], 3 * heads, 1)), 2, 3,
              (int64_t[]){heads, heads, heads}, rate);
    for (int i = 0; i < 3; i++)
        rate[i] = heads_first(g, rate[i]);
}

/* What fast weights are moved on: keys, values and rates. */
static void project_pairs(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_weights *weights,
                          ttt_tensor weight, ttt_tensor x, ttt_lact_tokens *tokens)
{
    ttt_tensor pair[2];
    project(g, weights, weight, 2, x, pair);
    tokens->k = pair[0];
    tokens->v = pair[1];
    if (options->variant.token_lr)
        project_rates(g, options, weights, x, tokens->rate);
}

ttt_lact_tokens ttt_lact_project(ttt_graph *g, const ttt_lact_options *options,
                                 const ttt_lact_weights *weights, ttt_tensor x)
{
    ttt_lact_tokens tokens = {.q = TTT_NONE};
    ttt_tensor weight[2];
    split_weight(g, weights, weight);
    project(g, weights, weight[0], 1, x, &tokens.q);
    project_pairs(g, options, weights, weight[1], x, &tokens);
    return tokens;
}

/* y (B, L, H, d) to (B, L, D). */
static ttt_tensor norm_and_project(ttt_graph *g, const ttt_lact_weights *weights, ttt_tensor y)
{
    const ttt_shape s = ttt_shape_of(g, y);
    y = ttt_rmsnorm(g, y, weights->o_norm, 1e-5F);
    y = ttt_reshape(g, y, ttt_dims(s.size[0], s.size[1], s.size[2] * s.size[3]));
    return ttt_linear(g, y, weights->c_proj, TTT_NONE, TTT_IDENTITY);
}

ttt_tensor ttt_lact_join(ttt_graph *g, const ttt_lact_weights *weights, ttt_tensor y)
{
    return norm_and_project(g, weights, ttt_transpose(g, y, 1, 2));
}

void ttt_lact_initial(ttt_graph *g, const ttt_lact_weights *weights, ttt_tensor w[3])
{
    for (int i = 0; i < 3; i++) {
        const ttt_shape s = ttt_shape_of(g, weights->w[i]);
        w[i] = weights->w[i];
        if (ttt_exists(w[i]))
            w[i] = ttt_reshape(g, w[i], ttt_dims(1, s.size[0], s.size[1], s.size[2]));
    }
}

enum role { UPDATES, APPLIES };

static bool has_role(const ttt_lact_window *window, enum role role)
{
    return role == UPDATES ? window->update : window->apply;
}

/* The least range of tokens in which all windows of a role lie; empty where there are none. */
struct range {
    int64_t start, end;
};

static struct range range_of(const ttt_lact_window *plan, int count, enum role role)
{
    struct range range = {INT64_MAX, 0};
    for (int i = 0; i < count; i++) {
        if (!has_role(&plan[i], role))
            continue;
        range.start = plan[i].start < range.start ? plan[i].start : range.start;
        range.end = plan[i].end > range.end ? plan[i].end : range.end;
    }
    return range;
}

static bool is_empty(struct range range)
{
    return range.end <= range.start;
}

static bool are_alike(struct range a, struct range b)
{
    return a.start == b.start && a.end == b.end;
}

/* The tokens that a plan works on, projected: pairs where it updates, queries where it applies.  The rest,
 * such as the keys and values of views that are only drawn, would be made for nothing. */
struct planned_tokens {
    ttt_lact_tokens pairs; /* q is not there */
    ttt_tensor query;
    int64_t first_pair, first_query;
};

static ttt_tensor tokens_in(ttt_graph *g, ttt_tensor x, struct range range)
{
    return ttt_contiguous(g, ttt_slice(g, x, 1, range.start, range.end - range.start));
}

/* The tokens of x (B, L, D) to update on and those to apply to; none where a range is empty. */
static void select_tokens(ttt_graph *g, ttt_tensor x, struct range updates, struct range applies,
                          ttt_tensor *seen, ttt_tensor *asked)
{
    *seen = *asked = TTT_NONE;
    if (!is_empty(updates) && are_alike(updates, applies)) {
        *seen = *asked = tokens_in(g, x, updates);
        return;
    }
    if (!is_empty(updates)) {
        ttt_whole_and_slice(g, x, 1, updates.start, updates.end - updates.start, &x, seen);
        *seen = ttt_contiguous(g, *seen);
    }
    if (!is_empty(applies))
        *asked = tokens_in(g, x, applies);
}

static struct planned_tokens project_planned(ttt_graph *g, const ttt_lact_options *options,
                                             const ttt_lact_weights *weights, ttt_tensor x,
                                             const ttt_lact_window *plan, int count)
{
    const struct range updates = range_of(plan, count, UPDATES), applies = range_of(plan, count, APPLIES);
    const bool reads_keys = options->variant.query == TTT_QUERY_K;
    struct planned_tokens tokens = {.first_pair = updates.start, .first_query = applies.start};
    ttt_tensor weight[2], seen, asked;
    select_tokens(g, x, updates, applies, &seen, &asked);
    split_weight(g, weights, weight);
    if (!is_empty(updates))
        project_pairs(g, options, weights, weight[1], seen, &tokens.pairs);
    if (reads_keys && are_alike(updates, applies))
        tokens.query = tokens.pairs.k;
    else if (!is_empty(applies))
        project(g, weights, reads_keys ? ttt_slice(g, weight[1], 0, 0, ttt_size(g, weight[0], 0)) : weight[0],
                1, asked, &tokens.query);
    return tokens;
}

/* Pieces of one cut, from which windows that follow each other are served: the gradients of all are joined at
 * once, where slices would each be joined with zeros. */
enum { MOST_PIECES = 63 };
struct cut {
    ttt_tensor x;
    int64_t first; /* token of x */
    int count;     /* 0: windows overlap or are too many, and are sliced one by one */
    int64_t start[MOST_PIECES + 1];
    ttt_tensor piece[MOST_PIECES + 1];
};

static void cut_windows(ttt_graph *g, struct cut *cut, ttt_tensor x, int64_t first,
                        const ttt_lact_window *plan, int count, enum role role)
{
    *cut = (struct cut){.x = x, .first = first};
    if (!ttt_exists(x))
        return;
    const int64_t end = first + ttt_size(g, x, 2);
    int64_t sizes[MOST_PIECES + 1], at = first;
    int pieces = 0;
    for (int i = 0; i <= count; i++) {
        const int64_t start = i < count ? plan[i].start : end;
        if (i < count && !has_role(&plan[i], role))
            continue;
        if (start < at || pieces + 2 > MOST_PIECES)
            return;
        if (start > at) {
            cut->start[pieces] = at;
            sizes[pieces++] = start - at;
        }
        at = i < count ? plan[i].end : end;
        if (i < count) {
            cut->start[pieces] = start;
            sizes[pieces++] = at - start;
        }
    }
    cut->count = pieces;
    if (pieces > 1)
        ttt_split(g, x, 2, pieces, sizes, cut->piece);
    else
        cut->piece[0] = x;
}

static ttt_tensor window_of(ttt_graph *g, const struct cut *cut, const ttt_lact_window *window)
{
    for (int i = 0; i < cut->count; i++)
        if (cut->start[i] == window->start)
            return cut->piece[i];
    return ttt_slice(g, cut->x, 2, window->start - cut->first, window->end - window->start);
}

/* Tokens cut for a plan. */
struct cut_tokens {
    struct cut k, v, rate[3], query;
};

static void cut_tokens(ttt_graph *g, const ttt_lact_options *options, const struct planned_tokens *tokens,
                       const ttt_lact_window *plan, int count, struct cut_tokens *cut)
{
    cut_windows(g, &cut->k, tokens->pairs.k, tokens->first_pair, plan, count, UPDATES);
    cut_windows(g, &cut->v, tokens->pairs.v, tokens->first_pair, plan, count, UPDATES);
    for (int i = 0; i < 3 && options->variant.token_lr; i++)
        cut_windows(g, &cut->rate[i], tokens->pairs.rate[i], tokens->first_pair, plan, count, UPDATES);
    cut_windows(g, &cut->query, tokens->query, tokens->first_query, plan, count, APPLIES);
}

static void update_on(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                      const struct cut_tokens *cut, const ttt_lact_window *window)
{
    ttt_lact_tokens tokens = {.k = window_of(g, &cut->k, window), .v = window_of(g, &cut->v, window)};
    for (int i = 0; i < 3 && options->variant.token_lr; i++)
        tokens.rate[i] = window_of(g, &cut->rate[i], window);
    ttt_lact_update(g, options, fast, &tokens, TTT_NONE);
}

/* Follows the plan; returns what was read, (B, L, H, d), or TTT_NONE. */
static ttt_tensor follow(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                         const struct planned_tokens *tokens, const ttt_lact_window *plan, int count)
{
    struct cut_tokens cut;
    ttt_tensor *read = malloc(((size_t)count + 1) * sizeof *read), y = TTT_NONE;
    if (!read)
        return ttt_graph_fail(g, TTT_MEMORY, "no memory for a plan of %d windows", count);
    cut_tokens(g, options, tokens, plan, count, &cut);
    int reads = 0;
    for (int i = 0; i < count; i++) {
        if (plan[i].update)
            update_on(g, options, fast, &cut, &plan[i]);
        if (plan[i].apply)
            read[reads++] =
                ttt_transpose(g, ttt_lact_apply(g, options, fast, window_of(g, &cut.query, &plan[i])), 1, 2);
    }
    if (reads)
        y = reads == 1 ? read[0] : ttt_concat(g, read, reads, 1);
    free(read);
    return y;
}

static bool plan_fits(ttt_graph *g, const ttt_lact_window *plan, int count, int64_t length)
{
    for (int i = 0; i < count; i++)
        if (plan[i].start < 0 || plan[i].end <= plan[i].start || plan[i].end > length) {
            ttt_graph_fail(g, TTT_ARGUMENT, "window %d of the plan is tokens %lld to %lld of %lld", i,
                           (long long)plan[i].start, (long long)plan[i].end, (long long)length);
            return false;
        }
    return true;
}

static bool layer_fits(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_weights *weights,
                       ttt_tensor x)
{
    if (!ttt_exists(x) || !ttt_exists(weights->w[1]))
        return false;
    const ttt_shape in = ttt_shape_of(g, x), fast = ttt_shape_of(g, weights->w[1]);
    if (in.rank != 3 || fast.rank != 3 || fast.size[0] * fast.size[2] != in.size[2]) {
        char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
        ttt_graph_fail(g, TTT_SHAPE,
                       "a LaCT layer takes (B, L, D) and fast weights (H, m, D/H), not %s and %s",
                       ttt_shape_text(in, a), ttt_shape_text(fast, b));
        return false;
    }
    if (options->variant.token_lr && !(options->base_lr > 0)) {
        ttt_graph_fail(g, TTT_ARGUMENT, "base_lr is %g, and must be above 0", options->base_lr);
        return false;
    }
    return true;
}

ttt_tensor ttt_lact_layer(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_weights *weights,
                          ttt_tensor x, const ttt_lact_window *plan, int count, ttt_tensor state[3])
{
    ttt_tensor initial[3];
    if (!layer_fits(g, options, weights, x) || !plan_fits(g, plan, count, ttt_size(g, x, 1)))
        return TTT_INVALID;
    ttt_lact_initial(g, weights, initial);
    ttt_lact_fast fast = ttt_lact_start(g, options, state && ttt_exists(state[1]) ? state : initial);
    const struct planned_tokens tokens = project_planned(g, options, weights, x, plan, count);
    ttt_tensor y = follow(g, options, &fast, &tokens, plan, count);
    for (int i = 0; i < 3 && state; i++)
        state[i] = fast.w[i];
    return ttt_exists(y) ? norm_and_project(g, weights, y) : y;
}
