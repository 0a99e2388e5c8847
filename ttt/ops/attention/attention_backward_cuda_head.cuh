/* The gradient of attention for heads of at most 256 keys, in one kernel: scores are computed once.
 *
 * A block takes all keys of a head; a warp owns 32 of them, and their dk and dv in registers.  The block goes
 * over the head's queries, a tile at a time: each warp leaves its part of the gradient of q . k, `slopes`, in
 * shared memory, where the block then has all that the tile's dq needs.  As many blocks as there are
 * multiprocessors go over the heads, so that the next tiles, and piece by piece the next head's keys and
 * values, arrive during the products.  Read: q, k, v, y, dy once; written: dq, dk, dv.
 */
#ifndef TTT_OPS_ATTENTION_ATTENTION_BACKWARD_CUDA_HEAD_CUH
#define TTT_OPS_ATTENTION_ATTENTION_BACKWARD_CUDA_HEAD_CUH

#include "ttt/ops/attention/attention_cuda_tiles.cuh"

/* HEAD_QUERIES are those of a tile, WARP_KEYS a warp's keys. */
constexpr int HEAD_WIDTH = 64, HEAD_KEYS = 256, HEAD_QUERIES = 64, WARP_KEYS = 32;
constexpr int HEAD_THREADS = HEAD_KEYS / WARP_KEYS * WARP, HEAD_STEP = tile_step<HEAD_WIDTH>;

/* Keys, values, queries and their cotangents twice: those in use and those that arrive. */
struct head_tiles {
    bf16 k[2][HEAD_KEYS * HEAD_STEP], v[2][HEAD_KEYS * HEAD_STEP];
    bf16 q[2][HEAD_QUERIES * HEAD_STEP], dy[2][HEAD_QUERIES * HEAD_STEP], y[HEAD_QUERIES * HEAD_STEP];
    bf16 slopes[HEAD_KEYS * tile_step<HEAD_QUERIES>];
    float log_sum[HEAD_QUERIES], shared[HEAD_QUERIES]; /* of each query; shared: sum over d of (dy y) */
};

/* Gradients of a warp's keys. */
struct key_gradients {
    float k[2][HEAD_WIDTH / 8][4] = {}, v[2][HEAD_WIDTH / 8][4] = {};
};

/* A tile of queries: its head, and its first query. */
struct query_place {
    int64_t head, first;
};

__device__ inline query_place after(query_place at, const attention_sizes &n)
{
    at.first += HEAD_QUERIES;
    if (at.first < n.queries)
        return at;
    return {at.head + gridDim.x, 0};
}

/* ---- what arrives ---- */

/* Rows first ... first + HEAD_QUERIES - 1 of a head that has `rows`.  Without branches, so that fills next to
 * each other share what they have to divide. */
__device__ inline void fill_rows(bf16 *tile, const attention_heads &x, const attention_sizes &n, int64_t head,
                                 int64_t first, int64_t rows)
{
    constexpr int chunks = HEAD_WIDTH / 8, step = HEAD_THREADS / chunks;
    const int row = (int)threadIdx.x / chunks, column = (int)threadIdx.x % chunks * 8;
    const bf16 *data = static_cast<const bf16 *>(x.data),
               *from = data + attention_row(x, n.heads, head, first + row) + column;
    const bool there = head < n.batch_heads && column < n.d;
#pragma unroll
    for (int i = 0; i < HEAD_QUERIES; i += step) {
        const bool valid = there && first + row + i < rows;
        copy_async(tile + (row + i) * HEAD_STEP + column, valid ? from + i * x.row : data, valid);
    }
}

__device__ inline void fill_queries(bf16 *tile, const attention_heads &x, const attention_sizes &n,
                                    query_place at)
{
    fill_rows(tile, x, n, at.head, at.first, n.queries);
}

/* Pieces `first` ... `last` - 1 of a head's keys and values, of HEAD_QUERIES rows each. */
__device__ inline void fill_keys(head_tiles *tile, int h, const attention_sources &from, int64_t head,
                                 int first, int last)
{
#pragma unroll 1
    for (int row = first * HEAD_QUERIES; row < last * HEAD_QUERIES; row += HEAD_QUERIES) {
        fill_rows(tile->k[h] + row * HEAD_STEP, from.k, from.n, head, row, from.n.keys);
        fill_rows(tile->v[h] + row * HEAD_STEP, from.v, from.n, head, row, from.n.keys);
    }
}

/* ---- a query's statistics: four lanes each ---- */

struct query_statistics {
    float log_sum, shared;
};

__device__ inline query_statistics statistics_of(const bf16 *y, const bf16 *dy, const attention_sources &from,
                                                 query_place at)
{
    constexpr int columns = HEAD_WIDTH / 4;
    const int row = (int)threadIdx.x / 4, offset = row * HEAD_STEP + (int)threadIdx.x % 4 * columns;
    const bool valid = at.head < from.n.batch_heads && at.first + row < from.n.queries;
    query_statistics of = {valid ? from.log_sum[at.head * from.n.queries + at.first + row] : 0, 0};
    float a[columns], b[columns];
    load(y + offset, a);
    load(dy + offset, b);
#pragma unroll
    for (int i = 0; i < columns; i++)
        of.shared += a[i] * b[i];
    of.shared += __shfl_xor_sync(0xffffffffu, of.shared, 1);
    of.shared += __shfl_xor_sync(0xffffffffu, of.shared, 2);
    return of;
}

__device__ inline void keep_statistics(head_tiles *tile, query_statistics of)
{
    if (threadIdx.x % 4 == 0) {
        tile->log_sum[threadIdx.x / 4] = of.log_sum;
        tile->shared[threadIdx.x / 4] = of.shared;
    }
}

/* Those of the queries that a lane has of 16 scores in a row, from `statistics` on. */
__device__ inline void load_statistics(const float *statistics, float (&of)[2][2])
{
    load(statistics + threadIdx.x % 4 * 2, of[0]);
    load(statistics + 8 + threadIdx.x % 4 * 2, of[1]);
}

/* ---- the products ---- */

/* c[j] = the warp's rows, the first at `rows`, times the transpose of rows n + 16 j ... n + 16 j + 15. */
__device__ inline void products(scores<2> (&c)[2], const bf16 *rows, const bf16 *tile, int n)
{
#pragma unroll
    for (int k = 0; k < HEAD_WIDTH; k += 16) {
        uint32_t a[2][4];
        load_left<HEAD_WIDTH>(a[0], rows, 0, k);
        load_left<HEAD_WIDTH>(a[1], rows, 16, k);
#pragma unroll
        for (int j = 0; j < 2; j++) {
            uint32_t b[4];
            load_right<HEAD_WIDTH>(b, tile, k, n + 16 * j);
#pragma unroll
            for (int p = 0; p < 2; p++) {
                multiply_add(c[j][p][0], a[p], b[0], b[1]);
                multiply_add(c[j][p][1], a[p], b[2], b[3]);
            }
        }
    }
}

/* Scores with 16 queries become weights; those of the warp's keys past the `left` that there are, 0. */
__device__ inline void weigh(scores<2> &c, const float *log_sums, int left, float scale)
{
    const int lane = (int)threadIdx.x % WARP;
    float log_sum[2][2];
    load_statistics(log_sums, log_sum);
#pragma unroll
    for (int i = 0; i < 16; i++) {
        float &weight = c[i / 8][i / 4 % 2][i % 4];
        weight = __expf(weight * scale - log_sum[i / 4 % 2][i % 2]);
    }
    if (left >= WARP_KEYS)
        return;
#pragma unroll
    for (int i = 0; i < 16; i++)
        if (i / 8 * 16 + i % 4 / 2 * 8 + lane / 4 >= left)
            c[i / 8][i / 4 % 2][i % 4] = 0;
}

/* Gradients of the weights become those of the scores, which a copy of goes to the warp's rows of `slopes`.
 */
__device__ inline void slope(scores<2> &c, const scores<2> &weights, const float *shares, bf16 *slopes)
{
    const int lane = (int)threadIdx.x % WARP;
    float shared[2][2];
    load_statistics(shares, shared);
#pragma unroll
    for (int i = 0; i < 16; i++) {
        float &gradient = c[i / 8][i / 4 % 2][i % 4];
        gradient = weights[i / 8][i / 4 % 2][i % 4] * (gradient - shared[i / 4 % 2][i % 2]);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int key = i / 4 * 16 + i % 2 * 8 + lane / 4, query = i / 2 % 2 * 8 + lane % 4 * 2;
        const float(&pair)[4] = c[i / 4][i / 2 % 2];
        *reinterpret_cast<uint32_t *>(slopes + key * tile_step<HEAD_QUERIES> + query) =
            bf16_pair(pair[i % 2 * 2], pair[i % 2 * 2 + 1]);
    }
}

/* What 32 queries from query n of tile t contribute to the gradients of the warp's keys, row `row` and on of
 * the `keys` that there are, in buffer h. */
__device__ inline void add_tile_queries(key_gradients &own, head_tiles *tile, int h, int t, int row, int n,
                                        int keys, float scale)
{
    const bf16 *k = tile->k[h] + row * HEAD_STEP, *v = tile->v[h] + row * HEAD_STEP;
    bf16 *slopes = tile->slopes + row * tile_step<HEAD_QUERIES> + n;
    scores<2> weights[2] = {}, gradients[2] = {};
    products(weights, k, tile->q[t], n);
#pragma unroll
    for (int j = 0; j < 2; j++) {
        weigh(weights[j], tile->log_sum + n + 16 * j, keys - row, scale);
        add_weighted_rows<HEAD_WIDTH, 2>(own.v, weights[j], tile->dy[t], n + 16 * j);
    }
    products(gradients, v, tile->dy[t], n);
#pragma unroll
    for (int j = 0; j < 2; j++) {
        slope(gradients[j], weights[j], tile->shared + n + 16 * j, slopes + 16 * j);
        add_weighted_rows<HEAD_WIDTH, 2>(own.k, gradients[j], tile->q[t], n + 16 * j);
    }
}

/* dq of the tile: a warp has 16 queries and half of the columns. */
__device__ inline void write_query_gradient(const attention_heads &dq, const bf16 *slopes, const bf16 *k,
                                            const attention_sizes &n, query_place at)
{
    constexpr int columns = HEAD_WIDTH / 2;
    const int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
    const int query = warp % 4 * 16, column = warp / 4 * columns;
    const bf16 *left =
        slopes + (lane / 16 * 8 + lane % 8) * tile_step<HEAD_QUERIES> + query + lane / 8 % 2 * 8;
    float sums[columns / 8][4] = {};
#pragma unroll 4
    for (int key = 0; key < (int)n.keys; key += 16) {
        uint32_t a[4], b[4];
        load_matrices_transposed(a, left + key * tile_step<HEAD_QUERIES>);
#pragma unroll
        for (int c = 0; c < columns / 16; c++) {
            load_right_down<HEAD_WIDTH>(b, k, key, column + 16 * c);
            multiply_add(sums[2 * c], a, b[0], b[1]);
            multiply_add(sums[2 * c + 1], a, b[2], b[3]);
        }
    }
    store_columns<columns>(dq, n, at.head, at.first + query, n.queries, column, sums, n.scale);
}

/* dk and dv of the warp's keys, the first `row`. */
__device__ inline void write_key_gradients(const key_gradients &own, const attention_heads &dk,
                                           const attention_heads &dv, const attention_sizes &n, int64_t head,
                                           int row)
{
#pragma unroll
    for (int p = 0; p < 2; p++) {
        store_rows<HEAD_WIDTH>(dk, n, head, row + 16 * p, n.keys, own.k[p], n.scale);
        store_rows<HEAD_WIDTH>(dv, n, head, row + 16 * p, n.keys, own.v[p], 1);
    }
}

/* ---- the kernel ---- */

/* Whether every row begins on 16 bytes. */
static inline bool rows_are_aligned(const attention_heads &x)
{
    return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.sample % 8 == 0 && x.head % 8 == 0 &&
           x.row % 8 == 0;
}

static inline bool takes_heads(const ttt_launch *launch, const attention_sources &from)
{
    const attention_sizes &n = from.n;
    return n.keys > HEAD_KEYS / 2 && n.keys <= HEAD_KEYS && n.d > HEAD_WIDTH / 2 && n.d <= HEAD_WIDTH &&
           n.d % 8 == 0 && rows_are_aligned(from.q) && rows_are_aligned(from.k) && rows_are_aligned(from.v) &&
           rows_are_aligned(from.y) && rows_are_aligned(from.dy) &&
           sizeof(head_tiles) <= ttt_device_shared_memory(launch->device);
}

static __global__ void __launch_bounds__(HEAD_THREADS, 1)
    head_gradient(attention_sources from, attention_heads dq, attention_heads dk, attention_heads dv)
{
    DYNAMIC_SHARED(head_tiles, tile);
    constexpr int pieces = HEAD_KEYS / HEAD_QUERIES;
    const attention_sizes &n = from.n;
    const int warp_row = (int)threadIdx.x / WARP * WARP_KEYS;
    query_place here = {(int64_t)blockIdx.x, 0}, next = after(here, n);
    key_gradients own;
    fill_keys(tile, 0, from, here.head, 0, pieces);
    fill_queries(tile->q[0], from.q, n, here);
    fill_queries(tile->dy[0], from.dy, n, here);
    fill_queries(tile->y, from.y, n, here);
    fill_queries(tile->q[1], from.q, n, next);
    fill_queries(tile->dy[1], from.dy, n, next);
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    keep_statistics(tile, statistics_of(tile->y, tile->dy[0], from, here));
    __syncthreads();
    for (int t = 0, h = 0, piece = 0; here.head < n.batch_heads; t ^= 1) {
        const bool last = next.head != here.head;
        const int end = last ? pieces : min(piece + 1, pieces);
        fill_queries(tile->y, from.y, n, next);
        fill_keys(tile, h ^ 1, from, here.head + gridDim.x, piece, end);
        copy_commit();
        piece = end;
#pragma unroll 1
        for (int query = 0; warp_row < n.keys && query < HEAD_QUERIES; query += 32)
            add_tile_queries(own, tile, h, t, warp_row, query, (int)n.keys, n.scale);
        copy_wait<0>();
        __syncthreads();
        const query_place later = after(next, n);
        fill_queries(tile->q[t], from.q, n, later);
        fill_queries(tile->dy[t], from.dy, n, later);
        copy_commit();
        const query_statistics of = statistics_of(tile->y, tile->dy[t ^ 1], from, next);
        write_query_gradient(dq, tile->slopes, tile->k[h], n, here);
        keep_statistics(tile, of);
        if (last) {
            write_key_gradients(own, dk, dv, n, here.head, warp_row);
            own = key_gradients();
            h ^= 1;
            piece = 0;
        }
        here = next;
        next = later;
        __syncthreads();
    }
}

#endif
