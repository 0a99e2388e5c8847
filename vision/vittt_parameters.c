/* The parameters of a ViT^3: names, shapes, initial values. */
#include <math.h>
#include <stdlib.h>

#include "vision/vittt.h"

/* Linear layers and fast weights; the published truncation, at 100 deviations, cuts nothing. */
static const double deviation = 0.02;

static void add_block(struct parameter_list *list, int i, const struct vittt_config *config)
{
    const int c = config->width, heads = config->heads, d = c / heads;
    const int hidden = (int)((float)c * config->mlp_ratio);
    const double conv = 1 / sqrt(9);
    parameter_add(list, i, "cpe.weight", ttt_dims(c, 1, 3, 3), INIT_UNIFORM, conv);
    parameter_add(list, i, "cpe.bias", ttt_dims(c), INIT_UNIFORM, conv);
    parameter_add(list, i, "norm1.weight", ttt_dims(c), INIT_ONES, 0);
    parameter_add(list, i, "norm1.bias", ttt_dims(c), INIT_ZEROS, 0);
    parameter_add(list, i, "norm2.weight", ttt_dims(c), INIT_ONES, 0);
    parameter_add(list, i, "norm2.bias", ttt_dims(c), INIT_ZEROS, 0);
    parameter_add(list, i, "attn.w1", ttt_dims(1, heads, d, d), INIT_NORMAL, deviation);
    parameter_add(list, i, "attn.w2", ttt_dims(1, heads, d, d), INIT_NORMAL, deviation);
    parameter_add(list, i, "attn.w3", ttt_dims(d, 1, 3, 3), INIT_NORMAL, deviation);
    parameter_add(list, i, "attn.qkv.weight", ttt_dims(3 * c + 3 * d, c), INIT_NORMAL, deviation);
    parameter_add(list, i, "attn.qkv.bias", ttt_dims(3 * c + 3 * d), INIT_ZEROS, 0);
    parameter_add(list, i, "attn.proj.weight", ttt_dims(c, c + d), INIT_NORMAL, deviation);
    parameter_add(list, i, "attn.proj.bias", ttt_dims(c), INIT_ZEROS, 0);
    parameter_add(list, i, "mlp.fc1.weight", ttt_dims(hidden, c), INIT_NORMAL, deviation);
    parameter_add(list, i, "mlp.fc1.bias", ttt_dims(hidden), INIT_ZEROS, 0);
    parameter_add(list, i, "mlp.fc2.weight", ttt_dims(c, hidden), INIT_NORMAL, deviation);
    parameter_add(list, i, "mlp.fc2.bias", ttt_dims(c), INIT_ZEROS, 0);
}

ttt_status vittt_parameters(const struct vittt_config *config, struct parameter **parameters, int *count)
{
    TRY(vittt_config_check(config));
    const int c = config->width, patch = config->patch;
    const double conv = 1 / sqrt(3.0 * patch * patch);
    struct parameter_list list = {0};
    parameter_add(&list, -1, "patch_embed.proj.weight", ttt_dims(c, 3, patch, patch), INIT_UNIFORM, conv);
    parameter_add(&list, -1, "patch_embed.proj.bias", ttt_dims(c), INIT_UNIFORM, conv);
    for (int i = 0; i < config->depth; i++)
        add_block(&list, i, config);
    parameter_add(&list, -1, "norm.weight", ttt_dims(c), INIT_ONES, 0);
    parameter_add(&list, -1, "norm.bias", ttt_dims(c), INIT_ZEROS, 0);
    parameter_add(&list, -1, "head.weight", ttt_dims(config->classes, c), INIT_NORMAL, deviation);
    parameter_add(&list, -1, "head.bias", ttt_dims(config->classes), INIT_ZEROS, 0);
    return parameter_list_take(&list, parameters, count);
}

ttt_status vittt_initialise(const struct vittt_config *config, ttt_store *store, uint64_t seed)
{
    struct parameter *parameters;
    int count;
    TRY(vittt_parameters(config, &parameters, &count));
    ttt_status status = parameters_initialise(parameters, count, store, seed);
    free(parameters);
    return status;
}
