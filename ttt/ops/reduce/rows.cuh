/* Partial sums of blocks added up in order, whatever the number of blocks that ran at a time. */
#ifndef TTT_OPS_REDUCE_ROWS_CUH
#define TTT_OPS_REDUCE_ROWS_CUH

#include "ttt/device/kernel.cuh"

enum { ROWS_COLUMNS = 32 }; /* of a block */

/* Rows (count, stride) whose first n columns are summed, in two places: `first` takes split of them. */
struct row_sums {
    const float *x;
    int count;
    int64_t stride, n, split;
    float *first, *rest; /* or NULL */
};

/* GROUPS threads share a column. */
template <int GROUPS>
static __global__ void __launch_bounds__(ROWS_COLUMNS *GROUPS) add_rows(const row_sums s)
{
    __shared__ float of_group[GROUPS][ROWS_COLUMNS];
    const int64_t i = (int64_t)blockIdx.x * ROWS_COLUMNS + threadIdx.x;
    float mine = 0;
    if (i < s.n)
#pragma unroll 4
        for (int row = (int)threadIdx.y; row < s.count; row += GROUPS)
            mine += s.x[row * s.stride + i];
    of_group[threadIdx.y][threadIdx.x] = mine;
    __syncthreads();
    if (threadIdx.y > 0 || i >= s.n)
        return;
    for (int g = 1; g < GROUPS; g++)
        mine += of_group[g][threadIdx.x];
    if (i < s.split && s.first)
        s.first[i] = mine;
    else if (i >= s.split && s.rest)
        s.rest[i - s.split] = mine;
}

/* Many rows of few columns take more threads a column. */
template <int GROUPS> static ttt_status enqueue_row_sums(const ttt_launch *launch, const row_sums &s)
{
    return enqueue(launch, add_rows<GROUPS>, blocks_for(s.n, ROWS_COLUMNS), dim3(ROWS_COLUMNS, GROUPS), 0, s);
}

#endif
