/* What a lane of attention on Hopper does with its part of 64 queries' scores with 128 keys: weights, their
 * sums, and what they are relative to.
 *
 * Weights are 2^(slope * score - reference), where the reference of a query is its largest exponent at the
 * time it was set: that of the first tile, and later only where weights have grown out of bounds.  No largest
 * score is sought otherwise.
 *
 * The special function unit takes as long for an exponential as the tensor cores for all that a score needs,
 * so that the rest is kept small.  Shah et al., "FlashAttention-3", 2024; Zadouri et al., "FlashAttention-4",
 * 2026. Polynomials for a part of the exponentials, as the latter has them, cost more than they saved here.
 */
#ifndef TTT_OPS_ATTENTION_ATTENTION_HOPPER_WEIGHTS_CUH
#define TTT_OPS_ATTENTION_ATTENTION_HOPPER_WEIGHTS_CUH

#include "ttt/ops/attention/attention_hopper.cuh"

enum { KEYS = 128 /* of a tile */, HALF_KEYS = KEYS / 2, CHUNKS = HALF_KEYS / 16 };

/* What a tile's weights of a lane may sum up to.  Any number serves that leaves sums and products of f32 room
 * to grow. */
constexpr float MOST_WEIGHT = 0x1p64f;

/* A lane's scores, and its weights with half of the keys as left operands of 16 each: of the half's scores s,
 * s[8 i + 2 j] and s[8 i + 2 j + 1] become w[i][j], of row lane / 4 + 8 (j % 2) of its warp's 16. */
typedef float tile_scores[KEYS / 2];
typedef uint32_t half_weights[CHUNKS][4];

/* What a lane knows of its two rows of queries: the sums are of its own keys. */
struct query_rows {
    float y[32]; /* not yet divided by the sum */
    float reference[2], sum[2];
};

#if TTT_HOPPER

/* The weights of the keys of HALF 0 or 1, added to the rows' sums. */
template <int HALF>
static __device__ inline void weigh(half_weights &weights, float (&sum)[2], const tile_scores &s,
                                    const query_rows &own, float slope)
{
#pragma unroll
    for (int i = 0; i < HALF_KEYS / 4; i++) {
        float weight[2];
#pragma unroll
        for (int j = 0; j < 2; j++)
            weight[j] =
                exp2_approximate(fmaf(s[HALF * HALF_KEYS / 2 + 2 * i + j], slope, -own.reference[i % 2]));
        sum[i % 2] += weight[0] + weight[1];
        weights[i / 4][i % 4] = bf16_pair(weight[0], weight[1]);
    }
}

/* Of scores with the last `left` keys: those past the end count for nothing. */
static __device__ inline void leave_out(tile_scores &s, int left)
{
    left -= lane_of_warp() % 4 * 2;
#pragma unroll
    for (int i = 0; i < KEYS / 2; i++)
        if (i / 4 * 8 + i % 2 >= left)
            s[i] = -INFINITY;
}

/* The largest over the four lanes that share rows. */
static __device__ inline float largest_of_lanes(float x)
{
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
static __device__ inline float sum_of_lanes(float x)
{
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

/* Makes the largest exponents the references, where they are larger, and brings what there is in line. */
static __device__ inline void raise_references(query_rows &own, const tile_scores &s, float slope)
{
#pragma unroll
    for (int row = 0; row < 2; row++) {
        float largest = -INFINITY;
#pragma unroll
        for (int i = 0; i < KEYS / 2; i++)
            if (i / 2 % 2 == row)
                largest = fmaxf(largest, s[i]);
        largest = fmaxf(own.reference[row], slope * largest_of_lanes(largest));
        const float factor = exp2_approximate(own.reference[row] - largest);
        own.reference[row] = largest;
        own.sum[row] *= factor;
#pragma unroll
        for (int i = 0; i < 32; i++)
            if (i / 2 % 2 == row)
                own.y[i] *= factor;
    }
}

/* Whether no lane's weights have grown out of bounds; not so for what is no number. */
static __device__ inline bool all_fit(const float (&sum)[2])
{
    return __all_sync(0xffffffffu, sum[0] <= MOST_WEIGHT && sum[1] <= MOST_WEIGHT);
}

#endif
#endif
