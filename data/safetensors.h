/* Safetensors files: named tensors and a map of strings.
 *
 * Layout: u64 little-endian header length, a JSON object, then the bytes of the tensors one after the
 * other (https://huggingface.co/docs/safetensors).  The reader trusts nothing: every length, product,
 * offset, type and name is checked before a tensor is handed out, and any break of the format is a
 * TTT_FORMAT error that names the file.
 */
#ifndef DATA_SAFETENSORS_H
#define DATA_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "ttt/base/dtype.h"
#include "ttt/base/status.h"

enum { SAFETENSORS_MAX_RANK = 8 };

/* F16 and I64 have no ttt_dtype: they can be read and converted, not computed with. */
typedef enum safetensors_dtype {
    SAFETENSORS_F64 = 1,
    SAFETENSORS_F32,
    SAFETENSORS_F16,
    SAFETENSORS_BF16,
    SAFETENSORS_I64,
    SAFETENSORS_I32,
    SAFETENSORS_U8,
} safetensors_dtype;

typedef struct safetensors_tensor {
    const char *name;
    safetensors_dtype dtype;
    int rank; /* 0 for a scalar */
    int64_t shape[SAFETENSORS_MAX_RANK];
    int64_t count; /* elements; filled by the reader, ignored by the writer */
    size_t bytes;  /* filled by the reader, ignored by the writer */
    const void *data;
} safetensors_tensor;

typedef struct safetensors_metadata {
    const char *key;
    const char *value;
} safetensors_metadata;

typedef struct safetensors_file safetensors_file;

/* Reads a whole file.  On success the caller owns *file and closes it; on failure *file is NULL.
 * TTT_IO when it cannot be read, TTT_FORMAT when it is not a sound safetensors file, TTT_MEMORY.
 * Every tensor's data starts on a 64-byte boundary, whatever its offset in the file. */
ttt_status safetensors_open(const char *path, safetensors_file **file) __attribute__((warn_unused_result));

/* Frees the file and every tensor and string got from it; NULL is allowed. */
void safetensors_close(safetensors_file *file);

/* The path given to safetensors_open. */
const char *safetensors_path(const safetensors_file *file);

/* The tensors, in the order of their bytes in the file: 0 <= i < count. */
size_t safetensors_count(const safetensors_file *file);
const safetensors_tensor *safetensors_at(const safetensors_file *file, size_t i);

/* The tensor of that name, or NULL. */
const safetensors_tensor *safetensors_find(const safetensors_file *file, const char *name);

/* The same, but a missing tensor is a TTT_FORMAT error that names the file and the tensor. */
ttt_status safetensors_require(const safetensors_file *file, const char *name,
                               const safetensors_tensor **tensor) __attribute__((warn_unused_result));

/* The metadata string of that key, or NULL; and all of them, sorted by key. */
const char *safetensors_metadata_get(const safetensors_file *file, const char *key);
const safetensors_metadata *safetensors_metadata_all(const safetensors_file *file, size_t *count);

/* Elements converted to out[count].  Any dtype; integers beyond the target's precision are rounded. */
void safetensors_to_f32(const safetensors_tensor *tensor, float *out);
void safetensors_to_f64(const safetensors_tensor *tensor, double *out);

/* Bytes of one element; the name in the file ("F32"). */
size_t safetensors_dtype_size(safetensors_dtype dtype);
const char *safetensors_dtype_name(safetensors_dtype dtype);

/* The file's type for a ttt_dtype; and back, with 0 where no ttt_dtype exists. */
safetensors_dtype safetensors_from_dtype(ttt_dtype dtype);
ttt_dtype safetensors_to_dtype(safetensors_dtype dtype);

/* Writes tensors[n] in the given order and metadata[m], replacing `path`, and syncs the file to disk.
 * Not atomic: on failure the partial file is removed.  The header is padded so that the data starts on
 * a multiple of 8.
 * TTT_ARGUMENT for a duplicate, reserved or not UTF-8 name; TTT_SHAPE for a bad rank or dimension;
 * TTT_IO with the bytes needed and the bytes free when the disk is full, or when writing fails. */
ttt_status safetensors_write(const char *path, const safetensors_tensor *tensors, size_t n,
                             const safetensors_metadata *metadata, size_t m)
    __attribute__((warn_unused_result));

#endif
