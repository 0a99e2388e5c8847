/* Column sums: x is read once, 16 bytes at a time where it lies so, by blocks that each take some rows of
 * some columns; then the same kernel sums what the blocks wrote. */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/linear/column_sums_cuda.h"
}

enum {
    LANES = 32,                      /* threads side by side */
    GROUPS = 8,                      /* rows that a block reads at a time */
    AHEAD = 4,                       /* reads of a thread under way */
    BLOCKS = 1024,                   /* enough for any GPU's memory to be busy */
    LEAST_ROWS = 2 * GROUPS * AHEAD, /* worth a block */
};

/* Block (i, j) sums its part of the rows of N * LANES columns into sums + j * columns. */
template <int N, class T>
static __global__ void __launch_bounds__(LANES *GROUPS)
    sum_columns(const T *x, int64_t stride, int64_t rows, int64_t columns, float *sums)
{
    __shared__ float shared[GROUPS][LANES * N];
    const int64_t column = ((int64_t)blockIdx.x * LANES + threadIdx.x) * N, parts = gridDim.y;
    const int64_t end = rows * (blockIdx.y + 1) / parts;
    float sum[N] = {};
    if (column < columns) {
        int64_t row = rows * blockIdx.y / parts + threadIdx.y;
        for (; row + (AHEAD - 1) * GROUPS < end; row += AHEAD * GROUPS) {
            float value[AHEAD][N];
#pragma unroll
            for (int i = 0; i < AHEAD; i++)
                load<N>(x + (row + i * GROUPS) * stride + column, value[i]);
#pragma unroll
            for (int i = 0; i < AHEAD; i++)
#pragma unroll
                for (int k = 0; k < N; k++)
                    sum[k] += value[i][k];
        }
        for (; row < end; row += GROUPS) {
            float value[N];
            load<N>(x + row * stride + column, value);
#pragma unroll
            for (int k = 0; k < N; k++)
                sum[k] += value[k];
        }
    }
#pragma unroll
    for (int k = 0; k < N; k++)
        shared[threadIdx.y][threadIdx.x * N + k] = sum[k];
    __syncthreads();
    for (int i = (int)(threadIdx.y * LANES + threadIdx.x); i < LANES * N; i += LANES * GROUPS) {
        float total = 0;
        for (int group = 0; group < GROUPS; group++)
            total += shared[group][i];
        if ((int64_t)blockIdx.x * LANES * N + i < columns)
            sums[blockIdx.y * columns + (int64_t)blockIdx.x * LANES * N + i] = total;
    }
}

/* Elements of x that are read at a time: 16 bytes, or one element. */
static int width_of(const ttt_operand *x, const void *data)
{
    const int width = 16 / (int)ttt_dtype_size(x->dtype);
    const bool fits = x->shape.size[1] % width == 0 && (x->stride[0] % width == 0 || x->shape.size[0] == 1);
    return fits && (uintptr_t)data % 16 == 0 ? width : 1;
}

/* Parts of the rows; the same for any address of x, so that sums are, too. */
static int64_t parts_of(const ttt_operand *x)
{
    const int64_t across = blocks_for(x->shape.size[1], LANES * width_of(x, NULL));
    const int64_t wanted = BLOCKS / across, most = x->shape.size[0] / LEAST_ROWS;
    const int64_t parts = wanted < most ? wanted : most;
    return parts > 1 ? parts : 1;
}

size_t ttt_cuda_column_sums_workspace(const ttt_operand *x)
{
    return (size_t)(parts_of(x) * x->shape.size[1]) * sizeof(float);
}

template <class T>
static ttt_status enqueue_sums(const ttt_launch *launch, const T *x, int64_t stride, int64_t rows,
                               int64_t columns, int width, int64_t parts, float *sums)
{
    constexpr int wide = 16 / (int)sizeof(T);
    const dim3 grid(blocks_for(columns, LANES * width), (unsigned)parts), block(LANES, GROUPS);
    return enqueue(launch, width == wide ? sum_columns<wide, T> : sum_columns<1, T>, grid, block, 0, x,
                   stride, rows, columns, sums);
}

ttt_status ttt_cuda_column_sums(const ttt_launch *launch, const ttt_operand *x, float *sums, void *workspace)
{
    const int64_t rows = x->shape.size[0], columns = x->shape.size[1], parts = parts_of(x);
    float *partial = parts > 1 ? static_cast<float *>(workspace) : sums;
    TRY(by_type(x->dtype, [&](auto type) {
        return enqueue_sums(launch, static_cast<const decltype(type) *>(x->data), x->stride[0], rows, columns,
                            width_of(x, x->data), parts, partial);
    }));
    if (parts == 1)
        return TTT_OK;
    return enqueue_sums<float>(launch, partial, columns, parts, columns, columns % 4 ? 1 : 4, 1, sums);
}
