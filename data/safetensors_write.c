/* Writing safetensors: header first, then the tensors' bytes as they lie in memory. */
#include "data/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <jansson.h>

static ttt_status no_memory(void)
{
    return ttt_fail(TTT_MEMORY, "no memory for the header");
}

/* Bytes of a tensor, from its dtype and shape. */
static ttt_status tensor_bytes(const safetensors_tensor *tensor, uint64_t *bytes)
{
    if (tensor->rank < 0 || tensor->rank > SAFETENSORS_MAX_RANK)
        return ttt_fail(TTT_SHAPE, "tensor '%s': rank %d, allowed are 0 to %d", tensor->name, tensor->rank,
                        SAFETENSORS_MAX_RANK);
    *bytes = safetensors_dtype_size(tensor->dtype);
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0 || __builtin_mul_overflow(*bytes, (uint64_t)tensor->shape[i], bytes) ||
            *bytes > INT64_MAX)
            return ttt_fail(TTT_SHAPE, "tensor '%s': dimension %d is negative or overflows", tensor->name, i);
    return TTT_OK;
}

/* Takes ownership of `value`; a name that stands already or is not UTF-8 is the caller's mistake. */
static ttt_status add_entry(json_t *object, const char *name, json_t *value)
{
    ttt_status status = TTT_OK;
    if (!value)
        status = ttt_fail(TTT_ARGUMENT, "'%s': a value is not UTF-8, or no memory", name);
    else if (json_object_get(object, name))
        status = ttt_fail(TTT_ARGUMENT, "'%s' is given twice or is reserved", name);
    else if (json_object_set(object, name, value) != 0)
        status = ttt_fail(TTT_ARGUMENT, "a name is not UTF-8, or no memory");
    json_decref(value);
    return status;
}

static json_t *describe(const safetensors_tensor *tensor, uint64_t begin, uint64_t end)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer(tensor->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", safetensors_dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static ttt_status fill_header(json_t *header, const safetensors_tensor *tensors, size_t n,
                              const safetensors_metadata *metadata, size_t m, uint64_t *data_bytes)
{
    json_t *strings = json_object();
    /* Set even when there are no strings, so that no tensor can take the name. */
    if (!strings || json_object_set_new(header, "__metadata__", strings) != 0)
        return no_memory();
    for (size_t i = 0; i < m; i++)
        TRY(ttt_within(add_entry(strings, metadata[i].key, json_string(metadata[i].value)), "metadata"));
    *data_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = 0, end;
        TRY(tensor_bytes(&tensors[i], &bytes));
        if (__builtin_add_overflow(*data_bytes, bytes, &end) || end > INT64_MAX)
            return ttt_fail(TTT_SHAPE, "the tensors' sizes overflow");
        TRY(ttt_within(add_entry(header, tensors[i].name, describe(&tensors[i], *data_bytes, end)),
                       "tensor"));
        *data_bytes = end;
    }
    return TTT_OK;
}

/* The first bytes of the file: u64 length and JSON, padded with spaces; the caller frees *head. */
static ttt_status make_head(const safetensors_tensor *tensors, size_t n, const safetensors_metadata *metadata,
                            size_t m, unsigned char **head, size_t *head_bytes, uint64_t *data_bytes)
{
    char *text = NULL;
    json_t *header = json_object();
    ttt_status status = header ? fill_header(header, tensors, n, metadata, m, data_bytes) : no_memory();
    if (!status && !(text = json_dumps(header, JSON_COMPACT)))
        status = no_memory();
    if (!status) {
        size_t length = strlen(text), padded = (length + 7) / 8 * 8;
        *head = malloc(8 + padded);
        if (*head) {
            for (int i = 0; i < 8; i++)
                (*head)[i] = (unsigned char)(padded >> 8 * i);
            memcpy(*head + 8, text, length);
            memset(*head + 8 + length, ' ', padded - length);
            *head_bytes = 8 + padded;
        } else {
            status = no_memory();
        }
    }
    free(text);
    json_decref(header);
    return status;
}

static bool write_exactly(int fd, const void *from, size_t bytes)
{
    const unsigned char *at = from;
    while (bytes) {
        /* The kernel moves at most about 2 GB in one call. */
        ssize_t put = write(fd, at, bytes < (1u << 30) ? bytes : (1u << 30));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        at += put;
        bytes -= (size_t)put;
    }
    return true;
}

static bool write_all(int fd, const unsigned char *head, size_t head_bytes, const safetensors_tensor *tensors,
                      size_t n)
{
    if (!write_exactly(fd, head, head_bytes))
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t bytes = safetensors_dtype_size(tensors[i].dtype);
        for (int d = 0; d < tensors[i].rank; d++)
            bytes *= (size_t)tensors[i].shape[d];
        if (!write_exactly(fd, tensors[i].data, bytes))
            return false;
    }
    return fsync(fd) == 0;
}

/* The error for errno `code` while `needed` bytes were to be written and `room` bytes were free. */
static ttt_status write_failure(int code, uint64_t needed, uint64_t room)
{
    if (code == ENOSPC || code == EDQUOT || code == EFBIG)
        return ttt_fail(TTT_IO, "cannot write: %s; %llu bytes are needed, %llu were free", strerror(code),
                        (unsigned long long)needed, (unsigned long long)room);
    return ttt_fail(TTT_IO, "cannot write %llu bytes: %s", (unsigned long long)needed, strerror(code));
}

static ttt_status write_file(const char *path, const unsigned char *head, size_t head_bytes,
                             uint64_t data_bytes, const safetensors_tensor *tensors, size_t n)
{
    const uint64_t needed = head_bytes + data_bytes;
    struct statvfs disk;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return ttt_fail(TTT_IO, "cannot create: %s", strerror(errno));
    struct stat about;
    const bool is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    uint64_t room = fstatvfs(fd, &disk) == 0 ? (uint64_t)disk.f_bavail * disk.f_frsize : 0;
    int code = 0;
    /* Asking for the space first finds a full disk before any byte is written; not every file system can. */
    if (fallocate(fd, 0, 0, (off_t)needed) != 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
        code = errno;
    if (!code && !write_all(fd, head, head_bytes, tensors, n))
        code = errno;
    if (close(fd) != 0 && !code)
        code = errno;
    if (!code)
        return TTT_OK;
    if (is_file)
        unlink(path);
    return write_failure(code, needed, room);
}

ttt_status safetensors_write(const char *path, const safetensors_tensor *tensors, size_t n,
                             const safetensors_metadata *metadata, size_t m)
{
    unsigned char *head = NULL;
    size_t head_bytes = 0;
    uint64_t data_bytes = 0;
    ttt_status status = make_head(tensors, n, metadata, m, &head, &head_bytes, &data_bytes);
    if (!status)
        status = write_file(path, head, head_bytes, data_bytes, tensors, n);
    free(head);
    return ttt_within(status, "%s", path);
}
