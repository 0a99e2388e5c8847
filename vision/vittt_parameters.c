/* The parameters of a ViT^3: names, shapes, initial values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/base/random.h"
#include "vision/vittt.h"

enum { PER_BLOCK = 17, OUTSIDE_BLOCKS = 6 };

struct list {
    struct parameter *parameters;
    int count;
};

static void add(struct list *list, int block, const char *name, ttt_shape shape, enum parameter_init init,
                int fan_in)
{
    struct parameter *p = &list->parameters[list->count++];
    *p = (struct parameter){.shape = shape, .init = init, .fan_in = fan_in, .decays = shape.rank > 1};
    if (block < 0)
        snprintf(p->name, sizeof p->name, "%s", name);
    else
        snprintf(p->name, sizeof p->name, "blocks.%d.%s", block, name);
}

static void add_block(struct list *list, int i, const struct vittt_config *config)
{
    const int c = config->width, heads = config->heads, d = c / heads,
              hidden = (int)((float)c * config->mlp_ratio);
    add(list, i, "cpe.weight", ttt_dims(c, 1, 3, 3), INIT_UNIFORM_BY_FAN, 9);
    add(list, i, "cpe.bias", ttt_dims(c), INIT_UNIFORM_BY_FAN, 9);
    add(list, i, "norm1.weight", ttt_dims(c), INIT_ONES, 0);
    add(list, i, "norm1.bias", ttt_dims(c), INIT_ZEROS, 0);
    add(list, i, "norm2.weight", ttt_dims(c), INIT_ONES, 0);
    add(list, i, "norm2.bias", ttt_dims(c), INIT_ZEROS, 0);
    add(list, i, "attn.w1", ttt_dims(1, heads, d, d), INIT_NORMAL, 0);
    add(list, i, "attn.w2", ttt_dims(1, heads, d, d), INIT_NORMAL, 0);
    add(list, i, "attn.w3", ttt_dims(d, 1, 3, 3), INIT_NORMAL, 0);
    add(list, i, "attn.qkv.weight", ttt_dims(3 * c + 3 * d, c), INIT_NORMAL, 0);
    add(list, i, "attn.qkv.bias", ttt_dims(3 * c + 3 * d), INIT_ZEROS, 0);
    add(list, i, "attn.proj.weight", ttt_dims(c, c + d), INIT_NORMAL, 0);
    add(list, i, "attn.proj.bias", ttt_dims(c), INIT_ZEROS, 0);
    add(list, i, "mlp.fc1.weight", ttt_dims(hidden, c), INIT_NORMAL, 0);
    add(list, i, "mlp.fc1.bias", ttt_dims(hidden), INIT_ZEROS, 0);
    add(list, i, "mlp.fc2.weight", ttt_dims(c, hidden), INIT_NORMAL, 0);
    add(list, i, "mlp.fc2.bias", ttt_dims(c), INIT_ZEROS, 0);
}

ttt_status vittt_parameters(const struct vittt_config *config, struct parameter **parameters, int *count)
{
    TRY(vittt_config_check(config));
    const int c = config->width, patch = config->patch, pixels = 3 * patch * patch;
    struct list list = {
        calloc((size_t)(config->depth * PER_BLOCK + OUTSIDE_BLOCKS), sizeof(struct parameter)), 0};
    if (!list.parameters)
        return ttt_fail(TTT_MEMORY, "no memory to list the parameters");
    add(&list, -1, "patch_embed.proj.weight", ttt_dims(c, 3, patch, patch), INIT_UNIFORM_BY_FAN, pixels);
    add(&list, -1, "patch_embed.proj.bias", ttt_dims(c), INIT_UNIFORM_BY_FAN, pixels);
    for (int i = 0; i < config->depth; i++)
        add_block(&list, i, config);
    add(&list, -1, "norm.weight", ttt_dims(c), INIT_ONES, 0);
    add(&list, -1, "norm.bias", ttt_dims(c), INIT_ZEROS, 0);
    add(&list, -1, "head.weight", ttt_dims(config->classes, c), INIT_NORMAL, 0);
    add(&list, -1, "head.bias", ttt_dims(config->classes), INIT_ZEROS, 0);
    *parameters = list.parameters;
    *count = list.count;
    return TTT_OK;
}

static void fill(const struct parameter *parameter, uint64_t seed, float *values)
{
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_INIT, ttt_hash(parameter->name), 0);
    double bound = parameter->fan_in ? 1 / sqrt(parameter->fan_in) : 0;
    for (int64_t i = 0; i < ttt_shape_elements(parameter->shape); i++)
        switch (parameter->init) {
        case INIT_ZEROS:
            values[i] = 0;
            break;
        case INIT_ONES:
            values[i] = 1;
            break;
        case INIT_NORMAL:
            values[i] = (float)(0.02 * ttt_random_normal(&random));
            break;
        case INIT_UNIFORM_BY_FAN:
            values[i] = (float)(bound * (2 * ttt_random_uniform(&random) - 1));
            break;
        }
}

static ttt_status initialise(const struct parameter *parameter, ttt_store *store, uint64_t seed)
{
    float *values = malloc((size_t)ttt_shape_elements(parameter->shape) * sizeof *values);
    if (!values)
        return ttt_fail(TTT_MEMORY, "no memory to initialise '%s'", parameter->name);
    fill(parameter, seed, values);
    ttt_status status = TTT_OK;
    if (!ttt_store_find(store, parameter->name))
        status = ttt_store_add(store, parameter->name, TTT_F32, parameter->shape);
    if (!status)
        status = ttt_store_write(store, parameter->name, values);
    free(values);
    return status;
}

ttt_status vittt_initialise(const struct vittt_config *config, ttt_store *store, uint64_t seed)
{
    struct parameter *parameters;
    int count;
    TRY(vittt_parameters(config, &parameters, &count));
    ttt_status status = TTT_OK;
    for (int i = 0; i < count && !status; i++)
        status = initialise(&parameters[i], store, seed);
    free(parameters);
    return status;
}
