/* Tiles of bf16 rows in shared memory, and how tensor cores read them, for attention on CUDA.
 *
 * A tile is ROWS x D, zero past the last row and past column d; its rows are 16 bytes longer than D so that
 * eight of them, read together, lie in different banks.
 */
#ifndef TTT_OPS_ATTENTION_ATTENTION_CUDA_TILES_CUH
#define TTT_OPS_ATTENTION_ATTENTION_CUDA_TILES_CUH

#include "ttt/ops/attention/attention_cuda.cuh"

/* Elements from a tile's row to the next. */
template <int D> constexpr int tile_step = D + 8;

/* Rows of one head that a block reads. */
struct attention_source {
    const bf16 *at; /* row 0 */
    int64_t step, rows;
    bool aligned; /* every row begins on 16 bytes, and d is a multiple of 8 */
};

__device__ inline attention_source source_of(const attention_heads &x, const attention_sizes &n, int64_t i,
                                             int64_t rows)
{
    const bf16 *at = static_cast<const bf16 *>(x.data) + attention_row(x, n.heads, i, 0);
    const bool aligned = reinterpret_cast<uintptr_t>(at) % 16 == 0 && x.row % 8 == 0 && n.d % 8 == 0;
    return {at, x.row, rows, aligned};
}

/* Starts to fill a tile with rows `first` and on; complete after a copy_commit, a copy_wait and a barrier. */
template <int ROWS, int D, int THREADS>
__device__ inline void fill_tile(bf16 *tile, const attention_source &x, int64_t first, int d)
{
    constexpr int chunks = D / 8;
    for (int i = (int)threadIdx.x; i < ROWS * chunks; i += THREADS) {
        const int row = i / chunks, column = i % chunks * 8;
        bf16 *to = tile + row * tile_step<D> + column;
        const bool valid = first + row < x.rows && column < d;
        const bf16 *from = valid ? x.at + (first + row) * x.step + column : x.at;
        if (x.aligned) {
            copy_async(to, from, valid);
            continue;
        }
        for (int k = 0; k < 8; k++)
            to[k] = valid && column + k < d ? from[k] : from_float<bf16>(0);
    }
}

/* Rows row ... row + 15, columns column ... column + 15, as the left factor of multiply_add. */
template <int D> __device__ inline void load_left(uint32_t (&a)[4], const bf16 *tile, int row, int column)
{
    const int lane = (int)threadIdx.x % WARP;
    load_matrices(a, tile + (row + lane % 16) * tile_step<D> + column + lane / 16 * 8);
}

/* The P pieces of 16 rows from `row` on, whole. */
template <int D, int P>
__device__ inline void load_pieces(uint32_t (&a)[P][D / 16][4], const bf16 *tile, int row)
{
#pragma unroll
    for (int p = 0; p < P; p++)
#pragma unroll
        for (int k = 0; k < D / 16; k++)
            load_left<D>(a[p][k], tile, row + 16 * p, 16 * k);
}

/* The right factors (b[0], b[1]) and (b[2], b[3]) for columns n ... n + 7 and n + 8 ... n + 15 of the
 * product: rows k ... k + 15 of the tile's transpose, or, `_down`, of the tile itself. */
template <int D> __device__ inline void load_right(uint32_t (&b)[4], const bf16 *tile, int k, int n)
{
    const int lane = (int)threadIdx.x % WARP;
    load_matrices(b, tile + (n + lane / 16 * 8 + lane % 8) * tile_step<D> + k + lane / 8 % 2 * 8);
}
template <int D> __device__ inline void load_right_down(uint32_t (&b)[4], const bf16 *tile, int k, int n)
{
    const int lane = (int)threadIdx.x % WARP;
    load_matrices_transposed(b, tile + (k + lane % 16) * tile_step<D> + n + lane / 16 * 8);
}

/* A product of 16 x 16 as the left factor of the next. */
__device__ inline void as_left(uint32_t (&a)[4], const float (&c)[2][4])
{
    a[0] = bf16_pair(c[0][0], c[0][1]);
    a[1] = bf16_pair(c[0][2], c[0][3]);
    a[2] = bf16_pair(c[1][0], c[1][1]);
    a[3] = bf16_pair(c[1][2], c[1][3]);
}

/* A warp's share of a product: P pieces of 16 rows, each 16 x 16, in two halves of 8 columns. */
template <int P> using scores = float[P][2][4];

/* c += the warp's rows, `a`, times the transpose of rows n ... n + 15 of the tile. */
template <int D, int P>
__device__ inline void add_products(scores<P> &c, const uint32_t (&a)[P][D / 16][4], const bf16 *tile, int n)
{
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint32_t b[4];
        load_right<D>(b, tile, 16 * k, n);
#pragma unroll
        for (int p = 0; p < P; p++) {
            multiply_add(c[p][0], a[p][k], b[0], b[1]);
            multiply_add(c[p][1], a[p][k], b[2], b[3]);
        }
    }
}

/* y (P pieces of 16 x D) += weights, rounded to bf16, times rows k ... k + 15 of the tile. */
template <int D, int P>
__device__ inline void add_weighted_rows(float (&y)[P][D / 8][4], const scores<P> &weights, const bf16 *tile,
                                         int k)
{
    uint32_t a[P][4];
#pragma unroll
    for (int p = 0; p < P; p++)
        as_left(a[p], weights[p]);
#pragma unroll
    for (int n = 0; n < D / 16; n++) {
        uint32_t b[4];
        load_right_down<D>(b, tile, k, 16 * n);
#pragma unroll
        for (int p = 0; p < P; p++) {
            multiply_add(y[p][2 * n], a[p], b[0], b[1]);
            multiply_add(y[p][2 * n + 1], a[p], b[2], b[3]);
        }
    }
}

/* Elements `column` and the next of the eight at `at`, those below d. */
__device__ inline void store_pair(const attention_heads &y, int64_t at, int column, int d, float low,
                                  float high)
{
    if (y.is_bf16 && d % 2 == 0) {
        if (column < d)
            *reinterpret_cast<uint32_t *>(static_cast<bf16 *>(y.data) + at + column) = bf16_pair(low, high);
        return;
    }
    if (column < d)
        store_any(y.data, y.is_bf16, at + column, low);
    if (column + 1 < d)
        store_any(y.data, y.is_bf16, at + column + 1, high);
}

/* w[j] of lane t of four becomes w[t] of lane j. */
__device__ inline void transpose_quad(uint32_t (&w)[4])
{
#pragma unroll
    for (int bit = 1; bit < 4; bit *= 2)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (j & bit)
                continue;
            const bool upper = threadIdx.x & bit;
            const uint32_t got = __shfl_xor_sync(0xffffffffu, upper ? w[j] : w[j | bit], bit);
            w[j] = upper ? got : w[j];
            w[j | bit] = upper ? w[j | bit] : got;
        }
}

/* Writes columns `column` ... `column` + COLUMNS - 1 of the 16 rows of a warp, from row `first` of head i on,
 * those below `rows`, times scale. */
template <int COLUMNS>
__device__ inline void store_columns(const attention_heads &y, const attention_sizes &n, int64_t i,
                                     int64_t first, int64_t rows, int column,
                                     const float (&c)[COLUMNS / 8][4], float scale)
{
    if (!y.data)
        return;
    const int lane = (int)threadIdx.x % WARP;
    const uintptr_t begin =
        reinterpret_cast<uintptr_t>(static_cast<bf16 *>(y.data) + attention_row(y, n.heads, i, first));
    const bool aligned = y.is_bf16 && begin % 16 == 0 && y.row % 8 == 0 && n.d % 8 == 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int64_t row = first + 8 * half + lane / 4, at = attention_row(y, n.heads, i, row) + column;
#pragma unroll
        for (int k = 0; k < COLUMNS / 8; k += 4) {
            uint32_t w[4];
#pragma unroll
            for (int j = 0; j < 4; j++)
                w[j] = bf16_pair(c[k + j][2 * half] * scale, c[k + j][2 * half + 1] * scale);
            if (aligned) {
                const int own = 8 * (k + lane % 4);
                transpose_quad(w);
                if (row < rows && column + own < n.d)
                    *reinterpret_cast<uint4 *>(static_cast<bf16 *>(y.data) + at + own) =
                        make_uint4(w[0], w[1], w[2], w[3]);
                continue;
            }
#pragma unroll
            for (int j = k; row < rows && j < k + 4; j++)
                store_pair(y, at + 8 * j, lane % 4 * 2, n.d - column - 8 * j, c[j][2 * half] * scale,
                           c[j][2 * half + 1] * scale);
        }
    }
}
template <int D>
__device__ inline void store_rows(const attention_heads &y, const attention_sizes &n, int64_t i,
                                  int64_t first, int64_t rows, const float (&c)[D / 8][4], float scale)
{
    store_columns<D>(y, n, i, first, rows, 0, c, scale);
}

/* Calls f with the width of the tiles that rows of d fit into: by_width(d, [&](auto width) {...}). */
template <int D> struct tile_width {
    static constexpr int value = D;
};
enum { MOST_TILE_WIDTH = 128 };
template <class F> ttt_status by_width(int64_t d, F f)
{
    return d <= 32 ? f(tile_width<32>()) : d <= 64 ? f(tile_width<64>()) : f(tile_width<128>());
}

/* Whether these inputs are bf16 and narrow enough. */
static inline bool takes_bf16_rows(const ttt_launch *launch, int inputs, const char **why)
{
    for (int i = 0; i < inputs; i++)
        if (i != ATTENTION_LOG_SUM && launch->in[i].dtype != TTT_BF16) {
            *why = "its inputs must be bf16";
            return false;
        }
    *why = "heads are wider than 128";
    return launch->in[0].shape.size[3] <= MOST_TILE_WIDTH;
}

#endif
