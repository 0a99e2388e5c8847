/* "attention_backward" on CUDA for any type and width, in f32: a warp for each query gives dq and the sum
 * over d of (dy y), `shared` (B, H, M) in the workspace; then a warp for each key gives dk and dv. */
#include "ttt/ops/attention/attention_cuda_rows.cuh"

enum { VECTORS = 4 };

static __global__ void query_gradient(attention_sources from, attention_heads dq, int blocks)
{
    DYNAMIC_SHARED(float, vectors);
    const attention_sizes &n = from.n;
    const int warp = (int)threadIdx.x / WARP, warps = (int)blockDim.x / WARP, lane = (int)threadIdx.x % WARP;
    const int64_t i = blockIdx.x / blocks, query = (int64_t)(blockIdx.x % blocks) * warps + warp;
    float *q = vectors + warp * VECTORS * n.d, *dy = q + n.d, *gradient = dy + n.d, shared = 0;
    read_row(gradient, rows_from(from.y, n, i, query, n.queries), n.d);
    read_row(q, rows_from(from.q, n, i, query, n.queries), n.d);
    read_row(dy, rows_from(from.dy, n, i, query, n.queries), n.d);
    for (int c = 0; c < n.d; c++) /* in product_with's order: with one key, slopes are 0 to the last bit */
        shared += gradient[c] * dy[c];
    __syncwarp();
    for (int c = lane; c < n.d; c += WARP)
        gradient[c] = 0;
    const float log_sum = query < n.queries ? from.log_sum[i * n.queries + query] : 0;
    for (int64_t key = 0; key < n.keys; key += WARP) {
        const attention_rows keys = rows_from(from.k, n, i, key, n.keys);
        const float product = product_with(keys, q, n.d);
        const float slope = product_with(rows_from(from.v, n, i, key, n.keys), dy, n.d);
        add_rows(gradient, 1, expf(product * n.scale - log_sum) * (slope - shared), keys, n.d);
    }
    write_row(dq, rows_from(dq, n, i, query, n.queries), gradient, n.scale, n.d);
    if (lane == 0 && query < n.queries)
        from.shared[i * n.queries + query] = shared;
}

static __global__ void key_gradient(attention_sources from, attention_heads dk, attention_heads dv,
                                    int blocks)
{
    DYNAMIC_SHARED(float, vectors);
    const attention_sizes &n = from.n;
    const int warp = (int)threadIdx.x / WARP, warps = (int)blockDim.x / WARP, lane = (int)threadIdx.x % WARP;
    const int64_t i = blockIdx.x / blocks, key = (int64_t)(blockIdx.x % blocks) * warps + warp;
    float *k = vectors + warp * VECTORS * n.d, *v = k + n.d, *k_gradient = v + n.d,
          *v_gradient = k_gradient + n.d;
    read_row(k, rows_from(from.k, n, i, key, n.keys), n.d);
    read_row(v, rows_from(from.v, n, i, key, n.keys), n.d);
    for (int c = lane; c < n.d; c += WARP)
        k_gradient[c] = v_gradient[c] = 0;
    for (int64_t query = 0; query < n.queries; query += WARP) {
        const attention_rows q = rows_from(from.q, n, i, query, n.queries),
                             dy = rows_from(from.dy, n, i, query, n.queries);
        const bool valid = query + lane < n.queries;
        const int64_t at = i * n.queries + query + lane;
        const float log_sum = valid ? from.log_sum[at] : 0, shared = valid ? from.shared[at] : 0;
        const float weight = expf(product_with(q, k, n.d) * n.scale - log_sum);
        const float slope = weight * (product_with(dy, v, n.d) - shared);
        add_rows(k_gradient, 1, slope, q, n.d);
        add_rows(v_gradient, 1, weight, dy, n.d);
    }
    write_row(dk, rows_from(dk, n, i, key, n.keys), k_gradient, n.scale, n.d);
    write_row(dv, rows_from(dv, n, i, key, n.keys), v_gradient, 1, n.d);
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
    const attention_sources from = attention_sources_of(launch);
    const int warps = warps_that_fit(launch, VECTORS);
    const unsigned heads = (unsigned)from.n.batch_heads, query_blocks = blocks_for(from.n.queries, warps),
                   key_blocks = blocks_for(from.n.keys, warps);
    const size_t shared = sizeof(float) * warps * VECTORS * from.n.d;
    TRY(enqueue(launch, query_gradient, dim3(heads * query_blocks), warps * WARP, shared, from,
                attention_heads_of(&launch->out[0], true), (int)query_blocks));
    return enqueue(launch, key_gradient, dim3(heads * key_blocks), warps * WARP, shared, from,
                   attention_heads_of(&launch->out[1], true), attention_heads_of(&launch->out[2], true),
                   (int)key_blocks);
}

extern "C" const ttt_implementation ttt_attention_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = attention_backward_workspace,
    .run = run,
};
