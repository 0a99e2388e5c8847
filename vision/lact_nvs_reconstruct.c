/* LaCT-NVS reconstruction: input views to every block's fast weights, in passes of bounded memory. */
#include <stdlib.h>

#include "ttt/graph/operator.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "vision/lact_nvs_builder.h"

static void keep_state(const struct lact_nvs_builder *b, int block, int64_t batch, const ttt_lact_fast *fast)
{
    ttt_tensor state[LACT_FAST_WEIGHTS], value[LACT_FAST_WEIGHTS];
    for (int i = 0; i < LACT_FAST_WEIGHTS; i++) {
        state[i] = value[i] = TTT_NONE;
        if (!ttt_exists(fast->w[i]))
            continue;
        state[i] = lact_nvs_state(b, block, i, batch);
        if (fast->w[i].index != state[i].index) /* adding views leaves the fixed ones as they are */
            value[i] = ttt_expand(b->g, fast->w[i], ttt_shape_of(b->g, state[i]));
    }
    ttt_assign(b->g, state, value, LACT_FAST_WEIGHTS);
}

/* Why views cannot be added to a state; NULL when they can.  The state must be a plain sum over tokens, and
 * no token of an earlier view may have been read with fast weights that the new view would have changed. */
static const char *why_not_addable(const struct lact_nvs_config *config)
{
    const ttt_variant *v = &config->variant;
    if (v->weight_norm)
        return "weight_norm rescales what earlier views left";
    if (v->condition_gradient)
        return "condition_gradient orthogonalises the sum over all views";
    if (v->kernel != TTT_KERNEL_LINEAR && v->update != TTT_UPDATE_LAST)
        return "update: all moves the features that earlier views were seen through";
    if (v->loss != TTT_LOSS_DOT)
        return "loss: mse makes a step depend on the fast weights that earlier views left";
    if (v->inner_steps > 1)
        return "inner_steps above 1 revisit all views";
    if (config->depth > 1)
        return "depth above 1: later blocks saw earlier views through fast weights that the new view changes";
    return NULL;
}

/* The tokens of a reconstruction, cut by views into passes. */
struct passes {
    ttt_tensor *x; /* (count) each (B, views of the pass, patches, D) */
    int count;
    ttt_lact_tokens tokens; /* of a single pass: kept from moving to reading */
};

/* Several passes project again when they are read: what one needs is gone by the time of the next. */
static ttt_lact_tokens project(const struct lact_nvs_builder *b, int block, const ttt_lact_weights *weights,
                               struct passes *passes, int pass)
{
    if (passes->count == 1 && ttt_exists(passes->tokens.k))
        return passes->tokens;
    passes->tokens = lact_nvs_project(b, block, weights, passes->x[pass]);
    return passes->tokens;
}

static struct lact_nvs_views some_views(ttt_graph *g, const struct lact_nvs_views *views, int64_t start,
                                        int64_t count)
{
    return (struct lact_nvs_views){.fxfycxcy = ttt_slice(g, views->fxfycxcy, 1, start, count),
                                   .c2w = ttt_slice(g, views->c2w, 1, start, count),
                                   .images = ttt_slice(g, views->images, 1, start, count)};
}

/* Pixels become tokens pass by pass too: with their rays they take more memory than the tokens. */
static bool cut_into_passes(const struct lact_nvs_builder *b, const struct lact_nvs_views *inputs,
                            int64_t tokens_per_pass, struct passes *passes)
{
    const int64_t views = ttt_size(b->g, inputs->images, 1), per_view = b->rows * b->columns;
    int64_t at_once = tokens_per_pass > 0 ? tokens_per_pass / per_view : views;
    at_once = at_once < 1 ? 1 : at_once > views ? views : at_once;
    *passes = (struct passes){0};
    if (!ttt_exists(inputs->images) || views < 1) {
        ttt_graph_fail(b->g, TTT_ARGUMENT, "a reconstruction needs pictures of at least one view");
        return false;
    }
    passes->x = calloc((size_t)((views + at_once - 1) / at_once), sizeof *passes->x);
    if (!passes->x) {
        ttt_graph_fail(b->g, TTT_MEMORY, "out of memory for a reconstruction from %lld views",
                       (long long)views);
        return false;
    }
    for (int64_t first = 0; first < views; first += at_once) {
        const struct lact_nvs_views part =
            some_views(b->g, inputs, first, views - first < at_once ? views - first : at_once);
        passes->x[passes->count++] = lact_nvs_tokens(b, &part);
    }
    return true;
}

/* One inner step on the tokens of all passes: their directions add up. */
static void move_on_all(const struct lact_nvs_builder *b, int block, const ttt_lact_weights *weights,
                        struct passes *passes, ttt_lact_fast *fast)
{
    ttt_tensor sum[LACT_FAST_WEIGHTS] = {TTT_NONE, TTT_NONE, TTT_NONE};
    for (int p = 0; p < passes->count; p++) {
        ttt_tensor direction[LACT_FAST_WEIGHTS];
        ttt_lact_tokens tokens = project(b, block, weights, passes, p);
        ttt_lact_direction(b->g, &b->lact, fast, &tokens, direction);
        for (int i = 0; i < LACT_FAST_WEIGHTS; i++)
            sum[i] = ttt_exists(sum[i]) && ttt_exists(direction[i]) ? ttt_add(b->g, sum[i], direction[i])
                                                                    : direction[i];
    }
    ttt_lact_move(b->g, &b->lact, fast, sum, TTT_NONE);
}

static void read_all(const struct lact_nvs_builder *b, int block, const ttt_lact_weights *weights,
                     const ttt_lact_fast *fast, struct passes *passes)
{
    ttt_graph *g = b->g;
    for (int p = 0; p < passes->count; p++) {
        ttt_lact_tokens tokens = project(b, block, weights, passes, p);
        ttt_tensor y = ttt_lact_apply(g, &b->lact, fast, ttt_lact_query(&b->lact, &tokens));
        y = ttt_reshape(g, ttt_lact_join(g, weights, y), ttt_shape_of(g, passes->x[p]));
        passes->x[p] = ttt_add(g, passes->x[p], y);
    }
}

static void reconstruct_block(const struct lact_nvs_builder *b, int block, struct passes *passes, bool add)
{
    const ttt_lact_weights weights = lact_nvs_fast_layer(b, block);
    const int64_t batch = ttt_size(b->g, passes->x[0], 0);
    ttt_tensor w[LACT_FAST_WEIGHTS];
    lact_nvs_push_block(b, block);
    for (int p = 0; p < passes->count; p++)
        passes->x[p] = lact_nvs_add_attention(b, block, passes->x[p]);
    passes->tokens.k = TTT_NONE;

    ttt_scope_push(b->g, "fast");
    ttt_lact_initial(b->g, &weights, w);
    for (int i = 0; i < LACT_FAST_WEIGHTS && add; i++)
        w[i] = lact_nvs_state(b, block, i, batch);
    ttt_lact_fast fast = ttt_lact_start(b->g, &b->lact, w);
    for (int step = 0; step < b->config->variant.inner_steps; step++)
        move_on_all(b, block, &weights, passes, &fast);
    if (block + 1 < b->config->depth)
        read_all(b, block, &weights, &fast, passes);
    keep_state(b, block, batch, &fast);
    ttt_scope_pop(b->g);

    for (int p = 0; p < passes->count && block + 1 < b->config->depth; p++)
        passes->x[p] = lact_nvs_add_mlp(b, block, passes->x[p]);
    lact_nvs_pop_block(b);
}

void lact_nvs_reconstruct(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                          const struct lact_nvs_views *inputs, int64_t tokens_per_pass, bool add)
{
    struct lact_nvs_builder b;
    struct passes passes;
    const char *why = add ? why_not_addable(config) : NULL;
    if (why) {
        ttt_graph_fail(g, TTT_UNSUPPORTED,
                       "views cannot be added to this model's state: %s; reconstruct from all views", why);
        return;
    }
    if (!lact_nvs_open(&b, g, config, prefix))
        return;
    if (cut_into_passes(&b, inputs, tokens_per_pass, &passes))
        for (int i = 0; i < config->depth; i++)
            reconstruct_block(&b, i, &passes, add);
    free(passes.x);
    lact_nvs_close(&b);
}
