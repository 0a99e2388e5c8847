/* The LaCT-NVS passes over whole scenes: forward, and rendering from a state. */
#include "vision/lact_nvs.h"

#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "vision/lact_nvs_builder.h"

/* x + the fast-weight layer, moved on the first `seen` tokens and read by all. */
static ttt_tensor add_fast(const struct lact_nvs_builder *b, int block, ttt_tensor x, int64_t seen)
{
    ttt_graph *g = b->g;
    ttt_scope_push(g, "fast");
    const ttt_lact_weights weights = lact_nvs_fast_layer(b, block);
    ttt_tensor in = lact_nvs_fast_norm(b, block, x);
    const ttt_lact_window plan[2] = {{0, seen, true, false}, {0, ttt_size(g, in, 1), false, true}};
    ttt_tensor y = ttt_lact_layer(g, &b->lact, &weights, in, plan, 2, NULL);
    x = ttt_add(g, x, ttt_reshape(g, y, ttt_shape_of(g, x)));
    ttt_scope_pop(g);
    return x;
}

ttt_tensor lact_nvs_forward(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                            const struct lact_nvs_views *inputs, const struct lact_nvs_views *targets)
{
    struct lact_nvs_builder b;
    if (!lact_nvs_open(&b, g, config, prefix))
        return TTT_INVALID;
    ttt_tensor given = lact_nvs_tokens(&b, inputs), wanted = lact_nvs_tokens(&b, targets);
    ttt_tensor x = ttt_concat(g, (ttt_tensor[]){given, wanted}, 2, 1);
    const int64_t views = ttt_size(g, given, 1), seen = views * b.rows * b.columns;
    for (int i = 0; i < config->depth; i++) {
        lact_nvs_push_block(&b, i);
        if (config->recompute)
            ttt_recompute_begin(g);
        x = lact_nvs_add_mlp(&b, i, add_fast(&b, i, lact_nvs_add_attention(&b, i, x), seen));
        if (config->recompute)
            ttt_recompute_end(g);
        lact_nvs_pop_block(&b);
    }
    x = lact_nvs_pictures(&b, ttt_slice(g, x, 1, views, ttt_size(g, wanted, 1)));
    lact_nvs_close(&b);
    return x;
}

/* x + what the state's fast weights give for its queries. */
static ttt_tensor add_state(const struct lact_nvs_builder *b, int block, ttt_tensor x)
{
    ttt_graph *g = b->g;
    const ttt_lact_weights weights = lact_nvs_fast_layer(b, block);
    ttt_lact_fast fast = {.w = {TTT_NONE, TTT_NONE, TTT_NONE}};
    ttt_scope_push(g, "fast");
    for (int i = 0; i < LACT_FAST_WEIGHTS; i++)
        if (i == 1 || b->config->variant.kernel != TTT_KERNEL_LINEAR)
            fast.w[i] = lact_nvs_state(b, block, i, ttt_size(g, x, 0));
    ttt_lact_tokens tokens = lact_nvs_project(b, block, &weights, x);
    ttt_tensor y = ttt_lact_apply(g, &b->lact, &fast, ttt_lact_query(&b->lact, &tokens));
    x = ttt_add(g, x, ttt_reshape(g, ttt_lact_join(g, &weights, y), ttt_shape_of(g, x)));
    ttt_scope_pop(g);
    return x;
}

ttt_tensor lact_nvs_render(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                           const struct lact_nvs_views *targets)
{
    struct lact_nvs_builder b;
    if (!lact_nvs_open(&b, g, config, prefix))
        return TTT_INVALID;
    ttt_tensor x = lact_nvs_tokens(&b, targets);
    for (int i = 0; i < config->depth; i++) {
        lact_nvs_push_block(&b, i);
        x = lact_nvs_add_mlp(&b, i, add_state(&b, i, lact_nvs_add_attention(&b, i, x)));
        lact_nvs_pop_block(&b);
    }
    x = lact_nvs_pictures(&b, x);
    lact_nvs_close(&b);
    return x;
}
