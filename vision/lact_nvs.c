/* The LaCT-NVS passes: forward, reconstruct, render. */
#include "vision/lact_nvs.h"

#include <stdio.h>
#include <stdlib.h>

#include "ttt/fast/lact.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/attention/attention.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/fill/fill.h"
#include "ttt/ops/layernorm/layernorm.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/patches/patches.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/rays/rays.h"
#include "ttt/ops/rmsnorm/rmsnorm.h"

static const float norm_eps = 1e-5f;

enum { FAST_WEIGHTS = 3 };

/* What every part of the model needs to know while it is built. */
struct builder {
    ttt_graph *g;
    const struct lact_nvs_config *config;
    struct parameter *parameters;
    int count;
    const char *prefix;
    ttt_lact_options lact;
    int64_t rows, columns; /* patches of a view */
};

static bool builder_open(struct builder *b, ttt_graph *g, const struct lact_nvs_config *config,
                         const char *prefix)
{
    *b = (struct builder){.g = g,
                          .config = config,
                          .prefix = prefix,
                          .lact = {config->variant, config->muon_update_steps, config->base_lr},
                          .rows = config->image_height / config->patch,
                          .columns = config->image_width / config->patch};
    ttt_status status = lact_nvs_parameters(config, &b->parameters, &b->count);
    if (status)
        ttt_graph_fail(g, ttt_status_code(status), "%s", ttt_status_text(status));
    ttt_status_free(status);
    return b->parameters;
}

static void builder_close(struct builder *b)
{
    free(b->parameters);
}

static ttt_tensor parameter(const struct builder *b, int block, const char *name)
{
    return parameter_variable(b->g, b->parameters, b->count, b->prefix, block, name);
}

/* A layer normalisation without bias, by the name of its gain. */
static ttt_tensor norm(const struct builder *b, int block, const char *gain, ttt_tensor x)
{
    return ttt_layernorm(b->g, x, parameter(b, block, gain), TTT_NONE, norm_eps);
}

static ttt_tensor linear(const struct builder *b, int block, const char *weight, ttt_tensor x,
                         ttt_activation act)
{
    return ttt_linear(b->g, x, parameter(b, block, weight), TTT_NONE, act);
}

/* Views to tokens (B, V, patches, D). */
static ttt_tensor tokens_of(const struct builder *b, const struct lact_nvs_views *views)
{
    ttt_graph *g = b->g;
    const int64_t h = b->config->image_height, w = b->config->image_width;
    ttt_scope_push(g, "tokens");
    ttt_tensor rays = ttt_rays(g, views->fxfycxcy, views->c2w, h, w);
    const int64_t batch = ttt_size(g, rays, 0), count = ttt_size(g, rays, 1);
    ttt_tensor colour = ttt_valid(views->images) && !ttt_exists(views->images)
                            ? ttt_fill(g, ttt_dims(batch, count, 3, h, w), 0)
                            : ttt_shift(g, ttt_scale(g, views->images, 2), -1);
    ttt_tensor pixels = ttt_concat(g, (ttt_tensor[]){rays, colour}, 2, 2);
    pixels = ttt_reshape(g, pixels, ttt_dims(batch * count, 12, h, w));
    ttt_tensor x = linear(b, -1, "input_linear.weight",
                          ttt_patches(g, pixels, b->config->patch, TTT_PATCH_CHANNEL_LAST), TTT_IDENTITY);
    x = norm(b, -1, "input_layernorm.weight", x);
    ttt_scope_pop(g);
    return ttt_reshape(g, x, ttt_dims(batch, count, b->rows * b->columns, b->config->width));
}

/* Tokens (B, V, patches, D) to pictures (B, V, 3, h, w). */
static ttt_tensor pictures_of(const struct builder *b, ttt_tensor x)
{
    ttt_graph *g = b->g;
    const int64_t batch = ttt_size(g, x, 0), count = ttt_size(g, x, 1);
    const int patch = b->config->patch;
    ttt_scope_push(g, "image_token_decoder");
    x = linear(b, -1, "image_token_decoder.1.weight", norm(b, -1, "image_token_decoder.0.weight", x),
               TTT_IDENTITY);
    x = ttt_reshape(g, ttt_sigmoid(g, x), ttt_dims(batch * count, b->rows, b->columns, 3 * patch * patch));
    x = ttt_unpatches(g, x, patch, TTT_PATCH_CHANNEL_LAST);
    ttt_scope_pop(g);
    return ttt_reshape(g, x, ttt_dims(batch, count, 3, b->config->image_height, b->config->image_width));
}

/* Softmax attention among the patches of each view. */
static ttt_tensor attention(const struct builder *b, int block, ttt_tensor x /* (B, V, patches, D) */)
{
    ttt_graph *g = b->g;
    const ttt_shape shape = ttt_shape_of(g, x);
    const int64_t views = shape.size[0] * shape.size[1], patches = shape.size[2], d = b->config->head_dim;
    const int64_t heads = b->config->width / d;
    ttt_tensor part[3], qkv = linear(b, block, "module_list.0.f.to_qkv.weight", x, TTT_IDENTITY);
    ttt_split(g, ttt_reshape(g, qkv, ttt_dims(views, patches, 3 * heads, d)), 2, 3,
              (int64_t[]){heads, heads, heads}, part);
    ttt_tensor q =
        ttt_rmsnorm(g, part[0], parameter(b, block, "module_list.0.f.q_norm.weight"), TTT_EPS_OF_TYPE);
    ttt_tensor k =
        ttt_rmsnorm(g, part[1], parameter(b, block, "module_list.0.f.k_norm.weight"), TTT_EPS_OF_TYPE);
    ttt_tensor y = ttt_attention(g, ttt_transpose(g, q, 1, 2), ttt_transpose(g, k, 1, 2),
                                 ttt_transpose(g, part[2], 1, 2));
    y = ttt_reshape(g, ttt_transpose(g, y, 1, 2), shape);
    return linear(b, block, "module_list.0.f.c_proj.weight", y, TTT_IDENTITY);
}

static ttt_tensor add_attention(const struct builder *b, int block, ttt_tensor x)
{
    ttt_scope_push(b->g, "attention");
    x = ttt_add(b->g, x, attention(b, block, norm(b, block, "module_list.0.ln.weight", x)));
    ttt_scope_pop(b->g);
    return x;
}

static ttt_tensor add_mlp(const struct builder *b, int block, ttt_tensor x)
{
    ttt_scope_push(b->g, "mlp");
    ttt_tensor y = linear(b, block, "module_list.2.f.c_fc.weight",
                          norm(b, block, "module_list.2.ln.weight", x), TTT_GELU);
    x = ttt_add(b->g, x, linear(b, block, "module_list.2.f.c_proj.weight", y, TTT_IDENTITY));
    ttt_scope_pop(b->g);
    return x;
}

static ttt_lact_weights lact_weights(const struct builder *b, int block)
{
    return (ttt_lact_weights){
        .to_qkv = parameter(b, block, "module_list.1.f.to_qkv.weight"),
        .lr_fc_weight = parameter(b, block, "module_list.1.f.lr_fc.weight"),
        .lr_fc_bias = parameter(b, block, "module_list.1.f.lr_fc.bias"),
        .w = {parameter(b, block, "module_list.1.f.w0"), parameter(b, block, "module_list.1.f.w1"),
              parameter(b, block, "module_list.1.f.w2")},
        .o_norm = parameter(b, block, "module_list.1.f.o_norm.weight"),
        .c_proj = parameter(b, block, "module_list.1.f.c_proj.weight"),
    };
}

/* (B, V, patches, D) seen as (B, L, D). */
static ttt_tensor as_sequence(ttt_graph *g, ttt_tensor x)
{
    return ttt_reshape(g, x,
                       ttt_dims(ttt_size(g, x, 0), ttt_size(g, x, 1) * ttt_size(g, x, 2), ttt_size(g, x, 3)));
}

/* x + the fast-weight layer, moved on the first `seen` tokens and read by all. */
static ttt_tensor add_fast(const struct builder *b, int block, ttt_tensor x, int64_t seen)
{
    ttt_graph *g = b->g;
    ttt_scope_push(g, "fast");
    const ttt_lact_weights weights = lact_weights(b, block);
    ttt_tensor in = as_sequence(g, norm(b, block, "module_list.1.ln.weight", x));
    const ttt_lact_window plan[2] = {{0, seen, true, false}, {0, ttt_size(g, in, 1), false, true}};
    ttt_tensor y = ttt_lact_layer(g, &b->lact, &weights, in, plan, 2, NULL);
    x = ttt_add(g, x, ttt_reshape(g, y, ttt_shape_of(g, x)));
    ttt_scope_pop(g);
    return x;
}

static void push_block(const struct builder *b, int block)
{
    ttt_scope_push(b->g, "blocks");
    ttt_scope_push(b->g, "%d", block);
}

static void pop_block(const struct builder *b)
{
    ttt_scope_pop(b->g);
    ttt_scope_pop(b->g);
}

ttt_tensor lact_nvs_forward(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                            const struct lact_nvs_views *inputs, const struct lact_nvs_views *targets)
{
    struct builder b;
    if (!builder_open(&b, g, config, prefix))
        return TTT_INVALID;
    ttt_tensor given = tokens_of(&b, inputs), wanted = tokens_of(&b, targets);
    ttt_tensor x = ttt_concat(g, (ttt_tensor[]){given, wanted}, 2, 1);
    const int64_t views = ttt_size(g, given, 1), seen = views * b.rows * b.columns;
    for (int i = 0; i < config->depth; i++) {
        push_block(&b, i);
        if (config->recompute)
            ttt_recompute_begin(g);
        x = add_mlp(&b, i, add_fast(&b, i, add_attention(&b, i, x), seen));
        if (config->recompute)
            ttt_recompute_end(g);
        pop_block(&b);
    }
    x = pictures_of(&b, ttt_slice(g, x, 1, views, ttt_size(g, wanted, 1)));
    builder_close(&b);
    return x;
}

/* The variable that holds fast weight i of a block between reconstruction and rendering. */
static ttt_tensor state_variable(const struct builder *b, int block, int i, int64_t batch)
{
    const int64_t d = b->config->fast_head_dim, m = (int64_t)(d * b->config->inter_multi);
    const int64_t heads = b->config->width / d;
    char name[32];
    snprintf(name, sizeof name, "state.%d.w%d", block, i);
    return ttt_variable(b->g, name, TTT_F32,
                        i == 1 ? ttt_dims(batch, heads, m, d) : ttt_dims(batch, heads, d, m));
}

static void keep_state(const struct builder *b, int block, int64_t batch, const ttt_lact_fast *fast)
{
    for (int i = 0; i < FAST_WEIGHTS; i++) {
        if (!ttt_exists(fast->w[i]))
            continue;
        ttt_tensor variable = state_variable(b, block, i, batch);
        ttt_tensor value = ttt_contiguous(b->g, ttt_expand(b->g, fast->w[i], ttt_shape_of(b->g, variable)));
        ttt_clear(b->g, &variable, 1);
        ttt_accumulate(b->g, &variable, &value, 1);
    }
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
};

static struct lact_nvs_views some_views(ttt_graph *g, const struct lact_nvs_views *views, int64_t start,
                                        int64_t count)
{
    return (struct lact_nvs_views){.fxfycxcy = ttt_slice(g, views->fxfycxcy, 1, start, count),
                                   .c2w = ttt_slice(g, views->c2w, 1, start, count),
                                   .images = ttt_slice(g, views->images, 1, start, count)};
}

/* Pixels become tokens pass by pass too: with their rays they take more memory than the tokens. */
static bool cut_into_passes(const struct builder *b, const struct lact_nvs_views *inputs,
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
        passes->x[passes->count++] = tokens_of(b, &part);
    }
    return true;
}

/* Keys, values and rates of one pass, made anew wherever they are needed rather than kept. */
static ttt_lact_tokens project(const struct builder *b, int block, const ttt_lact_weights *weights,
                               ttt_tensor x)
{
    return ttt_lact_project(b->g, &b->lact, weights,
                            as_sequence(b->g, norm(b, block, "module_list.1.ln.weight", x)));
}

/* One inner step on the tokens of all passes: their directions add up. */
static void move_on_all(const struct builder *b, int block, const ttt_lact_weights *weights,
                        const struct passes *passes, ttt_lact_fast *fast)
{
    ttt_tensor sum[FAST_WEIGHTS] = {TTT_NONE, TTT_NONE, TTT_NONE};
    for (int p = 0; p < passes->count; p++) {
        ttt_tensor direction[FAST_WEIGHTS];
        ttt_lact_tokens tokens = project(b, block, weights, passes->x[p]);
        ttt_lact_direction(b->g, &b->lact, fast, &tokens, direction);
        for (int i = 0; i < FAST_WEIGHTS; i++)
            sum[i] = ttt_exists(sum[i]) && ttt_exists(direction[i]) ? ttt_add(b->g, sum[i], direction[i])
                                                                    : direction[i];
    }
    ttt_lact_move(b->g, &b->lact, fast, sum, TTT_NONE);
}

static void read_all(const struct builder *b, int block, const ttt_lact_weights *weights,
                     const ttt_lact_fast *fast, struct passes *passes)
{
    ttt_graph *g = b->g;
    for (int p = 0; p < passes->count; p++) {
        ttt_lact_tokens tokens = project(b, block, weights, passes->x[p]);
        ttt_tensor y = ttt_lact_apply(g, &b->lact, fast, ttt_lact_query(&b->lact, &tokens));
        y = ttt_reshape(g, ttt_lact_join(g, weights, y), ttt_shape_of(g, passes->x[p]));
        passes->x[p] = ttt_add(g, passes->x[p], y);
    }
}

static void reconstruct_block(const struct builder *b, int block, struct passes *passes, bool add)
{
    const ttt_lact_weights weights = lact_weights(b, block);
    const int64_t batch = ttt_size(b->g, passes->x[0], 0);
    ttt_tensor w[FAST_WEIGHTS];
    push_block(b, block);
    for (int p = 0; p < passes->count; p++)
        passes->x[p] = add_attention(b, block, passes->x[p]);

    ttt_scope_push(b->g, "fast");
    ttt_lact_initial(b->g, &weights, w);
    for (int i = 0; i < FAST_WEIGHTS && add; i++)
        w[i] = state_variable(b, block, i, batch);
    ttt_lact_fast fast = ttt_lact_start(b->g, &b->lact, w);
    for (int step = 0; step < b->config->variant.inner_steps; step++)
        move_on_all(b, block, &weights, passes, &fast);
    if (block + 1 < b->config->depth)
        read_all(b, block, &weights, &fast, passes);
    keep_state(b, block, batch, &fast);
    ttt_scope_pop(b->g);

    for (int p = 0; p < passes->count && block + 1 < b->config->depth; p++)
        passes->x[p] = add_mlp(b, block, passes->x[p]);
    pop_block(b);
}

void lact_nvs_reconstruct(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                          const struct lact_nvs_views *inputs, int64_t tokens_per_pass, bool add)
{
    struct builder b;
    struct passes passes;
    const char *why = add ? why_not_addable(config) : NULL;
    if (why) {
        ttt_graph_fail(g, TTT_UNSUPPORTED,
                       "views cannot be added to this model's state: %s; reconstruct from all views", why);
        return;
    }
    if (!builder_open(&b, g, config, prefix))
        return;
    if (cut_into_passes(&b, inputs, tokens_per_pass, &passes))
        for (int i = 0; i < config->depth; i++)
            reconstruct_block(&b, i, &passes, add);
    free(passes.x);
    builder_close(&b);
}

/* x + what the state's fast weights give for its queries. */
static ttt_tensor add_state(const struct builder *b, int block, ttt_tensor x)
{
    ttt_graph *g = b->g;
    const ttt_lact_weights weights = lact_weights(b, block);
    ttt_lact_fast fast = {.w = {TTT_NONE, TTT_NONE, TTT_NONE}};
    ttt_scope_push(g, "fast");
    for (int i = 0; i < FAST_WEIGHTS; i++)
        if (i == 1 || b->config->variant.kernel != TTT_KERNEL_LINEAR)
            fast.w[i] = state_variable(b, block, i, ttt_size(g, x, 0));
    ttt_lact_tokens tokens = project(b, block, &weights, x);
    ttt_tensor y = ttt_lact_apply(g, &b->lact, &fast, ttt_lact_query(&b->lact, &tokens));
    x = ttt_add(g, x, ttt_reshape(g, ttt_lact_join(g, &weights, y), ttt_shape_of(g, x)));
    ttt_scope_pop(g);
    return x;
}

ttt_tensor lact_nvs_render(ttt_graph *g, const struct lact_nvs_config *config, const char *prefix,
                           const struct lact_nvs_views *targets)
{
    struct builder b;
    if (!builder_open(&b, g, config, prefix))
        return TTT_INVALID;
    ttt_tensor x = tokens_of(&b, targets);
    for (int i = 0; i < config->depth; i++) {
        push_block(&b, i);
        x = add_mlp(&b, i, add_state(&b, i, add_attention(&b, i, x)));
        pop_block(&b);
    }
    x = pictures_of(&b, x);
    builder_close(&b);
    return x;
}
