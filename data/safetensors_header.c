/* The header of a safetensors file: JSON to tensors, trusting no name, number or offset. */
#include "data/safetensors_header.h"

#include <stdlib.h>
#include <string.h>

/* Offsets of a tensor in the data section, kept beside it until they are checked. */
struct extent {
    safetensors_tensor tensor;
    uint64_t begin, end;
};

/* A name from the file made fit for one line of text. */
struct printable {
    char text[96];
};

static struct printable printable(const char *name)
{
    struct printable out;
    size_t n = 0;
    for (; name[n] && n < sizeof out.text - 4; n++)
        out.text[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
    strcpy(out.text + n, name[n] ? "..." : "");
    return out;
}

static ttt_status parse_dtype(const json_t *value, safetensors_dtype *dtype)
{
    if (!json_is_string(value))
        return ttt_fail(TTT_FORMAT, "dtype is not a string");
    for (*dtype = SAFETENSORS_F64; *dtype <= SAFETENSORS_U8; (*dtype)++)
        if (!strcmp(safetensors_dtype_name(*dtype), json_string_value(value)))
            return TTT_OK;
    return ttt_fail(TTT_FORMAT, "unknown dtype '%s'; known are F64, F32, F16, BF16, I64, I32, U8",
                    printable(json_string_value(value)).text);
}

/* A JSON integer >= 0. */
static bool parse_natural(const json_t *value, uint64_t *number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static ttt_status parse_shape(const json_t *value, safetensors_tensor *tensor)
{
    if (!json_is_array(value))
        return ttt_fail(TTT_FORMAT, "shape is not an array");
    if (json_array_size(value) > SAFETENSORS_MAX_RANK)
        return ttt_fail(TTT_FORMAT, "%zu dimensions, at most %d are allowed", json_array_size(value),
                        SAFETENSORS_MAX_RANK);
    tensor->rank = (int)json_array_size(value);
    tensor->count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        uint64_t dimension;
        if (!parse_natural(json_array_get(value, (size_t)i), &dimension))
            return ttt_fail(TTT_FORMAT, "dimension %d is not an integer >= 0", i);
        tensor->shape[i] = (int64_t)dimension;
        if (__builtin_mul_overflow(tensor->count, tensor->shape[i], &tensor->count))
            return ttt_fail(TTT_FORMAT, "the shape's product overflows");
    }
    if (__builtin_mul_overflow((size_t)tensor->count, safetensors_dtype_size(tensor->dtype), &tensor->bytes))
        return ttt_fail(TTT_FORMAT, "the shape's product overflows");
    return TTT_OK;
}

static ttt_status parse_extent(const char *name, const json_t *entry, struct extent *extent)
{
    extent->tensor = (safetensors_tensor){.name = name};
    if (!json_is_object(entry))
        return ttt_fail(TTT_FORMAT, "not an object");
    const json_t *dtype = json_object_get(entry, "dtype");
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (!dtype || !shape || !offsets || json_object_size(entry) != 3)
        return ttt_fail(TTT_FORMAT, "needs exactly dtype, shape and data_offsets");
    TRY(parse_dtype(dtype, &extent->tensor.dtype));
    TRY(parse_shape(shape, &extent->tensor));
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !parse_natural(json_array_get(offsets, 0), &extent->begin) ||
        !parse_natural(json_array_get(offsets, 1), &extent->end) || extent->begin > extent->end)
        return ttt_fail(TTT_FORMAT, "data_offsets are not two increasing integers >= 0");
    if (extent->end - extent->begin != extent->tensor.bytes)
        return ttt_fail(TTT_FORMAT, "data_offsets span %llu bytes, dtype and shape need %zu",
                        (unsigned long long)(extent->end - extent->begin), extent->tensor.bytes);
    return TTT_OK;
}

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

/* Extents sorted by offset must tile 0 .. data_bytes without a gap or an overlap. */
static ttt_status check_tiling(const struct extent *extents, size_t n, uint64_t data_bytes)
{
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        if (extents[i].begin != end)
            return ttt_fail(TTT_FORMAT, "tensor '%s' starts at offset %llu of the data, expected %llu",
                            printable(extents[i].tensor.name).text, (unsigned long long)extents[i].begin,
                            (unsigned long long)end);
        end = extents[i].end;
    }
    if (end != data_bytes)
        return ttt_fail(TTT_FORMAT, "%s: the tensors need %llu bytes, the file has %llu",
                        end > data_bytes ? "truncated" : "bytes after the last tensor",
                        (unsigned long long)end, (unsigned long long)data_bytes);
    return TTT_OK;
}

int safetensors_metadata_compare(const void *a, const void *b)
{
    return strcmp(((const safetensors_metadata *)a)->key, ((const safetensors_metadata *)b)->key);
}

static ttt_status parse_metadata(safetensors_header *header, json_t *entry)
{
    const char *key;
    json_t *value;
    if (!json_is_object(entry))
        return ttt_fail(TTT_FORMAT, "__metadata__ is not an object");
    header->metadata = calloc(json_object_size(entry) + 1, sizeof *header->metadata);
    if (!header->metadata)
        return ttt_fail(TTT_MEMORY, "no memory for %zu metadata entries", json_object_size(entry));
    json_object_foreach(entry, key, value)
    {
        if (!json_is_string(value))
            return ttt_fail(TTT_FORMAT, "metadata '%s' is not a string", printable(key).text);
        header->metadata[header->metadata_count++] = (safetensors_metadata){key, json_string_value(value)};
    }
    qsort(header->metadata, header->metadata_count, sizeof *header->metadata, safetensors_metadata_compare);
    return TTT_OK;
}

/* Fills extents[0 .. *n-1], in the order of the JSON text, and the metadata. */
static ttt_status parse_entries(safetensors_header *header, struct extent *extents, size_t *n)
{
    const char *name;
    json_t *entry;
    *n = 0;
    json_object_foreach(header->json, name, entry)
    {
        if (!strcmp(name, "__metadata__")) {
            TRY(parse_metadata(header, entry));
            continue;
        }
        TRY(ttt_within(parse_extent(name, entry, &extents[*n]), "tensor '%s'", printable(name).text));
        (*n)++;
    }
    return TTT_OK;
}

static ttt_status parse_tensors(safetensors_header *header, uint64_t data_bytes)
{
    const size_t room = json_object_size(header->json) + 1;
    struct extent *extents = calloc(room, sizeof *extents);
    header->tensors = calloc(room, sizeof *header->tensors);
    ttt_status status = TTT_OK;
    if (!extents || !header->tensors) {
        status = ttt_fail(TTT_MEMORY, "no memory for %zu tensors", room);
        goto cleanup;
    }
    TRY_TO(parse_entries(header, extents, &header->count), cleanup);
    qsort(extents, header->count, sizeof *extents, compare_extents);
    TRY_TO(check_tiling(extents, header->count, data_bytes), cleanup);
    for (size_t i = 0; i < header->count; i++)
        header->tensors[i] = extents[i].tensor;
cleanup:
    free(extents);
    return status;
}

ttt_status safetensors_header_parse(const char *text, size_t length, uint64_t data_bytes,
                                    safetensors_header *header)
{
    json_error_t error;
    *header = (safetensors_header){0};
    if (length == 0 || text[0] != '{')
        return ttt_fail(TTT_FORMAT, "not a safetensors file: the header does not start with '{'");
    header->json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!header->json)
        return ttt_fail(TTT_FORMAT, "bad JSON at byte %d of the header: %s", error.position,
                        printable(error.text).text);
    return parse_tensors(header, data_bytes);
}

void safetensors_header_free(safetensors_header *header)
{
    free(header->metadata);
    free(header->tensors);
    json_decref(header->json);
    *header = (safetensors_header){0};
}
