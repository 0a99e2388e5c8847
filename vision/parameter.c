/* Lists of parameters, and their initial values. */
#include "vision/parameter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/base/random.h"
#include "ttt/graph/operator.h"

static void full_name(char *text, size_t size, int block, const char *name)
{
    if (block < 0)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "blocks.%d.%s", block, name);
}

void parameter_add(struct parameter_list *list, int block, const char *name, ttt_shape shape,
                   enum parameter_init init, double scale)
{
    if (list->count == list->room && !list->failed) {
        int room = list->room ? 2 * list->room : 64;
        struct parameter *larger = realloc(list->parameters, (size_t)room * sizeof *larger);
        list->failed = !larger;
        if (larger) {
            list->parameters = larger;
            list->room = room;
        }
    }
    if (list->failed)
        return;
    struct parameter *parameter = &list->parameters[list->count++];
    *parameter = (struct parameter){.shape = shape, .init = init, .scale = scale, .decays = shape.rank > 1};
    full_name(parameter->name, sizeof parameter->name, block, name);
}

ttt_status parameter_list_take(struct parameter_list *list, struct parameter **parameters, int *count)
{
    if (list->failed) {
        free(list->parameters);
        *list = (struct parameter_list){0};
        return ttt_fail(TTT_MEMORY, "no memory to list the parameters");
    }
    *parameters = list->parameters;
    *count = list->count;
    return TTT_OK;
}

int64_t parameters_bytes(const struct parameter *parameters, int count)
{
    int64_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += ttt_shape_elements(parameters[i].shape) * (int64_t)sizeof(float);
    return bytes;
}

ttt_tensor parameter_variable(ttt_graph *g, const struct parameter *parameters, int count, const char *prefix,
                              int block, const char *name)
{
    char full[sizeof parameters->name], stored[sizeof full + 16];
    full_name(full, sizeof full, block, name);
    for (int i = 0; i < count; i++)
        if (!strcmp(parameters[i].name, full)) {
            snprintf(stored, sizeof stored, "%s%s", prefix, full);
            return ttt_variable(g, stored, TTT_F32, parameters[i].shape);
        }
    return ttt_graph_fail(g, TTT_ARGUMENT, "the model has no parameter '%s'", full);
}

static void fill(const struct parameter *parameter, uint64_t seed, float *values)
{
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_INIT, ttt_hash(parameter->name), 0);
    for (int64_t i = 0; i < ttt_shape_elements(parameter->shape); i++)
        switch (parameter->init) {
        case INIT_ZEROS:
            values[i] = 0;
            break;
        case INIT_ONES:
            values[i] = 1;
            break;
        case INIT_NORMAL:
            values[i] = (float)(parameter->scale * ttt_random_normal(&random));
            break;
        case INIT_UNIFORM:
            values[i] = (float)(parameter->scale * (2 * ttt_random_uniform(&random) - 1));
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

ttt_status parameters_initialise(const struct parameter *parameters, int count, ttt_store *store,
                                 uint64_t seed)
{
    for (int i = 0; i < count; i++)
        TRY(initialise(&parameters[i], store, seed));
    return TTT_OK;
}
