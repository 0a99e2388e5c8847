/* The end of sums that blocks share: what each of them has, added up in order. */
#ifndef TTT_OPS_REDUCE_PARTS_CUH
#define TTT_OPS_REDUCE_PARTS_CUH

#include "ttt/device/kernel.cuh"

enum {
    PART_COLUMNS = 32, /* of a block */
    PART_SLICES = 16,  /* of the parts, taken together at the end */
};

static __global__ void __launch_bounds__(PART_COLUMNS *PART_SLICES)
    add_part_columns(const float *partial, int64_t parts, int64_t columns, float *first, int64_t n_first,
                     float *rest)
{
    __shared__ float slices[PART_SLICES][PART_COLUMNS];
    const int64_t column = (int64_t)blockIdx.x * PART_COLUMNS + threadIdx.x;
    float sum = 0;
    if (column < columns)
#pragma unroll 4
        for (int64_t part = threadIdx.y; part < parts; part += PART_SLICES)
            sum += partial[part * columns + column];
    slices[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    float *to = column < n_first ? first : rest;
    if (threadIdx.y > 0 || column >= columns || !to)
        return;
    for (int i = 1; i < PART_SLICES; i++)
        sum += slices[i][threadIdx.x];
    to[column < n_first ? column : column - n_first] = sum;
}

/* The sums over partial (parts, columns): the first n_first of them go to `first`, the others to `rest`; what
 * is NULL is left out. */
static inline ttt_status add_parts(const ttt_launch *launch, const float *partial, int64_t parts,
                                   int64_t columns, float *first, int64_t n_first, float *rest)
{
    return enqueue(launch, add_part_columns, blocks_for(columns, PART_COLUMNS),
                   dim3(PART_COLUMNS, PART_SLICES), 0, partial, parts, columns, first, n_first, rest);
}

#endif
