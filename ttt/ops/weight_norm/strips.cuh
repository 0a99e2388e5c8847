/* What "weight_norm" and its gradient share on CUDA: strips of columns, a block for each, which hold them in
 * registers from the sums over rows to what is made of them.
 */
#ifndef TTT_OPS_WEIGHT_NORM_STRIPS_CUH
#define TTT_OPS_WEIGHT_NORM_STRIPS_CUH

#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/weight_norm/weight_norm_operator.h"
}

/* A row of a wide strip is 64 bytes in bf16.  Where that makes fewer strips than there are multiprocessors,
 * they are narrow: a row is 16 bytes, which costs more accesses and less waiting. */
constexpr int STRIP_WIDE = 4, STRIP_NARROW = 1; /* neighbouring lanes with 8 columns each */
constexpr int STRIP_COLUMNS = STRIP_WIDE * 8, STRIP_MOST_WARPS = 16;

/* How a strip is spread over a block: each thread holds 8 columns of a row in every pass. */
template <int LANES, int WARPS, int PASSES> struct strip_spread {
    static constexpr int lanes = LANES, columns = 8 * LANES;
    static constexpr int threads = WARPS * WARP, passes = PASSES;
    static constexpr int rows = threads / LANES;            /* of a pass */
    static constexpr int blocks = STRIP_MOST_WARPS / WARPS; /* that share the registers of a multiprocessor */
    static constexpr int most_rows = rows * PASSES;
};

/* Reads elements one by one, and twice: any shape and address. */
typedef strip_spread<STRIP_WIDE, STRIP_MOST_WARPS, 0> strip_spread_any;

struct strips {
    int matrices, rows, columns;
    bool few; /* wide strips would leave multiprocessors idle */
    float sign, eps;
    const float *norm; /* (norms, columns) */
    int norms;
    float *was; /* (matrices, columns); NULL: not kept */
};

/* The strips of a launch, `norm` and `was` given. */
strips strips_of(const ttt_launch *launch, const ttt_operand *norm, const ttt_operand *was);

/* supports(): whether all lie as they should, and are f32 or bf16. */
bool strips_supported(const ttt_launch *launch, const char **why);

/* Blocks of a launch. */
template <class SPREAD> unsigned strips_count(const strips &s, SPREAD)
{
    return (unsigned)s.matrices * blocks_for(s.columns, SPREAD::columns);
}

/* Calls f with the spread of a strip whose elements take `BYTES` of registers; `aligned`: operands can be
 * read by 16 bytes. */
template <int BYTES, class F> ttt_status strips_by_spread(const strips &s, bool aligned, F f)
{
    typedef std::conditional_t<BYTES <= 4, strip_spread<STRIP_WIDE, 8, 12>, strip_spread<STRIP_WIDE, 16, 6>>
        wide; /* 768 rows */
    typedef strip_spread<STRIP_WIDE, 16, 12> tall_and_wide;
    typedef strip_spread<STRIP_NARROW, 8, 3> narrow; /* 768 rows */
    typedef strip_spread<STRIP_NARROW, 16, 3> tall;
    typedef strip_spread<STRIP_NARROW, 16, 6> tallest;
    if (s.columns % 8 || !aligned || s.rows > tallest::most_rows)
        return f(strip_spread_any());
    if (!s.few && s.rows <= wide::most_rows)
        return f(wide());
    if constexpr (BYTES <= 4)
        if (!s.few && s.rows <= tall_and_wide::most_rows)
            return f(tall_and_wide());
    return s.rows <= narrow::most_rows ? f(narrow()) : s.rows <= tall::most_rows ? f(tall()) : f(tallest());
}

/* A block's matrix, the first of its columns, and the element there. */
struct strip {
    int matrix, column;
    int64_t first;

    /* The same in a matrix that is transposed, (columns, rows). */
    __device__ int64_t first_transposed(const strips &s) const
    {
        return ((int64_t)matrix * s.columns + column) * s.rows;
    }
};
template <class SPREAD> __device__ inline strip strip_of(const strips &s)
{
    const unsigned in_matrix = (unsigned)(s.columns + SPREAD::columns - 1) / SPREAD::columns;
    const int matrix = (int)(blockIdx.x / in_matrix),
              column = (int)(blockIdx.x % in_matrix) * SPREAD::columns;
    return {matrix, column, (int64_t)matrix * s.rows * s.columns + column};
}

/* Calls f(pass, at) for each row of a thread that is in the matrix, with its place from the strip's first:
 * those of COUNT passes, from `first` on. */
template <class SPREAD, int COUNT, class F>
__device__ inline void strip_some_rows(const strips &s, const strip &mine, int first, F f)
{
    const int row = (int)threadIdx.x / SPREAD::lanes, column = (int)threadIdx.x % SPREAD::lanes * 8;
    if (mine.column + column >= s.columns)
        return;
#pragma unroll
    for (int p = first; p < first + COUNT; p++)
        if (p * SPREAD::rows + row < s.rows)
            f(p, (p * SPREAD::rows + row) * s.columns + column);
}
template <class SPREAD, class F> __device__ inline void strip_rows(const strips &s, const strip &mine, F f)
{
    strip_some_rows<SPREAD, SPREAD::passes>(s, mine, 0, f);
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
template <class SPREAD> __device__ inline void strip_add(float (&sum)[8], strip_sums &sums)
{
    const int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
#pragma unroll
    for (int i = 0; i < 8; i++) {
#pragma unroll
        for (int other = SPREAD::lanes; other < WARP; other *= 2)
            sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], other);
        if (lane < SPREAD::lanes)
            sums.sum[warp][lane * 8 + i] = sum[i];
    }
}

/* Calls f(column of the strip, column of the matrix, total) in a thread for each column that there is,
 * between barriers: when it returns, all see what f wrote. */
template <class SPREAD, class F>
__device__ inline void strip_totals(const strips &s, const strip &mine, strip_sums &sums, F f)
{
    const int column = (int)threadIdx.x;
    __syncthreads();
    if (column < SPREAD::columns && mine.column + column < s.columns) {
        float total = 0;
#pragma unroll
        for (int i = 0; i < SPREAD::threads / WARP; i++)
            total += sums.sum[i][column];
        f(column, mine.column + column, total);
    }
    __syncthreads();
}

#endif
