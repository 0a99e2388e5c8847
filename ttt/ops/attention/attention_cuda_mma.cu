/* "attention" on CUDA's tensor cores, in bf16 with f32 sums.
 *
 * A block of ROWS queries of one head goes over the keys, KEYS at a time; a warp owns 16 or 32 of the queries
 * and holds their scores, output and statistics in registers.  Weights are relative to the largest score so
 * far, as on the CPU.  Reads q, k and v (k and v again for each block, from the second-level cache), writes
 * y. Dao, "FlashAttention-2", 2023.
 */
#include "ttt/ops/attention/attention_cuda_tiles.cuh"

enum { ROWS = 128, KEYS = 64 };

/* 16-row pieces of a warp: as many as registers hold. */
template <int D> constexpr int pieces = D <= 64 ? 2 : 1;
template <int D> constexpr int threads = ROWS / (16 * pieces<D>)*WARP;

/* Where a block keeps what it reads; keys and values twice, so that the next arrive while these are used. */
template <int D> struct tiles {
    bf16 q[ROWS * tile_step<D>];
    bf16 k[2][KEYS * tile_step<D>], v[2][KEYS * tile_step<D>];
};

/* Of a lane's two rows of a piece: the largest score so far, times scale, and the lane's part of the sum. */
struct statistics {
    float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
};

/* What a warp knows of its queries. */
template <int D, int P> struct queries {
    uint32_t q[P][D / 16][4] = {};
    float y[P][D / 8][4] = {};
    statistics of[P];
};

/* The tile's scores with the warp's queries; those past the `left` keys that there are count for nothing. */
template <int D, int P>
__device__ inline void compute_scores(scores<P> (&s)[KEYS / 16], const queries<D, P> &own, const bf16 *k,
                                      int64_t left)
{
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
        add_products<D, P>(s[n], own.q, k, 16 * n);
    if (left >= KEYS)
        return;
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
#pragma unroll
        for (int i = 0; i < P * 8; i++)
            if (16 * n + i / 4 % 2 * 8 + (int)threadIdx.x % 4 * 2 + i % 2 >= left)
                s[n][i / 8][i / 4 % 2][i % 4] = -INFINITY;
}

/* Turns one row's scores (of piece p, the upper or lower `half`) into weights, and brings its sums in line
 * with a new largest score. */
template <int D, int P>
__device__ inline void admit_row(queries<D, P> &own, scores<P> (&s)[KEYS / 16], int p, int half, float scale)
{
    float most = -INFINITY, sum = 0;
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            most = fmaxf(most, s[n][p][i / 2][2 * half + i % 2]);
    most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
    most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
    most = fmaxf(own.of[p].largest[half], most * scale);
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float &weight = s[n][p][i / 2][2 * half + i % 2];
            weight = __expf(weight * scale - most);
            sum += weight;
        }
    const float factor = __expf(own.of[p].largest[half] - most);
    own.of[p].largest[half] = most;
    own.of[p].sum[half] = own.of[p].sum[half] * factor + sum;
#pragma unroll
    for (int k = 0; k < D / 8; k++) {
        own.y[p][k][2 * half] *= factor;
        own.y[p][k][2 * half + 1] *= factor;
    }
}

template <int D, int P>
__device__ inline void attend_tile(queries<D, P> &own, const bf16 *k, const bf16 *v, int64_t left,
                                   float scale)
{
    scores<P> s[KEYS / 16] = {};
    compute_scores<D, P>(s, own, k, left);
#pragma unroll
    for (int p = 0; p < P; p++) {
        admit_row<D, P>(own, s, p, 0, scale);
        admit_row<D, P>(own, s, p, 1, scale);
    }
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
        add_weighted_rows<D, P>(own.y, s[n], v, 16 * n);
}

/* y and log_sum of the warp's queries, from row `first` of head i on. */
template <int D, int P>
__device__ inline void finish(queries<D, P> &own, const attention_heads &y, float *log_sum,
                              const attention_sizes &n, int64_t i, int64_t first)
{
    const int lane = (int)threadIdx.x % WARP;
#pragma unroll
    for (int p = 0; p < P; p++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int64_t row = first + 16 * p + 8 * half + lane / 4;
            float sum = own.of[p].sum[half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
#pragma unroll
            for (int k = 0; k < D / 8; k++) {
                own.y[p][k][2 * half] /= sum;
                own.y[p][k][2 * half + 1] /= sum;
            }
            if (log_sum && lane % 4 == 0 && row < n.queries)
                log_sum[i * n.queries + row] = own.of[p].largest[half] + logf(sum);
        }
        store_rows<D>(y, n, i, first + 16 * p, n.queries, own.y[p], 1);
    }
}

template <int D>
static __global__ void __launch_bounds__(threads<D>)
    attend(attention_heads q, attention_heads k, attention_heads v, attention_heads y, float *log_sum,
           attention_sizes n, int blocks)
{
    constexpr int P = pieces<D>;
    DYNAMIC_SHARED(tiles<D>, tile);
    const int64_t i = blockIdx.x / blocks, first = (int64_t)(blockIdx.x % blocks) * ROWS;
    const int warp_row = (int)threadIdx.x / WARP * 16 * P;
    const attention_source keys = source_of(k, n, i, n.keys), values = source_of(v, n, i, n.keys);
    queries<D, P> own;
    fill_tile<ROWS, D, threads<D>>(tile->q, source_of(q, n, i, n.queries), first, n.d);
    fill_tile<KEYS, D, threads<D>>(tile->k[0], keys, 0, n.d);
    fill_tile<KEYS, D, threads<D>>(tile->v[0], values, 0, n.d);
    copy_commit();
    for (int64_t key = 0, t = 0; key < n.keys; key += KEYS, t ^= 1) {
        copy_wait<0>();
        __syncthreads();
        if (key + KEYS < n.keys) {
            fill_tile<KEYS, D, threads<D>>(tile->k[t ^ 1], keys, key + KEYS, n.d);
            fill_tile<KEYS, D, threads<D>>(tile->v[t ^ 1], values, key + KEYS, n.d);
            copy_commit();
        }
        if (key == 0)
            load_pieces<D, P>(own.q, tile->q, warp_row);
        attend_tile<D, P>(own, tile->k[t], tile->v[t], n.keys - key, n.scale);
    }
    finish<D, P>(own, y, log_sum, n, i, first + warp_row);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    return takes_bf16_rows(launch, 3, why);
}

static ttt_status run(const ttt_launch *launch)
{
    const attention_sizes n = attention_sizes_of(launch);
    const unsigned blocks = blocks_for(n.queries, ROWS);
    const attention_heads q = attention_heads_of(&launch->in[ATTENTION_Q], false),
                          k = attention_heads_of(&launch->in[ATTENTION_K], false),
                          v = attention_heads_of(&launch->in[ATTENTION_V], false),
                          y = attention_heads_of(&launch->out[0], true);
    return by_width(n.d, [&](auto width) {
        constexpr int D = decltype(width)::value;
        return enqueue(launch, attend<D>, dim3((unsigned)n.batch_heads * blocks), threads<D>,
                       sizeof(tiles<D>), q, k, v, y, (float *)launch->out[1].data, n, (int)blocks);
    });
}

extern "C" const ttt_implementation ttt_attention_cuda_mma = {
    .name = "tensor_cores",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
