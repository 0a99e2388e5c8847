/* The parts of the LaCT-NVS model: pixels to tokens, what stands in a block, tokens to pictures. */
#include "vision/lact_nvs_builder.h"

#include <stdio.h>
#include <stdlib.h>

#include "ttt/graph/operator.h"
#include "ttt/ops/attention/attention.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/fill/fill.h"
#include "ttt/ops/layernorm/layernorm.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/patches/patches.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/rays/rays.h"
#include "ttt/ops/rmsnorm/rmsnorm.h"

static const float norm_eps = 1e-5f;

bool lact_nvs_open(struct lact_nvs_builder *b, ttt_graph *g, const struct lact_nvs_config *config,
                   const char *prefix)
{
    *b = (struct lact_nvs_builder){.g = g,
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

void lact_nvs_close(struct lact_nvs_builder *b)
{
    free(b->parameters);
}

static ttt_tensor parameter(const struct lact_nvs_builder *b, int block, const char *name)
{
    return parameter_variable(b->g, b->parameters, b->count, b->prefix, block, name);
}

/* A layer normalisation without bias, by the name of its gain. */
static ttt_tensor norm(const struct lact_nvs_builder *b, int block, const char *gain, ttt_tensor x)
{
    return ttt_layernorm(b->g, x, parameter(b, block, gain), TTT_NONE, norm_eps);
}

static ttt_tensor linear(const struct lact_nvs_builder *b, int block, const char *weight, ttt_tensor x,
                         ttt_activation act)
{
    return ttt_linear(b->g, x, parameter(b, block, weight), TTT_NONE, act);
}

ttt_tensor lact_nvs_tokens(const struct lact_nvs_builder *b, const struct lact_nvs_views *views)
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

ttt_tensor lact_nvs_pictures(const struct lact_nvs_builder *b, ttt_tensor x)
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
static ttt_tensor attention(const struct lact_nvs_builder *b, int block,
                            ttt_tensor x /* (B, V, patches, D) */)
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

ttt_tensor lact_nvs_add_attention(const struct lact_nvs_builder *b, int block, ttt_tensor x)
{
    ttt_scope_push(b->g, "attention");
    x = ttt_add(b->g, x, attention(b, block, norm(b, block, "module_list.0.ln.weight", x)));
    ttt_scope_pop(b->g);
    return x;
}

ttt_tensor lact_nvs_add_mlp(const struct lact_nvs_builder *b, int block, ttt_tensor x)
{
    ttt_scope_push(b->g, "mlp");
    ttt_tensor y = linear(b, block, "module_list.2.f.c_fc.weight",
                          norm(b, block, "module_list.2.ln.weight", x), TTT_GELU);
    x = ttt_add(b->g, x, linear(b, block, "module_list.2.f.c_proj.weight", y, TTT_IDENTITY));
    ttt_scope_pop(b->g);
    return x;
}

ttt_lact_weights lact_nvs_fast_layer(const struct lact_nvs_builder *b, int block)
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

ttt_tensor lact_nvs_sequence(ttt_graph *g, ttt_tensor x)
{
    return ttt_reshape(g, x,
                       ttt_dims(ttt_size(g, x, 0), ttt_size(g, x, 1) * ttt_size(g, x, 2), ttt_size(g, x, 3)));
}

void lact_nvs_push_block(const struct lact_nvs_builder *b, int block)
{
    ttt_scope_push(b->g, "blocks");
    ttt_scope_push(b->g, "%d", block);
}

void lact_nvs_pop_block(const struct lact_nvs_builder *b)
{
    ttt_scope_pop(b->g);
    ttt_scope_pop(b->g);
}

ttt_tensor lact_nvs_state(const struct lact_nvs_builder *b, int block, int i, int64_t batch)
{
    const int64_t d = b->config->fast_head_dim, m = (int64_t)(d * b->config->inter_multi);
    const int64_t heads = b->config->width / d;
    char name[32];
    snprintf(name, sizeof name, "state.%d.w%d", block, i);
    return ttt_variable(b->g, name, TTT_F32,
                        i == 1 ? ttt_dims(batch, heads, m, d) : ttt_dims(batch, heads, d, m));
}

ttt_tensor lact_nvs_fast_norm(const struct lact_nvs_builder *b, int block, ttt_tensor x)
{
    return lact_nvs_sequence(b->g, norm(b, block, "module_list.1.ln.weight", x));
}

ttt_lact_tokens lact_nvs_project(const struct lact_nvs_builder *b, int block, const ttt_lact_weights *weights,
                                 ttt_tensor x)
{
    return ttt_lact_project(b->g, &b->lact, weights, lact_nvs_fast_norm(b, block, x));
}
