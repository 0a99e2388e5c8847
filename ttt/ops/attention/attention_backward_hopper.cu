/* The row "hopper" of attention_backward, for heads whose keys all fit a block.
 *
 * Blocks stay and take head after head.  One warp loads; two warps compute `shared`, the sum over d of (dy
 * y); two warpgroups own 128 keys each, as two halves of 64, whose dk and dv they keep in registers.  They go
 * over the head's queries, 64 at a time, with scores transposed, so that keys are rows: weights and the
 * gradients of scores, `slopes`, are left operands as they come from the tensor cores.  Slopes also go to
 * shared memory, where one group, the other the next time, takes all that dq needs, while the next tile's
 * products begin.
 *
 * Read: q, k, v, y, dy once; written: dq, dk, dv.
 */
#include "ttt/ops/attention/attention_backward_hopper_products.cuh"

/* What a warpgroup of workers keeps from head to head. */
struct worker {
    int number;
    int head;
    place keys, queries;
};

/* Gradients of a worker's keys, by halves. */
struct key_gradients {
    float k[2][32], v[2][32];
};

#if TTT_HOPPER

/* Gradients of a worker's keys, by way of the rows that keys or values had. */
static __device__ inline void write_key_gradients(const head_problem &p, const CUtensorMap &map, bool writes,
                                                  const worker &w, tile_row *rows, const float (&c)[2][32],
                                                  float scale)
{
#pragma unroll
    for (int u = 0; u < 2; u++) {
        const int row = w.number * OWN_KEYS + u * HALF + warp_of_group() * WARP_ROWS;
        operand_pairs pairs;
        pack(pairs, c[u], scale);
        put_rows(&rows[row], pairs);
        send_rows(p, map, writes, &rows[row], row, w.head);
    }
}

/* Whether it is this worker that multiplies the slopes of the tile whose first query is `first`. */
static __device__ inline bool has_turn(const worker &w, int first)
{
    return first / QUERIES % WORKERS == w.number;
}

/* Where the groups meet when the slopes of the tile whose first query is `first` have been read.  By turns
 * one of two: a group may be a tile ahead of the other. */
static __device__ inline int slopes_are_read(int first)
{
    return SLOPES_ARE_READ + first / QUERIES % 2;
}

/* What the worker's half U contributes to a tile's queries and is given by them.  On the way dq of the tile
 * before, if that is due. */
template <int U>
static __device__ inline void add_half(const head_problem &p, shared &m, const worker &w, key_gradients &own,
                                       int first)
{
    const int first_key = w.number * OWN_KEYS + U * HALF;
    const unsigned stage = w.queries.at;
    const tile_row *k = m.k[w.keys.at], *v = m.v[w.keys.at] + first_key;
    const bool is_due = U == 0 && first > 0 && has_turn(w, first - QUERIES);
    float weights[32], slopes[32];
    operand_pairs pairs, slope_pairs;
    multiply_rows(weights, k + first_key, m.q[stage]);
    if (is_due) {
        warpgroups_sync(SLOPES_ARE_WRITTEN);
        multiply_slopes(slopes, m, k);
    } else {
        multiply_rows(slopes, v, m.dy[stage]);
    }
    products_wait<1>(weights);
    if (U == 0) {
        if (first > 0)
            barrier_arrive(&m.empty[before(w.queries)]);
        barrier_wait(&m.known[stage], w.queries.phase);
    }
    weigh(weights, m.log_sum[stage], p.scale * (float)M_LOG2E, p.keys - first_key);
    pack(pairs, weights);
    add_weighted_rows(own.v[U], pairs, m.dy[stage], first > 0);
    products_wait<1>(slopes);
    if (is_due) {
        warpgroup_sync(OF_WORKER + w.number);
        warpgroups_arrive(slopes_are_read(first - QUERIES));
        write_query_gradient(p, m, slopes, w.head, first - QUERIES);
        multiply_rows(slopes, v, m.dy[stage]);
        products_wait<0>(slopes);
    } else if (U == 0 && first > 0) {
        warpgroups_sync(slopes_are_read(first - QUERIES));
    }
    slope(slopes, weights, m.shared[stage]);
    pack(slope_pairs, slopes);
    put_rows(&m.slopes[first_key + warp_of_group() * WARP_ROWS], slope_pairs);
    products_wait<0>(own.v[U]); /* done by now: its left operands' registers are free */
    add_weighted_rows(own.k[U], slope_pairs, m.q[stage], first > 0);
}

/* A tile of queries; its slopes are then written. */
static __device__ inline void add_tile(const head_problem &p, shared &m, const worker &w, key_gradients &own,
                                       int first)
{
    barrier_wait(&m.full[w.queries.at], w.queries.phase);
    add_half<0>(p, m, w, own, first);
    add_half<1>(p, m, w, own, first);
    stores_have_read<0>(); /* whose turn is next may write over this dq */
    if (first == 0 && w.head >= (int)gridDim.x)
        barrier_arrive(&m.keys_empty[w.keys.at ^ 1]);
    if (!has_turn(w, first))
        warpgroups_arrive(SLOPES_ARE_WRITTEN);
}

/* After the tiles of a head, the last of which ends at query `end`: dq of the last, then dk and dv. */
static __device__ inline void finish_head(const head_problem &p, shared &m, const worker &w,
                                          key_gradients &own, int end)
{
    tile_row *k = m.k[w.keys.at], *v = m.v[w.keys.at];
    products_wait<0>(own.v[0]);
    products_wait<0>(own.v[1]);
    warpgroup_sync(OF_WORKER + w.number);
    write_key_gradients(p, p.dv, p.writes_dv, w, v, own.v, 1);
    if (has_turn(w, end - QUERIES)) {
        float dq[32];
        warpgroups_sync(SLOPES_ARE_WRITTEN);
        multiply_slopes(dq, m, k);
        products_wait<0>(dq);
        warpgroup_sync(OF_WORKER + w.number);
        warpgroups_arrive(slopes_are_read(end - QUERIES));
        write_query_gradient(p, m, dq, w.head, end - QUERIES);
    } else {
        warpgroups_sync(slopes_are_read(end - QUERIES));
    }
    products_wait<0>(own.k[0]);
    products_wait<0>(own.k[1]);
    barrier_arrive(&m.empty[before(w.queries)]);
    write_key_gradients(p, p.dk, p.writes_dk, w, k, own.k, p.scale);
}

static __device__ void work_on_all(const head_problem &p, shared &m, int number)
{
    worker w = {number, (int)blockIdx.x};
    for (; w.head < p.all; w.head += (int)gridDim.x, move_on<2>(w.keys)) {
        key_gradients own;
        int first = 0;
        barrier_wait(&m.keys_full[w.keys.at], w.keys.phase);
        for (; first < p.queries; first += QUERIES, move_on<STAGES>(w.queries))
            add_tile(p, m, w, own, first);
        finish_head(p, m, w, own, first);
    }
    stores_have_read<0>();
}

#endif

static __global__ void __launch_bounds__(THREADS, 1) head_gradient(const __grid_constant__ head_problem p)
{
#if TTT_HOPPER
    extern __shared__ __align__(TILE_ALIGNMENT) unsigned char dynamic[];
    shared &m = *reinterpret_cast<shared *>(dynamic);
    const int group = (int)threadIdx.x / WARPGROUP, warp = (int)threadIdx.x / WARP;
    if (threadIdx.x == 0)
        init_barriers(m);
    __syncthreads();
    if (group == 0) {
        leave_registers<24>();
        if (threadIdx.x == 0)
            load_all(p, m);
        else if (warp > 0 && warp <= KNOWING_WARPS)
            know_all(p, m, warp - 1);
    } else {
        take_registers<240>();
        work_on_all(p, m, group - 1);
    }
#else
    (void)p;
    __trap();
#endif
}

/* ---- the row ---- */

static bool have_boxes(const ttt_launch *launch)
{
    bool all = true;
    for (int i = 0; i < launch->n_in; i++)
        all = all && (i == ATTENTION_LOG_SUM || has_boxes(&launch->in[i], i >= ATTENTION_Y));
    for (int i = 0; i < launch->n_out; i++)
        all = all && has_boxes(&launch->out[i], true);
    return all;
}

static bool are_bf16(const ttt_launch *launch)
{
    bool all = true;
    for (int i = 0; i < launch->n_in; i++)
        all = all && (i == ATTENTION_LOG_SUM || launch->in[i].dtype == TTT_BF16);
    for (int i = 0; i < launch->n_out; i++)
        all = all && launch->out[i].dtype == TTT_BF16;
    return all;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const attention_sizes n = attention_sizes_of(launch);
    if (!are_bf16(launch))
        *why = "all operands but log_sum must be bf16";
    else if (ttt_cuda_capability(launch->device) != 90)
        *why = "the GPU is not of compute capability 9.0";
    else if (n.d > MOST_WIDTH || n.d % 8)
        *why = "heads are wider than 64, or no multiple of 8";
    else if (n.keys < FEWEST_KEYS || n.keys > KEYS)
        *why = "heads have fewer than 65 keys, or more than 256";
    else if (n.queries >> 30 || n.batch_heads >> 30)
        *why = "there are 2^30 queries or heads";
    else if (!have_boxes(launch))
        *why = "rows are no multiples of 16 bytes apart";
    else
        return true;
    return false;
}

/* Of an output, which nobody may read. */
static ttt_status output_map_of(const ttt_operand *x, CUtensorMap *map, bool *is_written)
{
    *is_written = x->data != NULL;
    return x->data ? map_of(x, true, WARP_ROWS, map) : TTT_OK;
}

/* With data that copies cannot begin at, the next row's kernels do it. */
static ttt_status run(const ttt_launch *launch)
{
    if (!have_boxes(launch))
        return ttt_attention_backward_cuda_mma.run(launch);
    const ttt_operand *in = launch->in, *out = launch->out;
    const attention_sizes n = attention_sizes_of(launch);
    head_problem p = {.log_sum = static_cast<const float *>(in[ATTENTION_LOG_SUM].data),
                      .heads = (int)n.heads,
                      .all = (int)n.batch_heads,
                      .queries = (int)n.queries,
                      .keys = (int)n.keys,
                      .scale = n.scale};
    TRY(map_of(&in[ATTENTION_Q], false, QUERIES, &p.q));
    TRY(map_of(&in[ATTENTION_K], false, KEYS, &p.k));
    TRY(map_of(&in[ATTENTION_V], false, KEYS, &p.v));
    TRY(map_of(&in[ATTENTION_Y], true, WARP, &p.y));
    TRY(map_of(&in[ATTENTION_DY], true, QUERIES, &p.dy));
    TRY(output_map_of(&out[0], &p.dq, &p.writes_dq));
    TRY(output_map_of(&out[1], &p.dk, &p.writes_dk));
    TRY(output_map_of(&out[2], &p.dv, &p.writes_dv));
    const int most = ttt_cuda_multiprocessors(launch->device);
    return enqueue(launch, head_gradient, dim3((unsigned)(p.all < most ? p.all : most)), THREADS,
                   sizeof(shared), p);
}

extern "C" const ttt_implementation ttt_attention_backward_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = attention_backward_workspace,
    .run = run,
};
