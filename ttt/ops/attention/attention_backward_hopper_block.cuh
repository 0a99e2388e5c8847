/* The block of attention's gradient on Hopper: what it shares, what its loading warp brings there, and what
 * two other warps know of each query. */
#ifndef TTT_OPS_ATTENTION_ATTENTION_BACKWARD_HOPPER_BLOCK_CUH
#define TTT_OPS_ATTENTION_ATTENTION_BACKWARD_HOPPER_BLOCK_CUH

#include "ttt/ops/attention/attention_hopper.cuh"

enum {
    MOST_WIDTH = TILE_ROW,
    HALF = 64, /* keys that are multiplied at a time */
    WORKERS = 2,
    OWN_KEYS = 2 * HALF,
    KEYS = WORKERS * OWN_KEYS,
    FEWEST_KEYS = HALF + 1,
    QUERIES = 64,                   /* of a tile */
    STAGES = 3,                     /* tiles of queries */
    KNOWING_WARPS = QUERIES / WARP, /* those that compute statistics: a lane for each query */
    WORKING_WARPS = WORKERS * WARPGROUP / WARP,
    THREADS = (1 + WORKERS) * WARPGROUP,
};

/* Barriers of threads. */
enum { SLOPES_ARE_WRITTEN = 1, SLOPES_ARE_READ, OF_WORKER = SLOPES_ARE_READ + 2 };

/* Keys and values twice: those in use and those that arrive. */
struct __align__(TILE_ALIGNMENT) shared
{
    tile_row k[2][KEYS], v[2][KEYS], slopes[KEYS];
    tile_row q[STAGES][QUERIES], dy[STAGES][QUERIES], y[QUERIES], dq[QUERIES];
    float log_sum[STAGES][QUERIES], shared[STAGES][QUERIES]; /* to base 2; sum over d of (dy y) */
    uint64_t keys_full[2], keys_empty[2], full[STAGES], empty[STAGES], known[STAGES], y_full[KNOWING_WARPS];
};

struct head_problem {
    CUtensorMap q, k, v, y, dy, dq, dk, dv;
    const float *log_sum;                 /* (B, H, M) */
    bool writes_dq, writes_dk, writes_dv; /* those that are not read later have no map */
    int heads, all;                       /* H, B * H */
    int queries, keys;
    float scale; /* of q . k */
};

/* A tile of queries: its head, and its first query. */
struct query_tile {
    int head, first;
};

#if TTT_HOPPER

/* Of queries: the buffer before this one. */
static __device__ inline unsigned before(const place &p)
{
    return (p.at + STAGES - 1) % STAGES;
}

static __device__ inline head_place place_of(const head_problem &p, int head)
{
    return {head % p.heads, head / p.heads};
}

static __device__ inline query_tile after(const head_problem &p, query_tile tile)
{
    tile.first += QUERIES;
    if (tile.first < p.queries)
        return tile;
    return {tile.head + (int)gridDim.x, 0};
}

/* Every lane arrives for itself: what a thread reads and writes is then ordered for itself, which
 * compute-sanitizer can follow. */
static __device__ inline void init_barriers(shared &m)
{
    for (int i = 0; i < 2; i++) {
        barrier_init(&m.keys_full[i], 1);
        barrier_init(&m.keys_empty[i], WORKING_WARPS * WARP);
    }
    for (int i = 0; i < STAGES; i++) {
        barrier_init(&m.full[i], 1);
        barrier_init(&m.empty[i], WORKING_WARPS * WARP);
        barrier_init(&m.known[i], KNOWING_WARPS * WARP);
    }
    for (int i = 0; i < KNOWING_WARPS; i++)
        barrier_init(&m.y_full[i], 1);
    barriers_are_ready();
}

/* ---- what arrives ---- */

static __device__ void load_all(const head_problem &p, shared &m)
{
    place keys = {0, 1}, queries = {0, 1};
    for (int i = (int)blockIdx.x; i < p.all; i += (int)gridDim.x, move_on<2>(keys)) {
        const head_place at = place_of(p, i);
        uint64_t *full = &m.keys_full[keys.at];
        barrier_wait(&m.keys_empty[keys.at], keys.phase);
        barrier_expect(full, sizeof m.k[0] + sizeof m.v[0]);
        load_box(m.k[keys.at], &p.k, full, 0, 0, at.head, at.sample);
        load_box(m.v[keys.at], &p.v, full, 0, 0, at.head, at.sample);
        for (int first = 0; first < p.queries; first += QUERIES, move_on<STAGES>(queries)) {
            full = &m.full[queries.at];
            barrier_wait(&m.empty[queries.at], queries.phase);
            barrier_expect(full, sizeof m.q[0] + sizeof m.dy[0]);
            load_box(m.q[queries.at], &p.q, full, 0, first, at.head, at.sample);
            load_box(m.dy[queries.at], &p.dy, full, 0, first, at.head, at.sample);
        }
    }
}

/* ---- a query's statistics ---- */

static __device__ inline void load_y(const head_problem &p, shared &m, int part, query_tile tile)
{
    const head_place at = place_of(p, tile.head);
    barrier_expect(&m.y_full[part], WARP * sizeof(tile_row));
    load_box(m.y[part * WARP], &p.y, &m.y_full[part], 0, tile.first + part * WARP, at.head, at.sample);
}

/* The inner product of two tiles' row `row`; neighbouring lanes begin in other banks. */
static __device__ inline float row_product(const tile_row &x, const tile_row &y, int row)
{
    float sum = 0;
#pragma unroll 1
    for (int i = 0; i < TILE_ROW; i += 4) {
        const int at = i ^ row % 8 * 8;
        float a[4], b[4];
        load(&x[at], a);
        load(&y[at], b);
#pragma unroll
        for (int j = 0; j < 4; j++)
            sum += a[j] * b[j];
    }
    return sum;
}

/* Queries past the end are given weights of 0. */
static __device__ void know_all(const head_problem &p, shared &m, int part)
{
    const int lane = lane_of_warp(), row = part * WARP + lane;
    query_tile tile = {(int)blockIdx.x, 0};
    unsigned phase = 0;
    if (lane == 0)
        load_y(p, m, part, tile);
    for (place at = {0, 0}; tile.head < p.all; move_on<STAGES>(at), phase ^= 1) {
        const float log_sum = tile.first + row < p.queries
                                  ? p.log_sum[(int64_t)tile.head * p.queries + tile.first + row]
                                  : INFINITY;
        barrier_wait(&m.y_full[part], phase);
        barrier_wait(&m.full[at.at], at.phase);
        m.shared[at.at][row] = row_product(m.y[row], m.dy[at.at][row], row);
        m.log_sum[at.at][row] = log_sum * (float)M_LOG2E;
        tile = after(p, tile);
        barrier_arrive(&m.known[at.at]);
        if (lane == 0 && tile.head < p.all)
            load_y(p, m, part, tile);
    }
}

#endif
#endif
