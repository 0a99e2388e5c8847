/* The gated branch, forward.
 *
 * Blocks stay with a head and go through samples: reads q, k, v once and writes y once; the weights stay in
 * the second-level cache.  Queries are fetched while the keys are at work, and the next sample's keys while
 * the queries are.  With D = 64 and 196 tokens a block of 4 warps takes 60 KiB of shared memory, so three are
 * resident.
 */
#include "ttt/ops/vittt_inner/glu.cuh"

template <int D> static constexpr int resident_blocks = D == 64 ? 3 : 6;

/* What the moved weights make of a strip: q w1' or (q w1') * silu(q w2'), by channels of the warp. */
template <int D, int MODE>
static __device__ inline void read_strip(uint32_t (&y)[4], const weight_operand<D> (&w)[weight_count<MODE>],
                                         const bf16 *queries, int strip)
{
    float p[weight_count<MODE>][2][4] = {};
    queries += strip * STRIP * D;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint32_t a[4];
        load_a<D>(a, queries, 0, 16 * k);
#pragma unroll
        for (int i = 0; i < weight_count<MODE>; i++) {
            multiply_add(p[i][0], a, w[i].a[k][0], w[i].a[k][2]);
            multiply_add(p[i][1], a, w[i].a[k][1], w[i].a[k][3]);
        }
    }
    if constexpr (MODE != GLU_LINEAR)
#pragma unroll
        for (int i = 0; i < 8; i++)
            p[0][i / 4][i % 4] *= gate_of(p[1][i / 4][i % 4]).value;
    pack(y, p[0]);
}

template <int D, int MODE>
static __global__ void __launch_bounds__(2 * D, resident_blocks<D>)
    glu_forward(glu_problem p, activations out)
{
    DYNAMIC_SHARED(bf16, shared);
    const int strips = strips_of(p.tokens), head = (int)blockIdx.x, parts = (int)gridDim.y,
              channel0 = (int)threadIdx.x / WARP * 16;
    const int64_t sample = p.tokens * p.row;
    bf16 *keys = shared, *queries = keys + strips * STRIP * D,
         *ring = queries + strips * STRIP * D + channel0 / 16 * RING * PIECE;
    const bf16 *q = p.qkv + head * D + (p.query_is_key ? p.width : 0), *k = p.qkv + p.width + head * D,
               *v = p.qkv + 2 * p.width + head * D + channel0;
    const float *w1 = p.w1 + head * D * D, *w2 = p.w2 + head * D * D;

    weight_operand<D> initial[feature_count<MODE>];
    if constexpr (MODE != GLU_LINEAR)
#pragma unroll
        for (int i = 0; i < feature_count<MODE>; i++) {
            weight_rows<D> rows;
            load_weight<D>(rows, i == feature_count<MODE> - 1 ? w2 : w1, channel0);
            to_operand<D>(initial[i], rows);
        }

    piece_fetcher ahead;
    ahead.ring = ring;
    ahead.next = 0;
    int ahead_sample = (int)blockIdx.y;
    auto fetch_values = [&] {
        if (ahead_sample >= p.batch)
            return;
        ahead.fetch();
        if (ahead.strips == 0 && (ahead_sample += parts) < p.batch)
            ahead.open(v + ahead_sample * sample, p.row, p.tokens);
    };
    strip_fetcher<D>(keys, k + ahead_sample * sample, p.row, p.tokens).fetch(strips);
    ahead.open(v + ahead_sample * sample, p.row, p.tokens);
    for (int i = 0; i < RING - 1; i++)
        fetch_values();
    copy_commit();
    unsigned piece = 0;

    for (int b = (int)blockIdx.y; b < p.batch; b += parts) {
        const bool more = b + parts < p.batch;
        weight_rows<D> g[moved_count<MODE>] = {};
        copy_wait<0>();
        __syncthreads();
        strip_fetcher<D> next_queries(queries, q + b * sample, p.row, p.tokens);
        inner_gradient<D, MODE, 1>(g, initial, keys, strips, [&](uint32_t(&values)[4]) {
            next_queries.fetch(2);
            __syncwarp();
            fetch_values();
            copy_commit();
            copy_wait<RING - 1>();
            __syncwarp();
            load_a_transposed<STRIP>(values, ahead.piece(piece++), 0, 0);
        });

        weight_operand<D> moved[weight_count<MODE>];
        if constexpr (MODE == GLU_LAST)
            moved[1] = initial[0];
#pragma unroll
        for (int i = 0; i < moved_count<MODE>; i++) {
            weight_rows<D> rows;
            float norm[2];
            channel_norms<D>(norm, g[i], p);
            move_weight<D>(rows, i ? w2 : w1, channel0, g[i], norm, p.rate);
            to_operand<D>(moved[i], rows);
        }
        wait_for_matrix(strips);
        strip_fetcher<D> next_keys(keys, k + (more ? b + parts : b) * sample, p.row, more ? p.tokens : 0);
        strip_writer y_strips(out, (int64_t)b * p.tokens, head * D + channel0, p.tokens);
#pragma unroll 1
        for (int strip = 0; strip < strips; strip++) {
            uint32_t y[4];
            next_keys.fetch(2);
            read_strip<D, MODE>(y, moved, queries, strip);
            y_strips.write(y);
        }
        copy_commit();
    }
}

size_t vittt_inner_forward_shared(int64_t d, int64_t tokens)
{
    const int64_t rows = strips_of((int)tokens) * STRIP;
    return (size_t)((2 * rows * d + d / 16 * RING * PIECE) * (int64_t)sizeof(bf16));
}

ttt_status vittt_inner_glu(const ttt_launch *launch)
{
    const glu_problem p = glu_problem_of(launch);
    return by_mode(launch, [&](auto d, auto mode) {
        constexpr int D = decltype(d)::value, MODE = decltype(mode)::value;
        const int parts = ttt_cuda_multiprocessors(launch->device) * resident_blocks<D> / p.heads;
        const dim3 grid((unsigned)p.heads, (unsigned)(parts < 1 ? 1 : parts < p.batch ? parts : p.batch));
        return enqueue(launch, glu_forward<D, MODE>, grid, 2 * D, vittt_inner_forward_shared(D, p.tokens), p,
                       activations_of(&launch->out[0]));
    });
}
