/* Pieces of the gated branch's backward pass; glu_backward_cuda.cu has the formulas. */
#ifndef TTT_OPS_VITTT_INNER_GLU_BACKWARD_CUH
#define TTT_OPS_VITTT_INNER_GLU_BACKWARD_CUH

#include "ttt/ops/vittt_inner/glu.cuh"

enum { CHUNK = 2 * STRIP }; /* tokens whose factors are in shared memory at a time */

struct glu_gradients {
    const bf16 *dy; /* (batch, tokens, width + D) */
    activations dqkv;
    float *partials; /* (parts, 2, heads, D, D) */
};

/* The terms x m^T of dk: a1 dr1^T, a2 dr2^T, dz1 w1^T, dz2 w2^T.  dq's are the first two, with w'. */
enum { TERMS = 4 };
template <int MODE> constexpr int factor_count = MODE == GLU_ALL ? 4 : MODE == GLU_LAST ? 2 : 1;

/* Of so many terms at a time there is room for this many chunks: with two, no warp waits for others to have
 * read the chunk before. */
template <int COUNT> constexpr int chunk_buffers = COUNT <= TERMS / 2 ? 2 : 1;
template <int D, int COUNT> __device__ inline bf16 *chunk_buffer(bf16 *factors, int strip)
{
    return factors + strip / 2 % chunk_buffers<COUNT> * COUNT * D * CHUNK;
}

/* Where the matrices of a block lie in shared memory. */
template <int D> struct glu_shared {
    bf16 *keys, *queries; /* (rows, D) */
    bf16 *ring;           /* the warp's pieces */
    bf16 *initial[2];     /* w1, w2: (channels, inputs) */
    bf16 *moved[2];       /* w1', w2', then dr1, dr2 */
    bf16 *factors;        /* TERMS of (channels, CHUNK) */
};

template <int D> size_t shared_elements(int rows)
{
    return (size_t)(2 * rows * D + D / 16 * RING * PIECE + 4 * D * D + TERMS * D * CHUNK);
}

template <int D> __device__ inline glu_shared<D> divide_shared(bf16 *shared, int rows)
{
    glu_shared<D> s;
    s.keys = shared;
    s.queries = s.keys + rows * D;
    bf16 *rings = s.queries + rows * D;
    s.ring = rings + (int)threadIdx.x / WARP * RING * PIECE;
    s.initial[0] = rings + D / 16 * RING * PIECE;
    s.initial[1] = s.initial[0] + D * D;
    s.moved[0] = s.initial[1] + D * D;
    s.moved[1] = s.moved[0] + D * D;
    s.factors = s.moved[1] + D * D;
    return s;
}

template <int D> __device__ inline void load_operand(weight_operand<D> &w, const bf16 *x, int channel0)
{
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        load_a<D>(w.a[k], x, channel0, 16 * k);
}
template <int D> __device__ inline void store_operand(bf16 *x, int channel0, const weight_operand<D> &w)
{
#pragma unroll
    for (int k = 0; k < D / 16; k++)
        store_a<D>(x, channel0, 16 * k, w.a[k]);
}

/* x (a chunk's tokens by the warp's 16 inputs) += factor^T m over all channels. */
template <int D, int COUNT>
__device__ inline void contract(float (&x)[COUNT][2][4], const bf16 *factor, const bf16 *m, int input0)
{
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint32_t b[4];
        load_b_transposed<D>(b, m, 16 * k, input0);
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            uint32_t a[4];
            load_a_transposed<CHUNK>(a, factor, 16 * k, i * STRIP);
            multiply_add(x[i][0], a, b[0], b[1]);
            multiply_add(x[i][1], a, b[2], b[3]);
        }
    }
}

/* A chunk of dq or dk to global memory. */
template <int COUNT>
__device__ inline void write_chunk(strip_writer &writer, const float (&value)[COUNT][2][4])
{
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        uint32_t r[4];
        pack(r, value[i]);
        writer.write(r);
    }
}

/* dP1 (and dP2) of a strip, from dy and P. */
template <int MODE>
__device__ inline void read_factors(uint32_t (&dp)[weight_count<MODE>][4], const uint32_t (&dy)[4],
                                    const float (&p)[weight_count<MODE>][2][4])
{
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if constexpr (MODE == GLU_LINEAR) {
            dp[0][i] = dy[i];
        } else {
            float first[2], second[2];
#pragma unroll
            for (int x = 0; x < 2; x++) {
                const gate g = gate_of(p[1][i / 2][i % 2 * 2 + x]);
                first[x] = unpack(dy[i], x) * g.value;
                second[x] = unpack(dy[i], x) * p[0][i / 2][i % 2 * 2 + x] * g.slope;
            }
            dp[0][i] = bf16_pair(first[0], first[1]);
            dp[1][i] = bf16_pair(second[0], second[1]);
        }
    }
}

/* The factors of dk's terms and dv, of a strip.  z: z1, z2, da1, da2 (GLU_ALL); z2, da1 (GLU_LAST); da1. */
template <int MODE>
__device__ inline void key_factors(uint32_t (&x)[factor_count<MODE>][4], uint32_t (&dv)[4],
                                   const uint32_t (&v)[4], const float (&z)[factor_count<MODE>][2][4])
{
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float value[factor_count<MODE>][2], down[2];
#pragma unroll
        for (int e = 0; e < 2; e++) {
            const int j = i / 2, c = i % 2 * 2 + e;
            const float u = unpack(v[i], e);
            if constexpr (MODE == GLU_ALL) {
                const gate g = gate_of(z[1][j][c]);
                const float z1 = z[0][j][c], da1 = z[2][j][c], da2 = z[3][j][c];
                const float both = da2 * z1, steep = u * g.slope;
                value[0][e] = u * g.value;
                value[1][e] = steep * z1;
                value[2][e] = steep * da2;
                value[3][e] = steep * da1 + u * g.curvature * both;
                down[e] = da1 * g.value + both * g.slope;
            } else if constexpr (MODE == GLU_LAST) {
                const gate g = gate_of(z[0][j][c]);
                value[0][e] = u * g.value;
                value[1][e] = u * z[1][j][c] * g.slope;
                down[e] = z[1][j][c] * g.value;
            } else {
                value[0][e] = u;
                down[e] = z[0][j][c];
            }
        }
#pragma unroll
        for (int k = 0; k < factor_count<MODE>; k++)
            x[k][i] = bf16_pair(value[k][0], value[k][1]);
        dv[i] = bf16_pair(down[0], down[1]);
    }
}

/* dr = rate / (n + 1) (dw' - r (r . dw') scale^2 / (n (n + 1))), of the lane's two channels. */
template <int D>
__device__ inline void condition(weight_operand<D> &dr, const weight_rows<D> &dw, const weight_operand<D> &r,
                                 const float (&norm)[2], const glu_problem &p)
{
    float dot[2] = {};
#pragma unroll
    for (int j = 0; j < D / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            dot[i / 2] += unpack(r.a[j / 2][j % 2 * 2 + i / 2], i % 2) * dw.c[j][i];
    float rate[2], along[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        dot[i] += __shfl_xor_sync(0xffffffffu, dot[i], 1);
        dot[i] += __shfl_xor_sync(0xffffffffu, dot[i], 2);
        rate[i] = p.rate / (norm[i] + 1.0f);
        along[i] = norm[i] > 0 ? dot[i] * p.scale * p.scale / (norm[i] * (norm[i] + 1.0f)) : 0.0f;
    }
    weight_rows<D> rows;
#pragma unroll
    for (int j = 0; j < D / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            rows.c[j][i] =
                rate[i / 2] * (dw.c[j][i] - along[i / 2] * unpack(r.a[j / 2][j % 2 * 2 + i / 2], i % 2));
    to_operand<D>(dr, rows);
}

/* Adds a sample's dw to the part's sums; the first sample of the part starts them. */
template <int D>
__device__ inline void add_partial(float *sums, int channel0, bool first, const weight_rows<D> &dw)
{
    float *start = sums + weight_start<D>(channel0);
#pragma unroll
    for (int j = 0; j < D / 8; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            start[weight_step<D>(j, i)] = dw.c[j][i] + (first ? 0.0f : start[weight_step<D>(j, i)]);
}

#endif
