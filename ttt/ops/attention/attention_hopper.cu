/* The row "hopper" of attention, for many queries and keys.
 *
 * Blocks stay and take tile after tile of 192 queries of a head: all whole tiles, then what is left of heads.
 * One warp loads; three warpgroups own 64 queries each and go over the head's keys, 128 at a time.  Weights
 * are left operands as they come from the tensor cores.  A group orders the first half of a tile's values,
 * scores with the next tile's keys, and the second half; with the scores there, it computes the first half of
 * the next weights while the second half of values is added.  The other groups keep the tensor cores busy
 * meanwhile.
 *
 * Read: q once, k and v once for each tile (from the second-level cache); written: y, log_sum.
 */
#include "ttt/ops/attention/attention_hopper_block.cuh"

/* Barriers of threads. */
enum { OF_WORKER = 1 };

/* What a warpgroup keeps from tile to tile. */
struct worker {
    int number;
    place queries, keys, values;
};

#if TTT_HOPPER

/* s = the scores of a worker's queries with a tile's keys. */
static __device__ inline void order_scores(tile_scores &s, const tile_row *q, const tile_row *k)
{
    const uint64_t a = tile_operand(q), b = tile_operand(k);
#pragma unroll
    for (int i = 0; i < TILE_ROW / 16; i++)
        multiply_tiles<KEYS, false>(s, a + i * NEXT_16_COLUMNS, b + i * NEXT_16_COLUMNS, i > 0);
    products_commit();
}

/* Adds the values of half a tile's keys to y, each with its weight. */
static __device__ inline void order_values(query_rows &own, const half_weights &weights, const tile_row *v)
{
#pragma unroll
    for (int i = 0; i < CHUNKS; i++)
        multiply_by_tile(own.y, weights[i], tile_operand(v) + i * NEXT_16_ROWS, true);
    products_commit();
}

/* Arrives once for all lanes. */
static __device__ inline void warp_arrive(uint64_t *barrier)
{
    __syncwarp();
    if (lane_of_warp() == 0)
        barrier_arrive(barrier);
}

static __device__ inline void leave_keys(shared &m, worker &w)
{
    warp_arrive(&m.k_empty[w.keys.at]);
    move_on<STAGES>(w.keys);
}
static __device__ inline void leave_values(shared &m, worker &w)
{
    warp_arrive(&m.v_empty[w.values.at]);
    move_on<STAGES>(w.values);
}

/* Leaves the queries before these, once what was written over them is on its way. */
static __device__ inline void leave_queries_before(shared &m, const worker &w)
{
    __syncwarp();
    if (lane_of_warp() != 0)
        return;
    stores_have_read<0>();
    barrier_arrive(&m.q_empty[w.queries.at ^ 1]);
}

/* Weights of the first keys, and the references. */
static __device__ inline void begin_rows(const attention_problem &p, shared &m, worker &w, query_rows &own,
                                         half_weights (&weights)[2], const tile_row *q)
{
    tile_scores s;
    barrier_wait(&m.k_full[w.keys.at], w.keys.phase);
    products_begin();
    order_scores(s, q, m.k[w.keys.at]);
    products_wait<0>(s);
    leave_keys(m, w);
    if (p.keys < KEYS)
        leave_out(s, p.keys);
    raise_references(own, s, p.slope);
    weigh<0>(weights[0], own.sum, s, own, p.slope);
    weigh<1>(weights[1], own.sum, s, own, p.slope);
}

/* Adds the values that weights are for; then these are the weights of the next keys, the last `left`. */
static __device__ inline void add_tile(const attention_problem &p, shared &m, worker &w, query_rows &own,
                                       half_weights (&weights)[2], const tile_row *q, int left)
{
    tile_scores s;
    float sum[2] = {};
    const tile_row *v = m.v[w.values.at];
    barrier_wait(&m.v_full[w.values.at], w.values.phase);
    barrier_wait(&m.k_full[w.keys.at], w.keys.phase);
    set_before_products(weights[0]);
    set_before_products(weights[1]);
    products_begin();
    order_values(own, weights[0], v);
    order_scores(s, q, m.k[w.keys.at]);
    order_values(own, weights[1], v + HALF_KEYS);
    products_wait<1>(s);
    products_have_read(weights[0]);
    leave_keys(m, w);
    if (left < KEYS)
        leave_out(s, left);
    weigh<0>(weights[0], sum, s, own, p.slope);
    bool fits = p.heads > 0;
    if (fits) { /* always: a branch, across which the compiler moves neither the wait nor what is before */
        products_wait<0>(own.y);
        products_have_read(weights[1]);
        weigh<1>(weights[1], sum, s, own, p.slope);
        fits = all_fit(sum);
    }
    if (!fits) {
        products_wait<0>(own.y);
        raise_references(own, s, p.slope);
        sum[0] = sum[1] = 0;
        weigh<0>(weights[0], sum, s, own, p.slope);
        weigh<1>(weights[1], sum, s, own, p.slope);
    }
    leave_values(m, w);
    own.sum[0] += sum[0];
    own.sum[1] += sum[1];
}

/* y and log_sum of a worker's rows; y by way of the queries' own. */
static __device__ inline void finish_rows(const attention_problem &p, shared &m, const worker &w,
                                          query_rows &own, tile_row *q, const query_tile &tile)
{
    const int row = warp_of_group() * WARP_ROWS, lane = lane_of_warp();
    operand_pairs pairs;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const float sum = sum_of_lanes(own.sum[half]), factor = 1 / sum;
        const int query = tile.first + w.number * OWN_QUERIES + row + lane / 4 + 8 * half;
        if (p.log_sum && lane % 4 == 0 && query < p.queries)
            p.log_sum[(int64_t)tile.head * p.queries + query] =
                (own.reference[half] + log2f(sum)) * (float)M_LN2;
#pragma unroll
        for (int i = 0; i < 32; i++)
            if (i / 2 % 2 == half)
                own.y[i] *= factor;
    }
    pack(pairs, own.y);
    warpgroup_sync(OF_WORKER + w.number); /* all have read the queries */
    put_rows(&q[row], pairs);
    __syncwarp();
    if (lane != 0)
        return;
    store_box(&p.y, &q[row], 0, tile.first + w.number * OWN_QUERIES + row, tile.head % p.heads,
              tile.head / p.heads);
    stores_commit();
}

static __device__ inline void attend_tile(const attention_problem &p, shared &m, worker &w,
                                          const query_tile &tile, bool is_first)
{
    tile_row *q = &m.q[w.queries.at][w.number * OWN_QUERIES];
    query_rows own = {.y = {}, .reference = {-INFINITY, -INFINITY}, .sum = {}};
    half_weights weights[2];
    barrier_wait(&m.q_full[w.queries.at], w.queries.phase);
    begin_rows(p, m, w, own, weights, q);
    if (!is_first)
        leave_queries_before(m, w);
    for (int left = p.keys - KEYS; left > 0; left -= KEYS)
        add_tile(p, m, w, own, weights, q, left);
    barrier_wait(&m.v_full[w.values.at], w.values.phase);
    set_before_products(weights[0]);
    set_before_products(weights[1]);
    products_begin();
    order_values(own, weights[0], m.v[w.values.at]);
    order_values(own, weights[1], m.v[w.values.at] + HALF_KEYS);
    products_wait<0>(own.y);
    products_have_read(weights[0]);
    products_have_read(weights[1]);
    leave_values(m, w);
    finish_rows(p, m, w, own, q, tile);
}

/* A tile in which the worker has no queries. */
static __device__ inline void pass_tile(const attention_problem &p, shared &m, worker &w, bool is_first)
{
    for (int first = 0; first < p.keys; first += KEYS) {
        barrier_wait(&m.k_full[w.keys.at], w.keys.phase);
        leave_keys(m, w);
        barrier_wait(&m.v_full[w.values.at], w.values.phase);
        leave_values(m, w);
        if (first == 0 && !is_first)
            leave_queries_before(m, w);
    }
}

static __device__ void attend_all(const attention_problem &p, shared &m, int number)
{
    worker w = {number};
    for (int i = (int)blockIdx.x; i < tiles_of(p); i += (int)gridDim.x, move_on<2>(w.queries)) {
        const query_tile tile = tile_at(p, i);
        const bool is_first = i == (int)blockIdx.x;
        if (tile.first + number * OWN_QUERIES < p.queries)
            attend_tile(p, m, w, tile, is_first);
        else
            pass_tile(p, m, w, is_first);
    }
    stores_have_read<0>();
}

#endif

static __global__ void __launch_bounds__(THREADS, 1) attend(const __grid_constant__ attention_problem p)
{
#if TTT_HOPPER
    extern __shared__ __align__(TILE_ALIGNMENT) unsigned char dynamic[];
    shared &m = *reinterpret_cast<shared *>(dynamic);
    const int group = __shfl_sync(0xffffffffu, (int)threadIdx.x / WARPGROUP, 0); /* known to be a warp's */
    if (threadIdx.x == 0)
        init_barriers(m);
    __syncthreads();
    /* 128 registers of 512 threads, given out anew: 32 + 3 * 160 = 4 * 128 */
    if (group == 0) {
        leave_registers<32>();
        if (threadIdx.x == 0)
            load_all(p, m);
    } else {
        take_registers<160>();
        attend_all(p, m, group - 1);
    }
#else
    (void)p;
    __trap();
#endif
}

/* ---- the row ---- */

static bool have_boxes(const ttt_launch *launch)
{
    bool all = has_boxes(&launch->out[0], true);
    for (int i = 0; i < launch->n_in; i++)
        all = all && has_boxes(&launch->in[i], false);
    return all;
}

static bool are_bf16(const ttt_launch *launch)
{
    bool all = launch->out[0].dtype == TTT_BF16;
    for (int i = 0; i < launch->n_in; i++)
        all = all && launch->in[i].dtype == TTT_BF16;
    return all;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const attention_sizes n = attention_sizes_of(launch);
    if (!are_bf16(launch))
        *why = "q, k, v and y must be bf16";
    else if (ttt_cuda_capability(launch->device) != 90)
        *why = "the GPU is not of compute capability 9.0";
    else if (n.d != TILE_ROW)
        *why = "heads are not 64 wide";
    else if (n.keys < FEWEST_KEYS)
        *why = "heads have fewer than 512 keys";
    else if (n.keys >> 30 || n.queries >> 30 || n.batch_heads * (n.queries / QUERIES + 1) >> 30)
        *why = "there are 2^30 queries, keys or tiles";
    else if (n.batch_heads * (int64_t)blocks_for(n.queries, QUERIES) <
             ttt_cuda_multiprocessors(launch->device))
        *why = "there are fewer tiles of 192 queries than multiprocessors";
    else if (!have_boxes(launch))
        *why = "rows are no multiples of 16 bytes apart";
    else
        return true;
    return false;
}

/* With data that copies cannot begin at, another row's kernel does it. */
static ttt_status run(const ttt_launch *launch)
{
    if (!have_boxes(launch))
        return ttt_attention_cuda_mma.run(launch);
    const ttt_operand *in = launch->in, *out = launch->out;
    const attention_sizes n = attention_sizes_of(launch);
    attention_problem p = {.log_sum = static_cast<float *>(out[1].data),
                           .heads = (int)n.heads,
                           .all = (int)n.batch_heads,
                           .queries = (int)n.queries,
                           .keys = (int)n.keys,
                           .slope = n.scale * (float)M_LOG2E};
    TRY(map_of(&in[ATTENTION_Q], false, QUERIES, &p.q));
    TRY(map_of(&in[ATTENTION_K], false, KEYS, &p.k));
    TRY(map_of(&in[ATTENTION_V], false, KEYS, &p.v));
    TRY(map_of(&out[0], true, WARP_ROWS, &p.y));
    const int most = ttt_cuda_multiprocessors(launch->device), tiles = tiles_of(p);
    return enqueue(launch, attend, dim3((unsigned)(tiles < most ? tiles : most)), THREADS, sizeof(shared), p);
}

extern "C" const ttt_implementation ttt_attention_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
