/* What "weight_norm" and its gradient share on CUDA: strips of columns, a block for each, which hold them in
 * registers from the sums over rows to what is made of them.
 */
#ifndef TTT_OPS_WEIGHT_NORM_STRIPS_CUH
#define TTT_OPS_WEIGHT_NORM_STRIPS_CUH

#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/weight_norm/weight_norm_operator.h"
}

/* A row of the strip is 4 neighbouring lanes with 8 columns each, 64 bytes in bf16. */
constexpr int STRIP_COLUMNS = 32, STRIP_LANES = STRIP_COLUMNS / 8, STRIP_MOST_WARPS = 16;

/* How a strip is spread over a block: each thread holds 8 columns of a row in every pass. */
template <int WARPS, int PASSES> struct strip_spread {
    static constexpr int threads = WARPS * WARP, passes = PASSES;
    static constexpr int rows = threads / STRIP_LANES;      /* of a pass */
    static constexpr int blocks = STRIP_MOST_WARPS / WARPS; /* that share the registers of a multiprocessor */
};

struct strips {
    int rows, columns;
    int in_matrix; /* strips of a matrix */
    float sign, eps;
    const float *norm; /* (norms, columns) */
    int norms;
    float *was; /* (matrices, columns); NULL: not kept */
};

/* The strips of a launch, `norm` and `was` given; and how many there are in all. */
strips strips_of(const ttt_launch *launch, const ttt_operand *norm, const ttt_operand *was);
unsigned strips_count(const ttt_launch *launch);

/* supports(): whether all are contiguous and f32 or bf16. */
bool strips_supported(const ttt_launch *launch, const char **why);

/* Calls f with the spread of a strip whose elements take `bytes` of registers.  It has no passes where they
 * have no room for it, and for odd shapes and addresses that are no multiple of 16: then elements are read
 * one by one, and twice. */
template <int BYTES, class F> ttt_status strips_by_spread(const strips &s, uintptr_t addresses, F f)
{
    typedef strip_spread<STRIP_MOST_WARPS, 0> none;
    typedef std::conditional_t<BYTES <= 4, strip_spread<8, 12>, strip_spread<16, 6>> usual; /* 768 rows */
    typedef std::conditional_t<BYTES <= 4, strip_spread<16, 12>, none> largest;             /* 1536 rows */
    if (s.columns % 8 || addresses % 16 ||
        s.rows > max(usual::rows * usual::passes, largest::rows * largest::passes))
        return f(none());
    return s.rows <= usual::rows * usual::passes ? f(usual()) : f(largest());
}

/* A block's matrix, the first of its columns, and the element there. */
struct strip {
    int matrix, column;
    int64_t first;
};
__device__ inline strip strip_of(const strips &s)
{
    const int matrix = (int)(blockIdx.x / (unsigned)s.in_matrix);
    const int column = (int)(blockIdx.x % (unsigned)s.in_matrix) * STRIP_COLUMNS;
    return {matrix, column, (int64_t)matrix * s.rows * s.columns + column};
}

/* Calls f(pass, at) for each row of a thread that is in the matrix, with its place from the strip's first. */
template <class SPREAD, class F> __device__ inline void strip_rows(const strips &s, const strip &mine, F f)
{
    const int row = (int)threadIdx.x / STRIP_LANES, column = (int)threadIdx.x % STRIP_LANES * 8;
    if (mine.column + column >= s.columns)
        return;
#pragma unroll
    for (int p = 0; p < SPREAD::passes; p++)
        if (p * SPREAD::rows + row < s.rows)
            f(p, (p * SPREAD::rows + row) * s.columns + column);
}

/* The same one column a thread, one row after another: f(at). */
template <class F> __device__ inline void strip_elements(const strips &s, const strip &mine, F f)
{
    const int column = (int)threadIdx.x % STRIP_COLUMNS;
    if (mine.column + column < s.columns)
        for (int row = (int)threadIdx.x / STRIP_COLUMNS; row < s.rows; row += STRIP_MOST_WARPS)
            f(row * s.columns + column);
}

/* Sums by column, of each warp; and what a column's elements are multiplied by. */
struct strip_sums {
    float sum[STRIP_MOST_WARPS][STRIP_COLUMNS];
    float scale[STRIP_COLUMNS], along[STRIP_COLUMNS];
};

/* A warp's sums, of what its threads have by the eight columns of their rows. */
__device__ inline void strip_add(float (&sum)[8], strip_sums &sums)
{
    const int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
#pragma unroll
    for (int i = 0; i < 8; i++) {
#pragma unroll
        for (int other = STRIP_LANES; other < WARP; other *= 2)
            sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], other);
        if (lane < STRIP_LANES)
            sums.sum[warp][lane * 8 + i] = sum[i];
    }
}

/* Calls f(column of the strip, column of the matrix, total) in a thread for each column that there is,
 * between barriers: when it returns, all see what f wrote. */
template <class F>
__device__ inline void strip_totals(const strips &s, const strip &mine, strip_sums &sums, F f)
{
    const int column = (int)threadIdx.x;
    __syncthreads();
    if (column < STRIP_COLUMNS && mine.column + column < s.columns) {
        float total = 0;
        for (int i = 0; i < (int)blockDim.x / WARP; i++)
            total += sums.sum[i][column];
        f(column, mine.column + column, total);
    }
    __syncthreads();
}

#endif
