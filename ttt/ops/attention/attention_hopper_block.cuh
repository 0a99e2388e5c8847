/* The block of attention on Hopper: its tiles, what it shares, and what its loading warp brings there. */
#ifndef TTT_OPS_ATTENTION_ATTENTION_HOPPER_BLOCK_CUH
#define TTT_OPS_ATTENTION_ATTENTION_HOPPER_BLOCK_CUH

#include "ttt/ops/attention/attention_hopper_weights.cuh"

enum {
    OWN_QUERIES = 64,
    WORKERS = 3,
    QUERIES = WORKERS * OWN_QUERIES,
    STAGES = 4, /* tiles of keys, and of values */
    WORKING_WARPS = WORKERS * WARPGROUP / WARP,
    THREADS = (1 + WORKERS) * WARPGROUP,
    FEWEST_KEYS = 4 * KEYS, /* with fewer, too little overlaps */
};

/* Queries twice: those in use, whose place y takes on its way out, and those that arrive. */
struct __align__(TILE_ALIGNMENT) shared
{
    tile_row q[2][QUERIES], k[STAGES][KEYS], v[STAGES][KEYS];
    uint64_t q_full[2], q_empty[2], k_full[STAGES], k_empty[STAGES], v_full[STAGES], v_empty[STAGES];
};

struct attention_problem {
    CUtensorMap q, k, v, y;
    float *log_sum; /* (B, H, M), or NULL */
    int heads, all; /* H, B * H */
    int queries, keys;
    float slope; /* exponent of 2 by q . k */
};

/* A tile of queries: its head, of all, and its first query. */
struct query_tile {
    int head, first;
};

static __host__ __device__ inline int tiles_of(const attention_problem &p)
{
    return p.all * ((p.queries + QUERIES - 1) / QUERIES);
}

#if TTT_HOPPER

/* Whole tiles come first: what is left of heads takes less time, and fills in at the end. */
static __device__ inline query_tile tile_at(const attention_problem &p, int i)
{
    const int whole = p.queries / QUERIES;
    if (i < whole * p.all)
        return {i / whole, i % whole * QUERIES};
    return {i - whole * p.all, whole * QUERIES};
}

static __device__ inline void init_barriers(shared &m)
{
    for (int i = 0; i < 2; i++) {
        barrier_init(&m.q_full[i], 1);
        barrier_init(&m.q_empty[i], WORKING_WARPS);
    }
    for (int i = 0; i < STAGES; i++) {
        barrier_init(&m.k_full[i], 1);
        barrier_init(&m.v_full[i], 1);
        barrier_init(&m.k_empty[i], WORKING_WARPS);
        barrier_init(&m.v_empty[i], WORKING_WARPS);
    }
    barriers_are_ready();
}

/* ---- what arrives ---- */

static __device__ void load_all(const attention_problem &p, shared &m)
{
    place queries = {0, 1}, keys = {0, 1};
    for (int i = (int)blockIdx.x; i < tiles_of(p); i += (int)gridDim.x, move_on<2>(queries)) {
        const query_tile tile = tile_at(p, i);
        const int head = tile.head % p.heads, sample = tile.head / p.heads;
        barrier_wait(&m.q_empty[queries.at], queries.phase);
        barrier_expect(&m.q_full[queries.at], sizeof m.q[0]);
        load_box(m.q[queries.at], &p.q, &m.q_full[queries.at], 0, tile.first, head, sample);
        for (int first = 0; first < p.keys; first += KEYS, move_on<STAGES>(keys)) {
            barrier_wait(&m.k_empty[keys.at], keys.phase);
            barrier_expect(&m.k_full[keys.at], sizeof m.k[0]);
            load_box(m.k[keys.at], &p.k, &m.k_full[keys.at], 0, first, head, sample);
            barrier_wait(&m.v_empty[keys.at], keys.phase);
            barrier_expect(&m.v_full[keys.at], sizeof m.v[0]);
            load_box(m.v[keys.at], &p.v, &m.v_full[keys.at], 0, first, head, sample);
        }
    }
}

#endif
#endif
