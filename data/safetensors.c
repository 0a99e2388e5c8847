/* Reading safetensors: the file's frame, its header, then the bytes; each checked before the next. */
#include "data/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/safetensors_header.h"

/* The limit of the published reader: a longer header is an attack or a damaged length. */
static const uint64_t max_header_bytes = 100000000;
enum { data_alignment = 64 };

struct safetensors_file {
    char *path;
    safetensors_header header;
    const safetensors_tensor **by_name; /* [header.count], sorted by name */
    unsigned char *data;
};

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
static ttt_status read_header(int fd, uint64_t size, safetensors_header *header, uint64_t *data_start)
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
    *data_start = sizeof prefix + length;
    char *text = malloc(length + 1);
    if (!text)
        return ttt_fail(TTT_MEMORY, "no memory for a header of %llu bytes", (unsigned long long)length);
    ttt_status status = read_exactly(fd, text, length, sizeof prefix);
    if (!status)
        status = safetensors_header_parse(text, length, size - *data_start, header);
    free(text);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const safetensors_tensor *const *)a)->name,
                  (*(const safetensors_tensor *const *)b)->name);
}

static size_t aligned(size_t bytes)
{
    return (bytes + data_alignment - 1) / data_alignment * data_alignment;
}

/* Reads the bytes of the header's tensors, which follow each other from data_start. */
static ttt_status read_tensors(safetensors_file *file, int fd, uint64_t data_start)
{
    const safetensors_header *header = &file->header;
    size_t total = 0;
    for (size_t i = 0; i < header->count; i++)
        total += aligned(header->tensors[i].bytes);
    file->by_name = calloc(header->count + 1, sizeof *file->by_name);
    file->data = aligned_alloc(data_alignment, total + data_alignment);
    if (!file->by_name || !file->data)
        return ttt_fail(TTT_MEMORY, "no memory for %zu bytes of tensors", total);
    unsigned char *at = file->data;
    for (size_t i = 0; i < header->count; i++) {
        safetensors_tensor *tensor = &header->tensors[i];
        TRY(read_exactly(fd, at, tensor->bytes, data_start));
        tensor->data = at;
        file->by_name[i] = tensor;
        data_start += tensor->bytes;
        at += aligned(tensor->bytes);
    }
    qsort(file->by_name, header->count, sizeof *file->by_name, compare_names);
    return TTT_OK;
}

static ttt_status load(safetensors_file *file)
{
    int fd = -1;
    uint64_t size = 0, data_start = 0;
    ttt_status status;
    TRY_TO(open_regular(file->path, &fd, &size), cleanup);
    TRY_TO(read_header(fd, size, &file->header, &data_start), cleanup);
    TRY_TO(read_tensors(file, fd, data_start), cleanup);
cleanup:
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
    free(file->by_name);
    safetensors_header_free(&file->header);
    free(file->path);
    free(file);
}

const char *safetensors_path(const safetensors_file *file)
{
    return file->path;
}

size_t safetensors_count(const safetensors_file *file)
{
    return file->header.count;
}

const safetensors_tensor *safetensors_at(const safetensors_file *file, size_t i)
{
    return &file->header.tensors[i];
}

const safetensors_tensor *safetensors_find(const safetensors_file *file, const char *name)
{
    const safetensors_tensor key = {.name = name}, *pointer = &key;
    const safetensors_tensor **found =
        bsearch(&pointer, file->by_name, file->header.count, sizeof *file->by_name, compare_names);
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
        file->header.metadata_count ? bsearch(&wanted, file->header.metadata, file->header.metadata_count,
                                              sizeof wanted, safetensors_metadata_compare)
                                    : NULL;
    return found ? found->value : NULL;
}

const safetensors_metadata *safetensors_metadata_all(const safetensors_file *file, size_t *count)
{
    *count = file->header.metadata_count;
    return file->header.metadata;
}
