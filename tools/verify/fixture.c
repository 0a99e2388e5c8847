/* Golden vector files. */
#include "tools/verify/fixture.h"

#include <stdlib.h>
#include <string.h>

/* More than any study takes, and few enough to build. */
enum { INNER_STEPS_MAX = 256 };

static ttt_status parse_metadata(struct fixture *fixture)
{
    size_t count;
    const safetensors_metadata *entries = safetensors_metadata_all(fixture->file, &count);
    fixture->metadata = json_object();
    for (size_t i = 0; i < count; i++) {
        json_error_t error;
        json_t *value = json_loads(entries[i].value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (!value)
            return ttt_fail(TTT_FORMAT, "metadata '%s' is not JSON: %s", entries[i].key, error.text);
        if (json_object_set_new(fixture->metadata, entries[i].key, value))
            return ttt_fail(TTT_MEMORY, "out of memory for the metadata");
    }
    return TTT_OK;
}

ttt_status fixture_open(const char *path, struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    TRY(safetensors_open(path, &fixture->file));
    ttt_status status = ttt_within(parse_metadata(fixture), "%s", path);
    if (status)
        fixture_close(fixture);
    return status;
}

void fixture_close(struct fixture *fixture)
{
    json_decref(fixture->metadata);
    safetensors_close(fixture->file);
    *fixture = (struct fixture){0};
}

ttt_status fixture_kind(const struct fixture *fixture, const char **kind)
{
    *kind = json_string_value(json_object_get(fixture->metadata, "kind"));
    return *kind ? TTT_OK : ttt_fail(TTT_FORMAT, "the metadata has no text 'kind': not a golden vector file");
}

ttt_status fixture_whole(const struct fixture *fixture, const char *group, const char *key, int min, int max,
                         int *value)
{
    const json_t *object = group ? json_object_get(fixture->metadata, group) : fixture->metadata;
    const json_t *number = json_object_get(object, key);
    json_int_t found = json_integer_value(number);
    if (!json_is_integer(number) || found < min || found > max)
        return ttt_fail(TTT_FORMAT, "metadata %s%s%s is not a whole number from %d to %d", group ? group : "",
                        group ? "." : "", key, min, max);
    *value = (int)found;
    return TTT_OK;
}

static ttt_status read_number(const json_t *number, const char *key, double min, double max, double *value)
{
    double found = json_number_value(number);
    if (!json_is_number(number) || !(found >= min && found <= max))
        return ttt_fail(TTT_FORMAT, "metadata %s is not a number from %g to %g", key, min, max);
    *value = found;
    return TTT_OK;
}

ttt_status fixture_number(const struct fixture *fixture, const char *key, double min, double max,
                          double *value)
{
    return read_number(json_object_get(fixture->metadata, key), key, min, max, value);
}

ttt_status fixture_number_or(const struct fixture *fixture, const char *key, double min, double max,
                             double *value)
{
    const json_t *number = json_object_get(fixture->metadata, key);
    return number ? read_number(number, key, min, max, value) : TTT_OK;
}

static ttt_status read_bool(const json_t *variant, const char *key, bool *value)
{
    const json_t *found = json_object_get(variant, key);
    if (!json_is_boolean(found))
        return ttt_fail(TTT_FORMAT, "metadata variant.%s is not true or false", key);
    *value = json_is_true(found);
    return TTT_OK;
}

/* 0 for the text `first`, 1 for `second`. */
static ttt_status read_choice(const json_t *variant, const char *key, const char *first, const char *second,
                              int *value)
{
    const char *found = json_string_value(json_object_get(variant, key));
    if (!found || (strcmp(found, first) && strcmp(found, second)))
        return ttt_fail(TTT_FORMAT, "metadata variant.%s is neither %s nor %s", key, first, second);
    *value = !strcmp(found, second);
    return TTT_OK;
}

ttt_status fixture_variant(const struct fixture *fixture, ttt_variant *variant)
{
    const json_t *object = json_object_get(fixture->metadata, "variant");
    int last = 0, linear = 0, mse = 0, direction = 0;
    bool read_k = false;
    TRY(read_choice(object, "update", "all", "last", &last));
    TRY(read_choice(object, "kernel", "swiglu", "linear", &linear));
    TRY(read_choice(object, "loss", "dot", "mse", &mse));
    TRY(read_bool(object, "query_is_key", &read_k));
    TRY(read_bool(object, "weight_norm", &variant->weight_norm));
    TRY(read_bool(object, "token_lr", &variant->token_lr));
    TRY(read_bool(object, "momentum", &variant->momentum));
    TRY(read_bool(object, "condition_gradient", &variant->condition_gradient));
    TRY(fixture_whole(fixture, "variant", "inner_steps", 1, INNER_STEPS_MAX, &variant->inner_steps));
    TRY(fixture_whole(fixture, "variant", "direction", -1, 1, &direction));
    if (!direction)
        return ttt_fail(TTT_FORMAT, "metadata variant.direction is neither 1 nor -1");
    variant->update = last ? TTT_UPDATE_LAST : TTT_UPDATE_ALL;
    variant->kernel = linear ? TTT_KERNEL_LINEAR : TTT_KERNEL_SWIGLU;
    variant->loss = mse ? TTT_LOSS_MSE : TTT_LOSS_DOT;
    variant->direction = direction > 0 ? TTT_DESCENT : TTT_ASCENT;
    variant->query = read_k ? TTT_QUERY_K : TTT_QUERY_Q;
    return TTT_OK;
}

ttt_status fixture_tensor(const struct fixture *fixture, const char *prefix, const char *name,
                          ttt_shape shape, const safetensors_tensor **tensor)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    TRY(safetensors_require(fixture->file, full, tensor));
    const safetensors_tensor *found = *tensor;
    bool equal = found->rank == shape.rank;
    for (int i = 0; equal && i < shape.rank; i++)
        equal = found->shape[i] == shape.size[i];
    char text[TTT_SHAPE_TEXT];
    if (!equal)
        return ttt_fail(TTT_FORMAT, "tensor '%s' has not the shape %s that the metadata give it", full,
                        ttt_shape_text(shape, text));
    return TTT_OK;
}

ttt_status fixture_tensor_of_rank(const struct fixture *fixture, const char *name, int rank,
                                  const safetensors_tensor **tensor)
{
    TRY(safetensors_require(fixture->file, name, tensor));
    if ((*tensor)->rank != rank)
        return ttt_fail(TTT_FORMAT, "tensor '%s' has %d dimensions instead of %d", name, (*tensor)->rank,
                        rank);
    if (!(*tensor)->count)
        return ttt_fail(TTT_FORMAT, "tensor '%s' is empty", name);
    return TTT_OK;
}

float *fixture_values(const safetensors_tensor *tensor)
{
    float *values = malloc((size_t)tensor->count * sizeof *values + 1);
    if (values)
        safetensors_to_f32(tensor, values);
    return values;
}
