/* The gated branch on tensor cores: what its two directions share.
 *
 * A block works on one head of a sample at a time, with a warp for every 16 of the head's D channels.  What
 * has a value for each token and output channel is held transposed, a channel to a row, by the warp that owns
 * the channel: the result of z^T = w^T k^T is then, as it stands in registers, the operand of the gradient
 * g^T = a^T k, whose rows need no other warp; nor does their norm.
 * Keys and queries, which all warps read, lie in shared memory; values and cotangents stream past the warp
 * that owns their channels.  Tokens come in strips of 16; those past the last are zeros.
 */
#ifndef TTT_OPS_VITTT_INNER_GLU_CUH
#define TTT_OPS_VITTT_INNER_GLU_CUH

#include "ttt/ops/vittt_inner/strips.cuh"

extern "C" {
#include "ttt/ops/vittt_inner/kernels.h"
}

enum glu_mode {
    GLU_ALL,    /* (x w1) * silu(x w2), both moved */
    GLU_LAST,   /* w1 moved alone */
    GLU_LINEAR, /* x w1 */
};

/* How many weights there are, how many are moved, and the z = x w that the inner gradient depends on: of both
 * weights, of w2, or (there stands one all the same) of none. */
template <int MODE> constexpr int weight_count = MODE == GLU_LINEAR ? 1 : 2;
template <int MODE> constexpr int moved_count = MODE == GLU_ALL ? 2 : 1;
template <int MODE> constexpr int feature_count = MODE == GLU_ALL ? 2 : 1;

struct glu_problem {
    const bf16 *qkv;      /* (batch, tokens, row) */
    const float *w1, *w2; /* (heads, D, D) */
    int batch, tokens, heads;
    int64_t row, width; /* elements: of a token in qkv, and of q, k or v in it */
    bool query_is_key, conditioned;
    float scale, rate; /* g = -scale k^T a; w' = w + rate k^T a / (norm + 1) */
};

/* 16 channels of a fast weight or of its gradient, a row for each: c[j] covers inputs 8j ... 8j + 7. */
template <int D> struct weight_rows {
    float c[D / 8][4];
};

/* The same in bf16, as the a of multiply_add for inputs 16k ... 16k + 15 each; a[k][y] and a[k][2 + y] are
 * also the b0 and b1 of the transposed, for channels 8y ... 8y + 7. */
template <int D> struct weight_operand {
    uint32_t a[D / 16][4];
};

/* 16 x 16 operands of multiply_add from shared memory: a, from (m, k) or (k, m) storage; and b for two
 * neighbouring groups of 8 columns, from (n, k) or (k, n) storage. */
template <int WIDTH> __device__ inline void load_a(uint32_t (&r)[4], const bf16 *x, int m, int k)
{
    load_matrices(r, x + place_from<WIDTH>(place<WIDTH>(lane_of() % 16, lane_of() / 16 * 8), m, k));
}
template <int WIDTH> __device__ inline void load_a_transposed(uint32_t (&r)[4], const bf16 *x, int k, int m)
{
    const int lane = lane_of();
    load_matrices_transposed(
        r, x + place_from<WIDTH>(place<WIDTH>(lane / 16 * 8 + lane % 8, lane / 8 % 2 * 8), k, m));
}
template <int WIDTH> __device__ inline void load_b(uint32_t (&r)[4], const bf16 *x, int n, int k)
{
    const int lane = lane_of();
    load_matrices(r, x + place_from<WIDTH>(place<WIDTH>(lane / 16 * 8 + lane % 8, lane / 8 % 2 * 8), n, k));
}
template <int WIDTH> __device__ inline void load_b_transposed(uint32_t (&r)[4], const bf16 *x, int k, int n)
{
    load_matrices_transposed(r,
                             x + place_from<WIDTH>(place<WIDTH>(lane_of() % 16, lane_of() / 16 * 8), k, n));
}

/* An a of multiply_add into shared memory, at (m, k). */
template <int WIDTH> __device__ inline void store_a(bf16 *x, int m, int k, const uint32_t (&r)[4])
{
    const unsigned start = place<WIDTH>(lane_of() / 4, lane_of() % 4 * 2);
#pragma unroll
    for (int i = 0; i < 4; i++)
        *reinterpret_cast<uint32_t *>(x + place_from<WIDTH>(start, m + i % 2 * 8, k + i / 2 * 8)) = r[i];
}

/* The 16 x 16 result c as a bf16 operand. */
__device__ inline void pack(uint32_t (&r)[4], const float (&c)[2][4])
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        r[i] = bf16_pair(c[i / 2][i % 2 * 2], c[i / 2][i % 2 * 2 + 1]);
}
/* z[i]^T (16 channels x a strip) += w[i]^T x^T. */
template <int D, int COUNT>
__device__ inline void project(float (&z)[COUNT][2][4], const weight_operand<D> (&w)[COUNT], const bf16 *x,
                               int strip)
{
    x += strip * STRIP * D;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint32_t b[4];
        load_b<D>(b, x, 0, 16 * k);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            multiply_add(z[i][0], w[i].a[k], b[0], b[1]);
            multiply_add(z[i][1], w[i].a[k], b[2], b[3]);
        }
    }
}

/* g^T += a^T x over a strip, for the last COUNT of g and of a. */
template <int D, int COUNT, int SUMS, int FACTORS>
__device__ inline void accumulate(weight_rows<D> (&g)[SUMS], const uint32_t (&a)[FACTORS][4], const bf16 *x,
                                  int strip)
{
    x += strip * STRIP * D;
#pragma unroll
    for (int n = 0; n < D / 16; n++) {
        uint32_t b[4];
        load_b_transposed<D>(b, x, 0, 16 * n);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            multiply_add(g[SUMS - COUNT + i].c[2 * n], a[FACTORS - COUNT + i], b[0], b[1]);
            multiply_add(g[SUMS - COUNT + i].c[2 * n + 1], a[FACTORS - COUNT + i], b[2], b[3]);
        }
    }
}

/* silu(z) and its first and second derivative, through the sigmoid (1 + tanh(z / 2)) / 2: one instruction,
 * off by 2^-12 at most; bf16, which all that follows is rounded to, is by 2^-9 of a value. */
struct gate {
    float value, slope, curvature;
};
__device__ inline gate gate_of(float z)
{
    const float s = fmaf(0.5f, __tanhf(0.5f * z), 0.5f), value = z * s, rest = 1.0f - s;
    return {value, s + value * rest, s * rest * (2.0f + z * (rest - s))};
}

/* a, the factor of the inner gradient k^T a for w1 (and w2), from values and features of a strip. */
template <int MODE>
__device__ inline void inner_factor(uint32_t (&a)[moved_count<MODE>][4], const uint32_t (&v)[4],
                                    const float (&z)[feature_count<MODE>][2][4])
{
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float first[2], second[2];
#pragma unroll
        for (int x = 0; x < 2; x++) {
            const float value = unpack(v[i], x);
            const gate g = gate_of(z[feature_count<MODE> - 1][i / 2][i % 2 * 2 + x]);
            first[x] = value * g.value;
            second[x] = value * z[0][i / 2][i % 2 * 2 + x] * g.slope;
        }
        a[0][i] = bf16_pair(first[0], first[1]);
        if constexpr (MODE == GLU_ALL)
            a[1][i] = bf16_pair(second[0], second[1]);
    }
}

/* g[i]^T += a[i]^T k over COUNT strips.  next(v) brings v^T of one strip after another. */
template <int D, int MODE, int COUNT, class Next>
__device__ inline void add_inner_gradient(weight_rows<D> (&g)[moved_count<MODE>],
                                          const weight_operand<D> (&w)[feature_count<MODE>], const bf16 *keys,
                                          int strip, Next next)
{
    uint32_t v[COUNT][4], a[COUNT][moved_count<MODE>][4];
#pragma unroll
    for (int i = 0; i < COUNT; i++)
        next(v[i]);
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        if constexpr (MODE == GLU_LINEAR) {
#pragma unroll
            for (int k = 0; k < 4; k++)
                a[i][0][k] = v[i][k];
        } else {
            float z[feature_count<MODE>][2][4] = {};
            project<D>(z, w, keys, strip + i);
            inner_factor<MODE>(a[i], v[i], z);
        }
    }
#pragma unroll
    for (int i = 0; i < COUNT; i++)
        accumulate<D, moved_count<MODE>>(g, a[i], keys, strip + i);
}

/* The same over all tokens, TOGETHER strips at a time: there is more to do while results are under way. */
template <int D, int MODE, int TOGETHER, class Next>
__device__ inline void inner_gradient(weight_rows<D> (&g)[moved_count<MODE>],
                                      const weight_operand<D> (&w)[feature_count<MODE>], const bf16 *keys,
                                      int strips, Next next)
{
    int strip = 0;
#pragma unroll 1
    for (; strip + TOGETHER <= strips; strip += TOGETHER)
        add_inner_gradient<D, MODE, TOGETHER>(g, w, keys, strip, next);
#pragma unroll 1
    for (; strip < strips; strip++)
        add_inner_gradient<D, MODE, 1>(g, w, keys, strip, next);
}

/* Sums of x y over the inputs of the lane's two channels. */
template <int D>
__device__ inline void row_products(float (&sum)[2], const weight_rows<D> &x, const weight_rows<D> &y)
{
#pragma unroll
    for (int r = 0; r < 2; r++) {
        sum[r] = 0;
#pragma unroll
        for (int j = 0; j < D / 8; j++)
            sum[r] += x.c[j][2 * r] * y.c[j][2 * r] + x.c[j][2 * r + 1] * y.c[j][2 * r + 1];
        sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], 1);
        sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], 2);
    }
}

/* Element c[j][i] of weight_rows lies at weight_start + weight_step of a (D x D) weight, (input, channel). */
template <int D> __device__ inline int weight_start(int channel0)
{
    return lane_of() % 4 * 2 * D + channel0 + lane_of() / 4;
}
template <int D> __device__ constexpr int weight_step(int j, int i)
{
    return (8 * j + i % 2) * D + i / 2 * 8;
}

template <int D> __device__ inline void load_weight(weight_rows<D> &rows, const float *w, int channel0)
{
    const float *start = w + weight_start<D>(channel0);
#pragma unroll
    for (int j = 0; j < D / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            rows.c[j][i] = __ldg(start + weight_step<D>(j, i));
}

template <int D> __device__ inline void to_operand(weight_operand<D> &operand, const weight_rows<D> &rows)
{
#pragma unroll
    for (int k = 0; k < D / 16; k++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            operand.a[k][i] =
                bf16_pair(rows.c[2 * k + i / 2][i % 2 * 2], rows.c[2 * k + i / 2][i % 2 * 2 + 1]);
}

/* rows = w + rate g / (norm + 1); norm is that of the lane's two channels. */
template <int D>
__device__ inline void move_weight(weight_rows<D> &rows, const float *w, int channel0,
                                   const weight_rows<D> &g, const float (&norm)[2], float rate)
{
    const float factor[2] = {rate / (norm[0] + 1.0f), rate / (norm[1] + 1.0f)};
    load_weight<D>(rows, w, channel0);
#pragma unroll
    for (int j = 0; j < D / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            rows.c[j][i] += factor[i / 2] * g.c[j][i];
}

/* The norms that the lane's two channels are conditioned with: 0 where they are not. */
template <int D>
__device__ inline void channel_norms(float (&norm)[2], const weight_rows<D> &g, const glu_problem &p)
{
    row_products<D>(norm, g, g);
#pragma unroll
    for (int r = 0; r < 2; r++)
        norm[r] = p.conditioned ? p.scale * sqrtf(norm[r]) : 0.0f;
}

/* The problem of a launch of either direction. */
static inline glu_problem glu_problem_of(const ttt_launch *launch)
{
    const auto *a = static_cast<const ttt_vittt_inner_attributes *>(launch->attributes);
    const ttt_shape qkv = launch->in[0].shape;
    const int d = (int)launch->in[1].shape.size[2];
    glu_problem p = {};
    p.qkv = static_cast<const bf16 *>(launch->in[0].data);
    p.w1 = static_cast<const float *>(launch->in[1].data);
    p.w2 = static_cast<const float *>(launch->in[2].data);
    p.batch = (int)qkv.size[0];
    p.tokens = (int)qkv.size[1];
    p.heads = a->heads;
    p.row = qkv.size[2];
    p.width = (int64_t)a->heads * d;
    p.query_is_key = a->switches.query_is_key;
    p.conditioned = a->switches.conditioned;
    p.scale = 1.0f / 3 / (float)p.tokens;
    p.rate = a->switches.ascent ? -p.scale : p.scale;
    return p;
}

/* Calls f with the head width and the mode of a launch as constants. */
template <class F> ttt_status by_mode(const ttt_launch *launch, F f)
{
    const auto *a = static_cast<const ttt_vittt_inner_attributes *>(launch->attributes);
    auto with = [&](auto d) {
        if (a->switches.linear)
            return f(d, std::integral_constant<int, GLU_LINEAR>());
        return a->switches.last_only ? f(d, std::integral_constant<int, GLU_LAST>())
                                     : f(d, std::integral_constant<int, GLU_ALL>());
    };
    return launch->in[1].shape.size[2] == 64 ? with(std::integral_constant<int, 64>())
                                             : with(std::integral_constant<int, 32>());
}

#endif
