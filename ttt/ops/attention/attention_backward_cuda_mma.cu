/* "attention_backward" on CUDA's tensor cores, in bf16 with f32 sums: two kernels that compute the scores
 * once more, so that every sum has one owner and a fixed order.
 *
 * The first goes over the keys for a block of queries: sum over d of (dy y), which it leaves in the workspace
 * as `shared` (B, H, M), and dq.  The second goes over the queries for a block of keys: dk and dv.  Both hold
 * what they own in registers.  Read: q, k, v, dy twice, y once; written: dq, dk, dv.  Heads of few keys go to
 * one kernel instead, in attention_backward_cuda_head.cuh.
 */
#include "ttt/ops/attention/attention_backward_cuda_head.cuh"

enum { ROWS = 128, KEYS = 64 }; /* of the first: queries of a block, keys of a tile */
enum { OWN_KEYS = 64, QUERIES = 64, THREADS = OWN_KEYS / 16 * WARP }; /* of the second */

template <int D> constexpr int pieces = D <= 64 ? 2 : 1;
template <int D> constexpr int threads = ROWS / (16 * pieces<D>)*WARP;

__device__ inline float pair_product(uint32_t x, uint32_t y)
{
    bf16 a[2], b[2];
    memcpy(a, &x, sizeof a);
    memcpy(b, &y, sizeof b);
    return to_float(a[0]) * to_float(b[0]) + to_float(a[1]) * to_float(b[1]);
}

/* ---- dq ---- */

template <int D> struct query_tiles {
    bf16 q[ROWS * tile_step<D>], y[ROWS * tile_step<D>], dy[ROWS * tile_step<D>];
    bf16 k[2][KEYS * tile_step<D>], v[2][KEYS * tile_step<D>];
};

/* What a warp knows of its queries; statistics by piece and half. */
template <int D, int P> struct queries {
    uint32_t q[P][D / 16][4] = {}, dy[P][D / 16][4] = {};
    float dq[P][D / 8][4] = {};
    float log_sum[P][2] = {}, shared[P][2] = {};
};

/* Sets `shared` of the warp's queries, the first at row `first` of head i and row `at` of the tile. */
template <int D, int P>
__device__ inline void compute_shared(queries<D, P> &own, const bf16 *y, int at,
                                      const attention_sources &from, int64_t i, int64_t first)
{
    const int lane = (int)threadIdx.x % WARP;
#pragma unroll
    for (int p = 0; p < P; p++) {
        float sum[2] = {0, 0};
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            uint32_t a[4];
            load_left<D>(a, y, at + 16 * p, 16 * k);
#pragma unroll
            for (int j = 0; j < 4; j++)
                sum[j % 2] += pair_product(a[j], own.dy[p][k][j]);
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int64_t row = first + 16 * p + 8 * half + lane / 4;
            const bool valid = row < from.n.queries;
            sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
            sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
            own.shared[p][half] = sum[half];
            own.log_sum[p][half] = valid ? from.log_sum[i * from.n.queries + row] : 0;
            if (valid && lane % 4 == 0)
                from.shared[i * from.n.queries + row] = sum[half];
        }
    }
}

/* dq += what 16 keys from key n of the tile contribute; `left` keys of the tile are there. */
template <int D, int P>
__device__ inline void add_keys(queries<D, P> &own, const bf16 *k, const bf16 *v, int n, int64_t left,
                                float scale)
{
    scores<P> s = {}, slope = {};
    add_products<D, P>(s, own.q, k, n);
    add_products<D, P>(slope, own.dy, v, n);
#pragma unroll
    for (int p = 0; p < P; p++)
#pragma unroll
        for (int j = 0; j < 2; j++)
#pragma unroll
            for (int c = 0; c < 4; c++) {
                const bool valid = n + 8 * j + (int)threadIdx.x % 4 * 2 + c % 2 < left;
                const float weight = valid ? __expf(s[p][j][c] * scale - own.log_sum[p][c / 2]) : 0;
                slope[p][j][c] = weight * (slope[p][j][c] - own.shared[p][c / 2]);
            }
    add_weighted_rows<D, P>(own.dq, slope, k, n);
}

template <int D>
static __global__ void __launch_bounds__(threads<D>)
    query_gradient(attention_sources from, attention_heads dq, int blocks)
{
    constexpr int P = pieces<D>, T = threads<D>;
    DYNAMIC_SHARED(query_tiles<D>, tile);
    const attention_sizes &n = from.n;
    const int64_t i = blockIdx.x / blocks, first = (int64_t)(blockIdx.x % blocks) * ROWS;
    const int warp_row = (int)threadIdx.x / WARP * 16 * P;
    const attention_source keys = source_of(from.k, n, i, n.keys), values = source_of(from.v, n, i, n.keys);
    queries<D, P> own;
    fill_tile<ROWS, D, T>(tile->q, source_of(from.q, n, i, n.queries), first, n.d);
    fill_tile<ROWS, D, T>(tile->y, source_of(from.y, n, i, n.queries), first, n.d);
    fill_tile<ROWS, D, T>(tile->dy, source_of(from.dy, n, i, n.queries), first, n.d);
    fill_tile<KEYS, D, T>(tile->k[0], keys, 0, n.d);
    fill_tile<KEYS, D, T>(tile->v[0], values, 0, n.d);
    copy_commit();
    for (int64_t key = 0, t = 0; key < n.keys; key += KEYS, t ^= 1) {
        copy_wait<0>();
        __syncthreads();
        if (key + KEYS < n.keys) {
            fill_tile<KEYS, D, T>(tile->k[t ^ 1], keys, key + KEYS, n.d);
            fill_tile<KEYS, D, T>(tile->v[t ^ 1], values, key + KEYS, n.d);
            copy_commit();
        }
        if (key == 0) {
            load_pieces<D, P>(own.q, tile->q, warp_row);
            load_pieces<D, P>(own.dy, tile->dy, warp_row);
            compute_shared<D, P>(own, tile->y, warp_row, from, i, first + warp_row);
        }
#pragma unroll 1
        for (int k = 0; k < KEYS; k += 16)
            add_keys<D, P>(own, tile->k[t], tile->v[t], k, n.keys - key, n.scale);
    }
#pragma unroll
    for (int p = 0; p < P; p++)
        store_rows<D>(dq, n, i, first + warp_row + 16 * p, n.queries, own.dq[p], n.scale);
}

/* ---- dk, dv ---- */

template <int D> struct key_tiles {
    bf16 k[OWN_KEYS * tile_step<D>], v[OWN_KEYS * tile_step<D>];
    bf16 q[2][QUERIES * tile_step<D>], dy[2][QUERIES * tile_step<D>];
    float statistics[2][2 * QUERIES]; /* log_sum, then `shared` */
};

/* What a warp knows of its 16 keys. */
template <int D> struct keys {
    uint32_t k[1][D / 16][4] = {}, v[1][D / 16][4] = {};
    float dk[1][D / 8][4] = {}, dv[1][D / 8][4] = {};
};

/* dk, dv += what 16 queries from query n of the tile contribute: nothing where q and dy are zeros, which
 * they are past the last query. */
template <int D>
__device__ inline void add_queries(keys<D> &own, const bf16 *q, const bf16 *dy, const float *statistics,
                                   int n, float scale)
{
    const float *log_sum = statistics, *shared = statistics + QUERIES;
    scores<1> weight = {}, slope = {};
    add_products<D, 1>(weight, own.k, q, n);
    add_products<D, 1>(slope, own.v, dy, n);
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
        for (int c = 0; c < 4; c++) {
            const int query = n + 8 * j + (int)threadIdx.x % 4 * 2 + c % 2;
            weight[0][j][c] = __expf(weight[0][j][c] * scale - log_sum[query]);
            slope[0][j][c] = weight[0][j][c] * (slope[0][j][c] - shared[query]);
        }
    add_weighted_rows<D, 1>(own.dv, weight, dy, n);
    add_weighted_rows<D, 1>(own.dk, slope, q, n);
}

/* This thread's statistic of the tile whose first query is `first`. */
__device__ inline float statistic(const attention_sources &from, int64_t i, int64_t first)
{
    const int thread = (int)threadIdx.x;
    const int64_t query = first + thread % QUERIES, at = i * from.n.queries + query;
    if (query >= from.n.queries)
        return 0;
    return thread < QUERIES ? from.log_sum[at] : from.shared[at];
}

template <int D>
static __global__ void __launch_bounds__(THREADS)
    key_gradient(attention_sources from, attention_heads dk, attention_heads dv, int blocks)
{
    static_assert(THREADS == 2 * QUERIES, "a thread has one statistic of a tile");
    DYNAMIC_SHARED(key_tiles<D>, tile);
    const attention_sizes &n = from.n;
    const int64_t i = blockIdx.x / blocks, first = (int64_t)(blockIdx.x % blocks) * OWN_KEYS;
    const int warp_row = (int)threadIdx.x / WARP * 16;
    const attention_source q = source_of(from.q, n, i, n.queries), dy = source_of(from.dy, n, i, n.queries);
    keys<D> own;
    fill_tile<OWN_KEYS, D, THREADS>(tile->k, source_of(from.k, n, i, n.keys), first, n.d);
    fill_tile<OWN_KEYS, D, THREADS>(tile->v, source_of(from.v, n, i, n.keys), first, n.d);
    fill_tile<QUERIES, D, THREADS>(tile->q[0], q, 0, n.d);
    fill_tile<QUERIES, D, THREADS>(tile->dy[0], dy, 0, n.d);
    copy_commit();
    float next = statistic(from, i, 0);
    for (int64_t query = 0, t = 0; query < n.queries; query += QUERIES, t ^= 1) {
        tile->statistics[t][(int)threadIdx.x] = next;
        copy_wait<0>();
        __syncthreads();
        if (query + QUERIES < n.queries) {
            fill_tile<QUERIES, D, THREADS>(tile->q[t ^ 1], q, query + QUERIES, n.d);
            fill_tile<QUERIES, D, THREADS>(tile->dy[t ^ 1], dy, query + QUERIES, n.d);
            copy_commit();
            next = statistic(from, i, query + QUERIES);
        }
        if (query == 0) {
            load_pieces<D, 1>(own.k, tile->k, warp_row);
            load_pieces<D, 1>(own.v, tile->v, warp_row);
        }
#pragma unroll 1
        for (int k = 0; k < QUERIES; k += 16)
            add_queries<D>(own, tile->q[t], tile->dy[t], tile->statistics[t], k, n.scale);
    }
    store_rows<D>(dk, n, i, first + warp_row, n.keys, own.dk[0], n.scale);
    store_rows<D>(dv, n, i, first + warp_row, n.keys, own.dv[0], 1);
}

/* ---- the row ---- */

static bool supports(const ttt_launch *launch, const char **why)
{
    return takes_bf16_rows(launch, 6, why);
}

static ttt_status enqueue_heads(const ttt_launch *launch, const attention_sources &from)
{
    const int64_t heads = from.n.batch_heads, most = ttt_cuda_multiprocessors(launch->device);
    return enqueue(launch, head_gradient, dim3((unsigned)(heads < most ? heads : most)), HEAD_THREADS,
                   sizeof(head_tiles), from, attention_heads_of(&launch->out[0], true),
                   attention_heads_of(&launch->out[1], true), attention_heads_of(&launch->out[2], true));
}

template <int D> static ttt_status enqueue_both(const ttt_launch *launch, const attention_sources &from)
{
    const unsigned heads = (unsigned)from.n.batch_heads;
    const unsigned query_blocks = blocks_for(from.n.queries, ROWS),
                   key_blocks = blocks_for(from.n.keys, OWN_KEYS);
    const attention_heads dq = attention_heads_of(&launch->out[0], true),
                          dk = attention_heads_of(&launch->out[1], true),
                          dv = attention_heads_of(&launch->out[2], true);
    TRY(enqueue(launch, query_gradient<D>, dim3(heads * query_blocks), threads<D>, sizeof(query_tiles<D>),
                from, dq, (int)query_blocks));
    if (!dk.data && !dv.data)
        return TTT_OK;
    return enqueue(launch, key_gradient<D>, dim3(heads * key_blocks), THREADS, sizeof(key_tiles<D>), from, dk,
                   dv, (int)key_blocks);
}

static ttt_status run(const ttt_launch *launch)
{
    const attention_sources from = attention_sources_of(launch);
    if (takes_heads(launch, from))
        return enqueue_heads(launch, from);
    return by_width(from.n.d, [&](auto width) { return enqueue_both<decltype(width)::value>(launch, from); });
}

extern "C" const ttt_implementation ttt_attention_backward_cuda_mma = {
    .name = "tensor_cores",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = attention_backward_workspace,
    .run = run,
};
