/* "attention" on CUDA for any type and width, in f32: a warp for each query.  Reads q once, k and v once for
 * each block of queries, and writes y. */
#include "ttt/ops/attention/attention_cuda_rows.cuh"

enum { VECTORS = 2 }; /* q and y */

static __global__ void attend(attention_heads q, attention_heads k, attention_heads v, attention_heads y,
                              float *log_sum, attention_sizes n, int blocks)
{
    DYNAMIC_SHARED(float, vectors);
    const int warp = (int)threadIdx.x / WARP, warps = (int)blockDim.x / WARP, lane = (int)threadIdx.x % WARP;
    const int64_t i = blockIdx.x / blocks, query = (int64_t)(blockIdx.x % blocks) * warps + warp;
    float *own = vectors + warp * VECTORS * n.d, *mean = own + n.d;
    float largest = -INFINITY, sum = 0;
    read_row(own, rows_from(q, n, i, query, n.queries), n.d);
    for (int c = lane; c < n.d; c += WARP)
        mean[c] = 0;
    for (int64_t key = 0; key < n.keys; key += WARP) {
        const float product = product_with(rows_from(k, n, i, key, n.keys), own, n.d);
        const float score = key + lane < n.keys ? product * n.scale : -INFINITY;
        const float most = fmaxf(largest, warp_max(score)), weight = expf(score - most),
                    factor = expf(largest - most);
        largest = most;
        sum = sum * factor + warp_sum(weight);
        add_rows(mean, factor, weight, rows_from(v, n, i, key, n.keys), n.d);
    }
    write_row(y, rows_from(y, n, i, query, n.queries), mean, 1 / sum, n.d);
    if (log_sum && lane == 0 && query < n.queries)
        log_sum[i * n.queries + query] = largest + logf(sum);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (!warps_that_fit(launch, VECTORS)) {
        *why = "a head's width exceeds shared memory";
        return false;
    }
    return ttt_all_f32_or_bf16(launch, why);
}

static ttt_status run(const ttt_launch *launch)
{
    const attention_sizes n = attention_sizes_of(launch);
    const int warps = warps_that_fit(launch, VECTORS);
    const unsigned blocks = blocks_for(n.queries, warps);
    return enqueue(launch, attend, dim3((unsigned)n.batch_heads * blocks), warps * WARP,
                   sizeof(float) * warps * VECTORS * n.d, attention_heads_of(&launch->in[ATTENTION_Q], false),
                   attention_heads_of(&launch->in[ATTENTION_K], false),
                   attention_heads_of(&launch->in[ATTENTION_V], false),
                   attention_heads_of(&launch->out[0], true), (float *)launch->out[1].data, n, (int)blocks);
}

extern "C" const ttt_implementation ttt_attention_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
