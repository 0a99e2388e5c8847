/* What a warpgroup of attention's gradient on Hopper does with 64 x 64 scores: products, weights, slopes, and
 * their way out. */
#ifndef TTT_OPS_ATTENTION_ATTENTION_BACKWARD_HOPPER_PRODUCTS_CUH
#define TTT_OPS_ATTENTION_ATTENTION_BACKWARD_HOPPER_PRODUCTS_CUH

#include "ttt/ops/attention/attention_backward_hopper_block.cuh"

#if TTT_HOPPER

/* c = a b over 16 STEPS columns of both tiles, or rows of both if TRANSPOSED. */
template <bool TRANSPOSED, int STEPS>
static __device__ inline void multiply_over(float (&c)[32], const tile_row *left, const tile_row *right)
{
    constexpr int next = TRANSPOSED ? NEXT_16_ROWS : NEXT_16_COLUMNS;
    const uint64_t a = tile_operand(left), b = tile_operand(right);
    products_begin();
    multiply_tiles<TRANSPOSED, false>(c, a, b);
#pragma unroll
    for (int i = 1; i < STEPS; i++)
        multiply_tiles<TRANSPOSED, true>(c, a + i * next, b + i * next);
    products_commit();
}

/* c = the products of 64 rows of one tile with 64 rows of another. */
static __device__ inline void multiply_rows(float (&c)[32], const tile_row *rows, const tile_row *columns)
{
    multiply_over<false, TILE_ROW / 16>(c, rows, columns);
}

/* c = the sum of 64 rows, each with weights for every row of c; added to c if `adds`. */
static __device__ inline void add_weighted_rows(float (&c)[32], operand_pairs &weights, const tile_row *rows,
                                                bool adds)
{
    set_before_products(weights);
    products_begin();
#pragma unroll
    for (int i = 0; i < HALF / 16; i++)
        multiply_by_tile(c, weights[i], tile_operand(rows) + i * NEXT_16_ROWS, adds || i > 0);
    products_commit();
}

/* c = dq of the tile that slopes are of, not yet scaled. */
static __device__ inline void multiply_slopes(float (&c)[32], const shared &m, const tile_row *k)
{
    multiply_over<true, KEYS / 16>(c, m.slopes, k);
}

/* The statistics of the queries of columns 8 j to 8 j + 7 that a lane has: those of c[i] at i % 2. */
static __device__ inline void load_statistics(float (&of)[2], const float *statistics, int j)
{
    load(statistics + 8 * j + lane_of_warp() % 4 * 2, of);
}

/* Scores become weights; those of keys past the `left` that there are, 0. */
static __device__ inline void weigh(float (&c)[32], const float *log_sums, float scale, int left)
{
#pragma unroll
    for (int j = 0; j < 8; j++) {
        float log_sum[2];
        load_statistics(log_sum, log_sums, j);
#pragma unroll
        for (int i = 0; i < 4; i++)
            c[4 * j + i] = exp2_approximate(c[4 * j + i] * scale - log_sum[i % 2]);
    }
    if (left >= HALF)
        return;
    left -= warp_of_group() * WARP_ROWS + lane_of_warp() / 4;
#pragma unroll
    for (int i = 0; i < 32; i++)
        if (i / 2 % 2 * 8 >= left)
            c[i] = 0;
}

/* Gradients of the weights become those of the scores. */
static __device__ inline void slope(float (&c)[32], const float (&weights)[32], const float *shares)
{
#pragma unroll
    for (int j = 0; j < 8; j++) {
        float shared[2];
        load_statistics(shared, shares, j);
#pragma unroll
        for (int i = 0; i < 4; i++)
            c[4 * j + i] = weights[4 * j + i] * (c[4 * j + i] - shared[i % 2]);
    }
}

/* ---- what leaves ---- */

/* A warp's 16 rows on their way to the tensor's rows from `row` on. */
static __device__ inline void send_rows(const head_problem &p, const CUtensorMap &map, bool writes,
                                        const tile_row *rows, int row, int head)
{
    __syncwarp();
    if (lane_of_warp() != 0 || !writes)
        return;
    const head_place at = place_of(p, head);
    store_box(&map, rows, 0, row, at.head, at.sample);
    stores_commit();
}

static __device__ inline void write_query_gradient(const head_problem &p, shared &m, const float (&c)[32],
                                                   int head, int first)
{
    const int row = warp_of_group() * WARP_ROWS;
    operand_pairs pairs;
    pack(pairs, c, p.scale);
    put_rows(&m.dq[row], pairs);
    send_rows(p, p.dq, p.writes_dq, &m.dq[row], first + row, head);
}

#endif
#endif
