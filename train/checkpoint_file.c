/* Writing and verifying one file of a checkpoint.
 *
 * Metadata: "ttt.version"; "ttt.checksum:<tensor>", of its bytes; "ttt.scalar:<name>"; and
 * "ttt.checksum", of everything else in the header.  "format" is what other readers look for.
 */
#include "train/checkpoint_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/checksum.h"

static const char version_key[] = "ttt.version", header_key[] = "ttt.checksum",
                  tensor_key[] = "ttt.checksum:", scalar_key[] = "ttt.scalar:";

/* 16 hexadecimal digits. */
struct digits {
    char text[17];
};

static struct digits digits(uint64_t sum)
{
    struct digits out;
    snprintf(out.text, sizeof out.text, "%016" PRIx64, sum);
    return out;
}

static uint64_t text_sum(const char *text, uint64_t seed)
{
    return checksum(text, strlen(text), seed);
}

/* Sum over all metadata but header_key, and over the tensors' names, types and shapes.  The terms are
 * added, so that their order does not matter. */
static uint64_t header_sum(const safetensors_tensor *tensors, size_t n, const safetensors_metadata *metadata,
                           size_t m)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m; i++)
        if (strcmp(metadata[i].key, header_key) != 0)
            sum += text_sum(metadata[i].value, text_sum(metadata[i].key, 1));
    for (size_t i = 0; i < n; i++) {
        uint64_t term = text_sum(safetensors_dtype_name(tensors[i].dtype), text_sum(tensors[i].name, 2));
        sum += checksum(tensors[i].shape, (size_t)tensors[i].rank * sizeof tensors[i].shape[0], term);
    }
    return sum;
}

static safetensors_tensor as_safetensors(const checkpoint_tensor *tensor)
{
    safetensors_tensor out = {.name = tensor->name,
                              .dtype = safetensors_from_dtype(tensor->dtype),
                              .rank = tensor->rank,
                              .data = tensor->data};
    memcpy(out.shape, tensor->shape, sizeof out.shape);
    out.bytes = ttt_dtype_size(tensor->dtype);
    for (int i = 0; i < tensor->rank; i++)
        out.bytes *= (size_t)tensor->shape[i];
    return out;
}

/* Metadata under construction; every string is the list's own. */
struct list {
    safetensors_metadata *entries;
    size_t count;
};

static ttt_status append(struct list *list, const char *prefix, const char *name, const char *value)
{
    char *key = NULL, *copy = strdup(value);
    if (!copy || asprintf(&key, "%s%s", prefix, name) < 0) {
        free(copy);
        return ttt_fail(TTT_MEMORY, "no memory for metadata");
    }
    list->entries[list->count++] = (safetensors_metadata){key, copy};
    return TTT_OK;
}

static void free_list(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free((char *)list->entries[i].key);
        free((char *)list->entries[i].value);
    }
    free(list->entries);
}

static ttt_status fill_list(struct list *list, const safetensors_tensor *tensors, size_t n,
                            const checkpoint_scalars *scalars)
{
    char version[16];
    snprintf(version, sizeof version, "%d", CHECKPOINT_VERSION);
    TRY(append(list, "", version_key, version));
    TRY(append(list, "", "format", "pt"));
    for (size_t i = 0; i < n; i++)
        TRY(append(list, tensor_key, tensors[i].name,
                   digits(checksum(tensors[i].data, tensors[i].bytes, 0)).text));
    for (int i = 0; scalars && i < scalars->count; i++)
        TRY(append(list, scalar_key, scalars->entries[i].name, scalars->entries[i].text));
    return append(list, "", header_key, digits(header_sum(tensors, n, list->entries, list->count)).text);
}

ttt_status checkpoint_file_write(const char *path, const checkpoint_tensor *tensors, size_t n,
                                 const checkpoint_scalars *scalars)
{
    struct list list = {0};
    ttt_status status = TTT_OK;
    safetensors_tensor *converted = calloc(n + 1, sizeof *converted);
    list.entries = calloc(n + 3 + CHECKPOINT_MAX_SCALARS, sizeof *list.entries);
    if (!converted || !list.entries) {
        status = ttt_fail(TTT_MEMORY, "%s: no memory for %zu tensors", path, n);
        goto cleanup;
    }
    for (size_t i = 0; i < n; i++)
        converted[i] = as_safetensors(&tensors[i]);
    TRY_TO(fill_list(&list, converted, n, scalars), cleanup);
    TRY_TO(safetensors_write(path, converted, n, list.entries, list.count), cleanup);
cleanup:
    free_list(&list);
    free(converted);
    return status;
}

static ttt_status check_version(const safetensors_file *file, bool bare)
{
    const char *text = safetensors_metadata_get(file, version_key);
    char *end;
    if (!text)
        return bare ? TTT_OK : ttt_fail(TTT_FORMAT, "not a checkpoint: no %s in its metadata", version_key);
    long version = strtol(text, &end, 10);
    if (end == text || *end || version < 1)
        return ttt_fail(TTT_FORMAT, "damaged: the version is not a number");
    if (version > CHECKPOINT_VERSION)
        return ttt_fail(TTT_FORMAT,
                        "written in version %ld of the format, this program reads up to %d; use a newer ttt",
                        version, CHECKPOINT_VERSION);
    return TTT_OK;
}

static ttt_status check_tensor_sum(const safetensors_file *file, const safetensors_tensor *tensor)
{
    char *key;
    if (asprintf(&key, "%s%s", tensor_key, tensor->name) < 0)
        return ttt_fail(TTT_MEMORY, "no memory");
    const char *wanted = safetensors_metadata_get(file, key);
    free(key);
    if (!wanted || strcmp(wanted, digits(checksum(tensor->data, tensor->bytes, 0)).text) != 0)
        return ttt_fail(TTT_FORMAT, "damaged: the bytes of tensor '%s' do not fit its checksum",
                        tensor->name);
    return TTT_OK;
}

static ttt_status check_sums(const safetensors_file *file, bool bare)
{
    const char *wanted = safetensors_metadata_get(file, header_key);
    if (!wanted)
        return bare ? TTT_OK : ttt_fail(TTT_FORMAT, "damaged: no %s in its metadata", header_key);
    size_t m;
    const safetensors_metadata *metadata = safetensors_metadata_all(file, &m);
    const size_t n = safetensors_count(file);
    const uint64_t sum = header_sum(n ? safetensors_at(file, 0) : NULL, n, metadata, m);
    if (strcmp(wanted, digits(sum).text) != 0)
        return ttt_fail(TTT_FORMAT, "damaged: names, shapes or metadata do not fit their checksum");
    for (size_t i = 0; i < n; i++)
        TRY(check_tensor_sum(file, safetensors_at(file, i)));
    return TTT_OK;
}

ttt_status checkpoint_file_open(const char *path, bool bare, safetensors_file **file)
{
    TRY(safetensors_open(path, file));
    ttt_status status = check_version(*file, bare);
    if (!status)
        status = check_sums(*file, bare);
    if (status) {
        safetensors_close(*file);
        *file = NULL;
    }
    return ttt_within(status, "%s", path);
}

void checkpoint_file_read(const safetensors_file *file, const checkpoint_tensor *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const safetensors_tensor *from = safetensors_find(file, tensors[i].name);
        if (from->bytes && safetensors_to_dtype(from->dtype) == tensors[i].dtype)
            memcpy(tensors[i].data, from->data, from->bytes);
        else if (from->bytes)
            safetensors_to_f32(from, tensors[i].data);
    }
}

ttt_status checkpoint_file_scalars(const safetensors_file *file, checkpoint_scalars *scalars)
{
    size_t m;
    const safetensors_metadata *metadata = safetensors_metadata_all(file, &m);
    *scalars = (checkpoint_scalars){0};
    for (size_t i = 0; i < m; i++) {
        if (strncmp(metadata[i].key, scalar_key, strlen(scalar_key)) != 0)
            continue;
        const char *name = metadata[i].key + strlen(scalar_key);
        if (scalars->count == CHECKPOINT_MAX_SCALARS || strlen(name) >= CHECKPOINT_SCALAR_NAME ||
            strlen(metadata[i].value) >= CHECKPOINT_SCALAR_TEXT)
            return ttt_fail(TTT_FORMAT, "%s: number '%.40s' is too long or one too many",
                            safetensors_path(file), name);
        strcpy(scalars->entries[scalars->count].name, name);
        strcpy(scalars->entries[scalars->count++].text, metadata[i].value);
    }
    return TTT_OK;
}
