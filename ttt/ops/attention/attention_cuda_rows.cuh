/* What the plain rows of attention on CUDA are made of: a warp owns one row (a query or a key), and meets the
 * rows of the other kind 32 at a time, one a lane.
 *
 * A block's warps work on rows of one head and read the others together, through shared memory.
 */
#ifndef TTT_OPS_ATTENTION_ATTENTION_CUDA_ROWS_CUH
#define TTT_OPS_ATTENTION_ATTENTION_CUDA_ROWS_CUH

#include "ttt/ops/attention/attention_cuda.cuh"

enum { MOST_WARPS = 8 };

/* Rows of one head, and how many follow the first. */
struct attention_rows {
    const attention_heads *x;
    int64_t at, count;
};

__device__ inline attention_rows rows_from(const attention_heads &x, const attention_sizes &n, int64_t i,
                                           int64_t first, int64_t rows)
{
    return {&x, attention_row(x, n.heads, i, first), rows - first};
}

/* A row as floats; zeros where there is none. */
__device__ inline void read_row(float *to, const attention_rows &from, int d)
{
    for (int c = (int)threadIdx.x % WARP; c < d; c += WARP)
        to[c] = from.count > 0 ? load_any(from.x->data, from.x->is_bf16, from.at + c) : 0;
    __syncwarp();
}

/* Writes the row's first element times scale, and so on. */
__device__ inline void write_row(const attention_heads &y, const attention_rows &to, const float *from,
                                 float scale, int d)
{
    for (int c = (int)threadIdx.x % WARP; y.data && to.count > 0 && c < d; c += WARP)
        store_any(y.data, y.is_bf16, to.at + c, from[c] * scale);
}

/* The product of the warp's row with row `lane` of the others, 0 past the last.  Every thread of the block
 * must call it. */
__device__ inline float product_with(const attention_rows &others, const float *own, int d)
{
    __shared__ float tile[WARP][WARP + 1];
    const int lane = (int)threadIdx.x % WARP;
    float sum = 0;
    for (int column = 0; column < d; column += WARP) {
        __syncthreads();
        for (int row = (int)threadIdx.x / WARP; row < WARP; row += (int)blockDim.x / WARP)
            tile[row][lane] = row < others.count && column + lane < d
                                  ? load_any(others.x->data, others.x->is_bf16,
                                             others.at + row * others.x->row + column + lane)
                                  : 0;
        __syncthreads();
        for (int c = 0; c < WARP && column + c < d; c++)
            sum += tile[lane][c] * own[column + c];
    }
    return sum;
}

/* sums = factor sums + the others' rows, each times the weight that its lane holds. */
__device__ inline void add_rows(float *sums, float factor, float weight, const attention_rows &others, int d)
{
    __shared__ float weights[MOST_WARPS][WARP];
    const int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
    __syncwarp();
    weights[warp][lane] = weight;
    __syncwarp();
    for (int c = lane; c < d; c += WARP) {
        float sum = sums[c] * factor;
        for (int row = 0; row < WARP && row < others.count; row++)
            sum += weights[warp][row] *
                   load_any(others.x->data, others.x->is_bf16, others.at + row * others.x->row + c);
        sums[c] = sum;
    }
}

/* Warps of a block that has `vectors` vectors of d floats for each: as many as shared memory holds; 0 if not
 * one. */
static inline int warps_that_fit(const ttt_launch *launch, int vectors)
{
    const size_t each = (size_t)vectors * (size_t)launch->in[0].shape.size[3] * sizeof(float);
    const size_t shared = ttt_device_shared_memory(launch->device) - 8192; /* tile and weights */
    const size_t warps = shared / each;
    return warps < MOST_WARPS ? (int)warps : MOST_WARPS;
}

#endif
