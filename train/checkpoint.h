/* Checkpoints: runs/<name>/checkpoints/<step>/{model,state}.safetensors, and the links `latest` and `best`.
 *
 * A checkpoint is written into a hidden folder, synced, and renamed; then `latest` moves.  So whatever
 * kills the writer, the last good checkpoint stays as it was.  Every tensor has a checksum, and so have the
 * names, shapes and metadata together; all are verified before anything is handed out.
 *
 * model.safetensors holds the weights under their published names; state.safetensors the rest of the
 * training: optimiser moments, averaged weights, and the scalars.
 */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "data/safetensors.h"
#include "ttt/base/dtype.h"
#include "ttt/base/status.h"

/* The format this program writes, and the newest that it reads. */
enum { CHECKPOINT_VERSION = 1 };

/* A tensor in host memory, to be written or to be filled. */
typedef struct checkpoint_tensor {
    const char *name;
    ttt_dtype dtype;
    int rank;
    int64_t shape[SAFETENSORS_MAX_RANK];
    void *data; /* only read by checkpoint_save */
} checkpoint_tensor;

enum { CHECKPOINT_MAX_SCALARS = 32, CHECKPOINT_SCALAR_NAME = 32, CHECKPOINT_SCALAR_TEXT = 64 };

/* Named numbers: step, epoch, batch, best metric...  Start from {0}. */
typedef struct checkpoint_scalars {
    int count;
    struct {
        char name[CHECKPOINT_SCALAR_NAME];
        char text[CHECKPOINT_SCALAR_TEXT];
    } entries[CHECKPOINT_MAX_SCALARS];
} checkpoint_scalars;

/* Sets a number, replacing an older one of that name.  Doubles are kept to the last bit, NaN included.
 * Names are the program's own: at most 31 characters, at most 32 of them. */
void checkpoint_set_i64(checkpoint_scalars *scalars, const char *name, int64_t value);
void checkpoint_set_f64(checkpoint_scalars *scalars, const char *name, double value);

/* TTT_FORMAT when the number is missing or of the other kind. */
ttt_status checkpoint_get_i64(const checkpoint_scalars *scalars, const char *name, int64_t *value)
    __attribute__((warn_unused_result));
ttt_status checkpoint_get_f64(const checkpoint_scalars *scalars, const char *name, double *value)
    __attribute__((warn_unused_result));

typedef struct checkpoint {
    const checkpoint_tensor *model;
    size_t model_count;
    const checkpoint_tensor *state;
    size_t state_count;
    checkpoint_scalars scalars;
} checkpoint;

/* Where a library function that may not print sends a line for the user; say may be NULL. */
typedef struct checkpoint_reporter {
    void (*say)(void *context, const char *line);
    void *context;
} checkpoint_reporter;

/* Writes run/checkpoints/<step>, replacing one of the same step, and moves `latest` to it.
 * TTT_IO with the bytes needed and free when the disk is full; the checkpoints before stay intact. */
ttt_status checkpoint_save(const char *run, int64_t step, const checkpoint *contents)
    __attribute__((warn_unused_result));

/* Fills the tensors and scalars of *contents from run/checkpoints/<step>; untouched on failure.
 * TTT_FORMAT when damaged, of a newer version, or when tensors are missing, extra, or of another shape or
 * type: the error names them. */
ttt_status checkpoint_load(const char *run, int64_t step, checkpoint *contents)
    __attribute__((warn_unused_result));

/* The same from the checkpoint that `latest` names; where it cannot be used, says why to `reporter` and
 * goes on to the one before.  *step is the one loaded, or -1 when the run has no checkpoint at all.
 * Fails, with the first reason, when there are checkpoints and none can be used. */
ttt_status checkpoint_load_latest(const char *run, checkpoint *contents, checkpoint_reporter reporter,
                                  int64_t *step) __attribute__((warn_unused_result));

/* Fills tensors[n] from a bare weights file: one of ours or a published one (no version, no checksums).
 * F32 tensors are also filled from F64, F16 and BF16; otherwise as checkpoint_load. */
ttt_status weights_load(const char *path, const checkpoint_tensor *tensors, size_t n)
    __attribute__((warn_unused_result));

/* Steps of the run's checkpoints, rising, in new memory that the caller frees. */
ttt_status checkpoint_list(const char *run, int64_t **steps, size_t *count)
    __attribute__((warn_unused_result));

/* Removes the checkpoints up to `latest` but its newest `keep` (>= 1, `latest` among them) and `best`. */
ttt_status checkpoint_prune(const char *run, int keep) __attribute__((warn_unused_result));

/* Makes the link `best` name run/checkpoints/<step>. */
ttt_status checkpoint_mark_best(const char *run, int64_t step) __attribute__((warn_unused_result));

/* The steps that `latest` and `best` name, or -1 when there is no such link or it names no checkpoint. */
int64_t checkpoint_latest(const char *run);
int64_t checkpoint_best(const char *run);

/* run/checkpoints/<step>/model.safetensors in new memory that the caller frees. */
ttt_status checkpoint_model_path(const char *run, int64_t step, char **path)
    __attribute__((warn_unused_result));

#endif
