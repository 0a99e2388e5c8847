/* Reading safetensors: the file's frame, its header, then the bytes; each checked before the next. */
#include "data/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

/* The limit of the published reader: a longer header is an attack or a damaged length. */
static const uint64_t max_header_bytes = 100000000;
enum { data_alignment = 64 };

struct safetensors_file {
    char *path;
    json_t *header; /* owns every name and metadata string */
    safetensors_tensor *tensors;
    size_t count;
    const safetensors_tensor **by_name;
    safetensors_metadata *metadata;
    size_t metadata_count;
    unsigned char *data;
};

/* Offsets of a tensor in the data section, kept beside it until the bytes are read. */
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

static ttt_status read_exactly(int fd, void *to, size_t bytes, uint64_t offset)
{
    unsigned char *at = to;
    while (bytes) {
        /* The kernel moves at most about 2 GB in one call. */
        size_t part = bytes < (1u << 30) ? bytes : (1u << 30);
        ssize_t got = pread(fd, at, part, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ttt_fail(TTT_IO, "cannot read: %s", strerror(errno));
        if (got == 0)
            return ttt_fail(TTT_IO, "the file became shorter while it was read");
        at += got;
        offset += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return TTT_OK;
}

static ttt_status open_regular(const char *path, int *fd, uint64_t *size)
{
    struct stat info;
    /* Non-blocking, so that a named pipe cannot hold us. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return ttt_fail(TTT_IO, "cannot open: %s", strerror(errno));
    if (fstat(*fd, &info) != 0)
        return ttt_fail(TTT_IO, "cannot stat: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return ttt_fail(TTT_IO, "not a regular file");
    *size = (uint64_t)info.st_size;
    return TTT_OK;
}

/* Reads the length and the JSON text; *data_start is where the tensors' bytes begin. */
static ttt_status read_header(int fd, uint64_t size, json_t **header, uint64_t *data_start)
{
    unsigned char prefix[8];
    uint64_t length = 0;
    if (size < sizeof prefix)
        return ttt_fail(TTT_FORMAT, "truncated: %llu bytes, a safetensors file has at least 8",
                        (unsigned long long)size);
    TRY(read_exactly(fd, prefix, sizeof prefix, 0));
    for (int i = 7; i >= 0; i--)
        length = length << 8 | prefix[i];
    if (length > max_header_bytes)
        return ttt_fail(TTT_FORMAT, "not a safetensors file: header of %llu bytes, at most %llu are allowed",
                        (unsigned long long)length, (unsigned long long)max_header_bytes);
    if (length > size - sizeof prefix)
        return ttt_fail(TTT_FORMAT, "truncated: header of %llu bytes, %llu are left in the file",
                        (unsigned long long)length, (unsigned long long)(size - sizeof prefix));
    char *text = malloc(length + 1);
    if (!text)
        return ttt_fail(TTT_MEMORY, "no memory for a header of %llu bytes", (unsigned long long)length);
    ttt_status status = read_exactly(fd, text, length, sizeof prefix);
    if (!status && (length == 0 || text[0] != '{'))
        status = ttt_fail(TTT_FORMAT, "not a safetensors file: the header does not start with '{'");
    if (!status) {
        json_error_t error;
        *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
        if (!*header)
            status = ttt_fail(TTT_FORMAT, "bad header at byte %d: %s", error.position + 8,
                              printable(error.text).text);
        *data_start = sizeof prefix + length;
    }
    free(text);
    return status;
}

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [SAFETENSORS_F64] = {"F64", 8},   [SAFETENSORS_F32] = {"F32", 4}, [SAFETENSORS_F16] = {"F16", 2},
    [SAFETENSORS_BF16] = {"BF16", 2}, [SAFETENSORS_I64] = {"I64", 8}, [SAFETENSORS_I32] = {"I32", 4},
    [SAFETENSORS_U8] = {"U8", 1},
};
static const size_t dtype_count = sizeof dtypes / sizeof dtypes[0];

size_t safetensors_dtype_size(safetensors_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *safetensors_dtype_name(safetensors_dtype dtype)
{
    return dtypes[dtype].name;
}

static ttt_status parse_dtype(const json_t *value, safetensors_dtype *dtype)
{
    if (!json_is_string(value))
        return ttt_fail(TTT_FORMAT, "dtype is not a string");
    for (size_t i = 1; i < dtype_count; i++)
        if (!strcmp(dtypes[i].name, json_string_value(value))) {
            *dtype = (safetensors_dtype)i;
            return TTT_OK;
        }
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
    if (__builtin_mul_overflow((size_t)tensor->count, dtypes[tensor->dtype].size, &tensor->bytes))
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

static int compare_metadata(const void *a, const void *b)
{
    return strcmp(((const safetensors_metadata *)a)->key, ((const safetensors_metadata *)b)->key);
}

static ttt_status parse_metadata(safetensors_file *file, json_t *entry)
{
    const char *key;
    json_t *value;
    if (!json_is_object(entry))
        return ttt_fail(TTT_FORMAT, "__metadata__ is not an object");
    file->metadata = calloc(json_object_size(entry) + 1, sizeof *file->metadata);
    if (!file->metadata)
        return ttt_fail(TTT_MEMORY, "no memory for %zu metadata entries", json_object_size(entry));
    json_object_foreach(entry, key, value)
    {
        if (!json_is_string(value))
            return ttt_fail(TTT_FORMAT, "metadata '%s' is not a string", printable(key).text);
        file->metadata[file->metadata_count++] = (safetensors_metadata){key, json_string_value(value)};
    }
    qsort(file->metadata, file->metadata_count, sizeof *file->metadata, compare_metadata);
    return TTT_OK;
}

/* Fills extents[0 .. *n-1], sorted by offset, and the file's metadata. */
static ttt_status parse_header(safetensors_file *file, struct extent *extents, size_t *n)
{
    const char *name;
    json_t *entry;
    *n = 0;
    json_object_foreach(file->header, name, entry)
    {
        if (!strcmp(name, "__metadata__")) {
            TRY(parse_metadata(file, entry));
            continue;
        }
        TRY(ttt_within(parse_extent(name, entry, &extents[*n]), "tensor '%s'", printable(name).text));
        (*n)++;
    }
    qsort(extents, *n, sizeof *extents, compare_extents);
    return TTT_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const safetensors_tensor *const *)a)->name,
                  (*(const safetensors_tensor *const *)b)->name);
}

/* Takes n checked extents over as the file's tensors and reads their bytes. */
static ttt_status read_tensors(safetensors_file *file, int fd, const struct extent *extents, size_t n,
                               uint64_t data_start)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += (extents[i].tensor.bytes + data_alignment - 1) / data_alignment * data_alignment;
    file->tensors = calloc(n + 1, sizeof *file->tensors);
    file->by_name = calloc(n + 1, sizeof *file->by_name);
    file->data = aligned_alloc(data_alignment, total + data_alignment);
    if (!file->tensors || !file->by_name || !file->data)
        return ttt_fail(TTT_MEMORY, "no memory for %zu bytes of tensors", total);
    unsigned char *at = file->data;
    for (size_t i = 0; i < n; i++) {
        file->tensors[i] = extents[i].tensor;
        file->tensors[i].data = at;
        file->by_name[i] = &file->tensors[i];
        TRY(read_exactly(fd, at, extents[i].tensor.bytes, data_start + extents[i].begin));
        at += (extents[i].tensor.bytes + data_alignment - 1) / data_alignment * data_alignment;
    }
    file->count = n;
    qsort(file->by_name, n, sizeof *file->by_name, compare_names);
    return TTT_OK;
}

static ttt_status load(safetensors_file *file)
{
    int fd = -1;
    uint64_t size = 0, data_start = 0;
    struct extent *extents = NULL;
    size_t n;
    ttt_status status;
    TRY_TO(open_regular(file->path, &fd, &size), cleanup);
    TRY_TO(read_header(fd, size, &file->header, &data_start), cleanup);
    extents = calloc(json_object_size(file->header) + 1, sizeof *extents);
    if (!extents) {
        status = ttt_fail(TTT_MEMORY, "no memory for %zu tensors", json_object_size(file->header));
        goto cleanup;
    }
    TRY_TO(parse_header(file, extents, &n), cleanup);
    TRY_TO(check_tiling(extents, n, size - data_start), cleanup);
    TRY_TO(read_tensors(file, fd, extents, n, data_start), cleanup);
cleanup:
    free(extents);
    if (fd >= 0)
        close(fd);
    return status;
}

ttt_status safetensors_open(const char *path, safetensors_file **file)
{
    *file = NULL;
    safetensors_file *opened = calloc(1, sizeof *opened);
    if (!opened || !(opened->path = strdup(path))) {
        free(opened);
        return ttt_fail(TTT_MEMORY, "%s: no memory", path);
    }
    ttt_status status = load(opened);
    if (status) {
        safetensors_close(opened);
        return ttt_within(status, "%s", path);
    }
    *file = opened;
    return TTT_OK;
}

void safetensors_close(safetensors_file *file)
{
    if (!file)
        return;
    free(file->data);
    free(file->metadata);
    free(file->by_name);
    free(file->tensors);
    json_decref(file->header);
    free(file->path);
    free(file);
}

const char *safetensors_path(const safetensors_file *file)
{
    return file->path;
}

size_t safetensors_count(const safetensors_file *file)
{
    return file->count;
}

const safetensors_tensor *safetensors_at(const safetensors_file *file, size_t i)
{
    return &file->tensors[i];
}

const safetensors_tensor *safetensors_find(const safetensors_file *file, const char *name)
{
    const safetensors_tensor key = {.name = name}, *pointer = &key;
    const safetensors_tensor **found =
        bsearch(&pointer, file->by_name, file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

ttt_status safetensors_require(const safetensors_file *file, const char *name,
                               const safetensors_tensor **tensor)
{
    *tensor = safetensors_find(file, name);
    return *tensor ? TTT_OK : ttt_fail(TTT_FORMAT, "%s: no tensor '%s'", file->path, name);
}

const char *safetensors_metadata_get(const safetensors_file *file, const char *key)
{
    const safetensors_metadata wanted = {.key = key};
    const safetensors_metadata *found =
        file->metadata_count
            ? bsearch(&wanted, file->metadata, file->metadata_count, sizeof wanted, compare_metadata)
            : NULL;
    return found ? found->value : NULL;
}

const safetensors_metadata *safetensors_metadata_all(const safetensors_file *file, size_t *count)
{
    *count = file->metadata_count;
    return file->metadata;
}
