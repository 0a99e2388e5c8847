/* The ViT^3 forward pass. */
#include "vision/vittt.h"

#include <stdlib.h>

#include "ttt/fast/vittt.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/conv3x3/conv3x3.h"
#include "ttt/ops/drop_path/drop_path.h"
#include "ttt/ops/layernorm/layernorm.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/patches/patches.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"

static const float norm_eps = 1e-6f;

/* What every part of the model needs to know while it is built. */
struct builder {
    ttt_graph *g;
    const struct vittt_config *config;
    const struct parameter *parameters;
    int count;
    const char *prefix;
    ttt_tensor step;
    uint64_t seed;
};

static ttt_tensor parameter(const struct builder *b, int block, const char *name)
{
    return parameter_variable(b->g, b->parameters, b->count, b->prefix, block, name);
}

static ttt_tensor norm(const struct builder *b, int block, const char *weight, const char *bias, ttt_tensor x)
{
    return ttt_layernorm(b->g, x, parameter(b, block, weight), parameter(b, block, bias), norm_eps);
}

/* x + branch, the branch of whole samples dropped while training. */
static ttt_tensor residual(const struct builder *b, int block, int branch, ttt_tensor x, ttt_tensor y)
{
    int last = b->config->depth - 1;
    float rate = last ? b->config->drop_path * (float)block / (float)last : 0;
    if (ttt_exists(b->step) && rate > 0) {
        ttt_tensor factors = ttt_drop_path(b->g, b->step, ttt_size(b->g, x, 0), 4, rate, b->seed,
                                           (uint32_t)(2 * block + branch));
        y = ttt_mul(b->g, y, factors);
    }
    return ttt_add(b->g, x, y);
}

/* x + depthwise convolution of x: the position encoding. */
static ttt_tensor conditional_position(const struct builder *b, int block, ttt_tensor x)
{
    ttt_tensor kernel = parameter(b, block, "cpe.weight");
    kernel = ttt_reshape(b->g, kernel, ttt_dims(b->config->width, 3, 3));
    return ttt_conv3x3_residual(b->g, x, kernel, parameter(b, block, "cpe.bias"));
}

static ttt_tensor attention(const struct builder *b, int block, ttt_tensor x)
{
    ttt_vittt_weights weights = {
        .qkv_weight = parameter(b, block, "attn.qkv.weight"),
        .qkv_bias = parameter(b, block, "attn.qkv.bias"),
        .w1 = parameter(b, block, "attn.w1"),
        .w2 = parameter(b, block, "attn.w2"),
        .w3 = parameter(b, block, "attn.w3"),
        .proj_weight = parameter(b, block, "attn.proj.weight"),
        .proj_bias = parameter(b, block, "attn.proj.bias"),
    };
    ttt_scope_push(b->g, "attn");
    x = ttt_vittt_layer(b->g, &weights, x, &b->config->variant);
    ttt_scope_pop(b->g);
    return x;
}

static ttt_tensor mlp(const struct builder *b, int block, ttt_tensor x)
{
    ttt_scope_push(b->g, "mlp");
    x = ttt_linear(b->g, x, parameter(b, block, "mlp.fc1.weight"), parameter(b, block, "mlp.fc1.bias"),
                   TTT_GELU);
    x = ttt_linear(b->g, x, parameter(b, block, "mlp.fc2.weight"), parameter(b, block, "mlp.fc2.bias"),
                   TTT_IDENTITY);
    ttt_scope_pop(b->g);
    return x;
}

static ttt_tensor block_forward(const struct builder *b, int i, ttt_tensor x /* (B, h, w, C) */)
{
    ttt_scope_push(b->g, "blocks");
    ttt_scope_push(b->g, "%d", i);
    if (b->config->recompute)
        ttt_recompute_begin(b->g);
    x = conditional_position(b, i, x);
    x = residual(b, i, 0, x, attention(b, i, norm(b, i, "norm1.weight", "norm1.bias", x)));
    x = residual(b, i, 1, x, mlp(b, i, norm(b, i, "norm2.weight", "norm2.bias", x)));
    if (b->config->recompute)
        ttt_recompute_end(b->g);
    ttt_scope_pop(b->g);
    ttt_scope_pop(b->g);
    return x;
}

static ttt_tensor patch_embed(const struct builder *b, ttt_tensor images)
{
    int patch = b->config->patch;
    ttt_scope_push(b->g, "patch_embed");
    ttt_tensor weight = ttt_reshape(b->g, parameter(b, -1, "patch_embed.proj.weight"),
                                    ttt_dims(b->config->width, 3 * patch * patch));
    ttt_tensor x = ttt_linear(b->g, ttt_patches(b->g, images, patch, TTT_PATCH_CHANNEL_FIRST), weight,
                              parameter(b, -1, "patch_embed.proj.bias"), TTT_IDENTITY);
    ttt_scope_pop(b->g);
    return x;
}

static ttt_tensor head(const struct builder *b, ttt_tensor x)
{
    ttt_scope_push(b->g, "head");
    x = ttt_mean(b->g, norm(b, -1, "norm.weight", "norm.bias", x), 1u << 1 | 1u << 2);
    x = ttt_reshape(b->g, x, ttt_dims(ttt_size(b->g, x, 0), b->config->width));
    x = ttt_linear(b->g, x, parameter(b, -1, "head.weight"), parameter(b, -1, "head.bias"), TTT_IDENTITY);
    ttt_scope_pop(b->g);
    return x;
}

ttt_tensor vittt_forward(ttt_graph *g, const struct vittt_config *config, const char *prefix,
                         ttt_tensor images, ttt_tensor step, uint64_t seed)
{
    struct parameter *parameters = NULL;
    struct builder b = {g, config, NULL, 0, prefix, step, seed};
    ttt_status status = vittt_parameters(config, &parameters, &b.count);
    if (status) {
        ttt_tensor failed = ttt_graph_fail(g, ttt_status_code(status), "%s", ttt_status_text(status));
        ttt_status_free(status);
        return failed;
    }
    b.parameters = parameters;
    ttt_tensor x = patch_embed(&b, images);
    for (int i = 0; i < config->depth; i++)
        x = block_forward(&b, i, x);
    x = head(&b, x);
    free(parameters);
    return x;
}
