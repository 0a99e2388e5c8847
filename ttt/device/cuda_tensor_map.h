/* Tensor maps: how Hopper's copies of boxes (TMA) see a batch of bf16 matrices. */
#ifndef TTT_DEVICE_CUDA_TENSOR_MAP_H
#define TTT_DEVICE_CUDA_TENSOR_MAP_H

#include <cuda.h>

#include "ttt/base/status.h"

/* Matrices of bf16, row-major, cut into boxes of 64 columns and box_rows rows, swizzled by 128 bytes. */
typedef struct ttt_cuda_matrices {
    const void *data; /* at a multiple of 16 bytes */
    int64_t rows, columns, count;
    int64_t leading, batch; /* elements from one row, one matrix, to the next; multiples of 8 */
    int box_rows;           /* at most 256 */
    int64_t groups, group;  /* of `count` matrices, and elements from one to the next; 0: no 4th dimension */
} ttt_cuda_matrices;

ttt_status ttt_cuda_tensor_map(const ttt_cuda_matrices *matrices, CUtensorMap *map);

#endif
