/* One file of a checkpoint: tensors with checksums and a version, checked against what is expected. */
#ifndef TRAIN_CHECKPOINT_FILE_H
#define TRAIN_CHECKPOINT_FILE_H

#include "train/checkpoint.h"

/* Writes tensors[n] and the scalars (NULL for none), and syncs the file. */
ttt_status checkpoint_file_write(const char *path, const checkpoint_tensor *tensors, size_t n,
                                 const checkpoint_scalars *scalars) __attribute__((warn_unused_result));

/* Opens a file and verifies its version and checksums; `bare` files may lack both. */
ttt_status checkpoint_file_open(const char *path, bool bare, safetensors_file **file)
    __attribute__((warn_unused_result));

/* Whether the file holds exactly tensors[n]: names, shapes, and dtypes (`bare`: F32 from any float). */
ttt_status checkpoint_file_match(const safetensors_file *file, bool bare, const checkpoint_tensor *tensors,
                                 size_t n) __attribute__((warn_unused_result));

/* Copies the bytes of a file that matches into tensors[n]. */
void checkpoint_file_read(const safetensors_file *file, const checkpoint_tensor *tensors, size_t n);

/* The scalars of a file that checkpoint_file_write wrote. */
ttt_status checkpoint_file_scalars(const safetensors_file *file, checkpoint_scalars *scalars)
    __attribute__((warn_unused_result));

#endif
