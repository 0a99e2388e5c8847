/* The gated branch, backward.
 *
 * With P1 = q w1', P2 = q w2' and u = g / (n + 1), per column:
 *
 *     dP1 = dy silu(P2),  dP2 = dy P1 silu'(P2),  dq = dP1 w1'^T + dP2 w2'^T,  dw' = q^T dP
 *     dr = rate (dw' - r (r . dw') scale^2 / (n (n + 1))) / (n + 1)     where w' = w + rate r / (n + 1), r =
 * k^T a da = k dr,  dz1 = da2 v silu'(z2),  dz2 = da1 v silu'(z2) + da2 v z1 silu''(z2) dk = a1 dr1^T + a2
 * dr2^T + dz1 w1^T + dz2 w2^T,  dv = da1 silu(z2) + da2 z1 silu'(z2) dw = dw' + k^T dz, summed over samples
 *
 * Three passes over a sample's tokens: r (keys and values), dP (queries and cotangents), dz (keys and values
 * again, which the second-level cache still has).  dq and dk sum over channels, which are spread over the
 * warps: the factors pass through shared memory, two strips of tokens at a time.  A block goes through its
 * samples in order and adds up dw in its own part of the workspace.  Reads q, k, v, dy once, writes dq, dk,
 * dv once; with D = 64 and 196 tokens, 107 KiB of shared memory, so two blocks of 4 warps are resident.
 */
#include "ttt/ops/vittt_inner/glu_backward.cuh"

/* A block at work on one head: its place in memory, and what a sample's passes hand on. */
template <int D, int MODE> struct backward_block {
    static constexpr int WEIGHTS = weight_count<MODE>, MOVED = moved_count<MODE>,
                         FEATURES = feature_count<MODE>, FACTORS = factor_count<MODE>;

    const glu_problem &p;
    const glu_gradients &out;
    glu_shared<D> s;
    int strips, head, channel0, parts;
    int piece; /* strips of values and cotangents taken so far, by all passes */

    float norm[MOVED][2];
    weight_operand<D> r[MOVED], moved[WEIGHTS];
    weight_rows<D> dw[WEIGHTS];

    __device__ backward_block(const glu_problem &problem, const glu_gradients &gradients, bf16 *shared)
        : p(problem), out(gradients), strips(strips_of(problem.tokens)), head((int)blockIdx.x),
          channel0((int)threadIdx.x / WARP * 16), parts((int)gridDim.y), piece(0)
    {
        s = divide_shared<D>(shared, strips * STRIP);
    }

    /* Columns of q, k and v (0, 1, 2) of the head, from sample b on. */
    __device__ const bf16 *input(int64_t b, int which) const
    {
        return p.qkv + b * p.tokens * p.row + which * p.width + head * D;
    }
    /* Where the warp's columns of dq, dk or dv start. */
    __device__ int64_t column(int which) const
    {
        return which * p.width + head * D + channel0;
    }
    __device__ const float *weight(int i) const
    {
        return (i ? p.w2 : p.w1) + head * D * D;
    }

    /* Fetches the piece RING - 1 strips on from a strip of a pass: values, cotangents, values again, then
     * those of the next sample. */
    __device__ void fetch_ahead(int b, int pass, int strip)
    {
        bf16 *to = s.pieces + (piece + RING - 1) % RING * PIECE;
        for (strip += RING - 1; strip >= strips; strip -= strips)
            pass++;
        for (; pass >= 3; pass -= 3)
            b += parts;
        if (b >= p.batch)
            return;
        if (pass == 1)
            fetch_piece(to, out.dy + b * p.tokens * (p.width + D) + head * D + channel0, p.width + D, strip,
                        p.tokens);
        else
            fetch_piece(to, input(b, 2) + channel0, p.row, strip, p.tokens);
    }

    __device__ bf16 *this_piece() const
    {
        return s.pieces + piece % RING * PIECE;
    }

    /* The piece that is next, transposed.  Its place is free from the next one on. */
    __device__ void next_piece(uint32_t (&x)[4], int b, int pass, int strip)
    {
        __syncwarp();
        fetch_ahead(b, pass, strip);
        copy_commit();
        copy_wait<RING - 1>();
        __syncwarp();
        load_a_transposed<STRIP>(x, this_piece(), 0, 0);
    }

    __device__ void fetch_two_strips(bf16 *tile, const bf16 *x, int strip) const
    {
        for (int i = 2 * strip; i < 2 * strip + 2 && i < strips; i++)
            fetch_strip<D>(tile, x, p.row, i, p.tokens);
    }

    __device__ void start(int b)
    {
#pragma unroll
        for (int i = 0; i < WEIGHTS; i++) {
            weight_rows<D> rows;
            weight_operand<D> operand;
            load_weight<D>(rows, weight(i), channel0);
            to_operand<D>(operand, rows);
            store_operand<D>(s.initial[i], channel0, operand);
        }
        for (int strip = 0; strip < strips; strip++)
            fetch_strip<D>(s.keys, input(b, 1), p.row, strip, p.tokens);
        for (piece = 1 - RING; piece < 0; piece++)
            fetch_ahead(b, 0, piece);
        copy_commit();
    }

    /* r, its norms, and the moved weights.  Queries are fetched meanwhile. */
    __device__ void move(int b)
    {
        weight_rows<D> g[MOVED] = {};
        weight_operand<D> initial[FEATURES];
        if constexpr (MODE != GLU_LINEAR)
#pragma unroll
            for (int i = 0; i < FEATURES; i++)
                load_operand<D>(initial[i], s.initial[2 - FEATURES + i], channel0);
        inner_gradient<D, MODE>(g, initial, s.keys, strips, [&](int strip, uint32_t(&v)[4]) {
            fetch_two_strips(s.queries, input(b, p.query_is_key ? 1 : 0), strip);
            next_piece(v, b, 0, strip);
            piece++;
        });
#pragma unroll
        for (int i = 0; i < MOVED; i++) {
            weight_rows<D> rows;
            channel_norms<D>(norm[i], g[i], p);
            move_weight<D>(rows, weight(i), channel0, g[i], norm[i], p.rate);
            to_operand<D>(moved[i], rows);
            to_operand<D>(r[i], g[i]);
            store_operand<D>(s.moved[i], channel0, moved[i]);
        }
        if constexpr (MODE == GLU_LAST)
            moved[1] = initial[0];
    }

    /* dq, and dw' in dw. */
    __device__ void differentiate_reading(int b)
    {
#pragma unroll
        for (int i = 0; i < WEIGHTS; i++)
            dw[i] = {};
#pragma unroll 1
        for (int strip = 0; strip < strips; strip++) {
            uint32_t dy[4], dp[WEIGHTS][4];
            float z[WEIGHTS][2][4] = {};
            next_piece(dy, b, 1, strip);
            piece++;
            if constexpr (MODE != GLU_LINEAR)
                project<D>(z, moved, s.queries, strip);
            read_factors<MODE>(dp, dy, z);
            accumulate<D, WEIGHTS>(dw, dp, s.queries, strip);
#pragma unroll
            for (int i = 0; i < WEIGHTS; i++)
                store_a<CHUNK>(s.factors + i * D * CHUNK, channel0, strip % 2 * STRIP, dp[i]);
            if (strip % 2 == 0 && strip + 1 < strips)
                continue;
            const int token = strip / 2 * CHUNK;
            __syncthreads();
            float dq[2][2][4] = {};
            contract<D>(dq, s.factors, s.moved[0], channel0);
            if constexpr (MODE != GLU_LINEAR)
                contract<D>(dq, s.factors + D * CHUNK, MODE == GLU_ALL ? s.moved[1] : s.initial[1], channel0);
            store_chunk(out.dqkv, (int64_t)b * p.tokens + token, column(0), p.tokens - token, dq);
            __syncthreads();
        }
    }

    /* dv through the place of the strip's values, which transposes it. */
    __device__ void store_values(int b, int strip, const uint32_t (&dv)[4])
    {
        uint32_t x[4];
        __syncwarp();
        store_a<STRIP>(this_piece(), 0, 0, dv);
        __syncwarp();
        load_a_transposed<STRIP>(x, this_piece(), 0, 0);
        store_strip(out.dqkv, (int64_t)b * p.tokens + strip * STRIP, column(2), p.tokens - strip * STRIP, x);
    }

    /* dk, dv, and dw in full.  The next sample's keys are fetched meanwhile, over the queries. */
    __device__ void differentiate_moving(int b)
    {
        weight_operand<D> onto[FACTORS]; /* what k is multiplied with: w, then dr */
#pragma unroll
        for (int i = 0; i < MOVED; i++) {
            condition<D>(onto[FACTORS - MOVED + i], dw[i], r[i], norm[i], p);
            store_operand<D>(s.moved[i], channel0, onto[FACTORS - MOVED + i]);
        }
#pragma unroll
        for (int i = 0; i < FACTORS - MOVED; i++)
            load_operand<D>(onto[i], s.initial[2 - FEATURES + i], channel0);
#pragma unroll 1
        for (int strip = 0; strip < strips; strip++) {
            uint32_t v[4], dv[4], x[FACTORS][4];
            float z[FACTORS][2][4] = {};
            if (b + parts < p.batch)
                fetch_two_strips(s.queries, input(b + parts, 1), strip);
            next_piece(v, b, 2, strip);
            project<D>(z, onto, s.keys, strip);
            key_factors<MODE>(x, dv, v, z);
            if constexpr (MODE != GLU_LINEAR)
                accumulate<D, FACTORS - MOVED>(dw, x, s.keys, strip);
            store_values(b, strip, dv);
            piece++;
#pragma unroll
            for (int i = 0; i < FACTORS; i++)
                store_a<CHUNK>(s.factors + i * D * CHUNK, channel0, strip % 2 * STRIP, x[i]);
            if (strip % 2 == 0 && strip + 1 < strips)
                continue;
            const int token = strip / 2 * CHUNK;
            __syncthreads();
            float dk[2][2][4] = {};
#pragma unroll
            for (int i = 0; i < FACTORS; i++)
                contract<D>(dk, s.factors + i * D * CHUNK,
                            i < MOVED ? s.moved[i] : s.initial[2 - FEATURES + i - MOVED], channel0);
            store_chunk(out.dqkv, (int64_t)b * p.tokens + token, column(1), p.tokens - token, dk);
            __syncthreads();
        }
    }

    __device__ void add_partials(bool first)
    {
#pragma unroll
        for (int i = 0; i < WEIGHTS; i++)
            add_partial<D>(out.partials + ((int64_t)(blockIdx.y * 2 + i) * p.heads + head) * D * D, channel0,
                           first, dw[i]);
    }
};

template <int D, int MODE>
static __global__ void __launch_bounds__(2 * D, D == 64 ? 2 : 4)
    glu_backward(const __grid_constant__ glu_problem p, const __grid_constant__ glu_gradients out)
{
    DYNAMIC_SHARED(bf16, shared);
    backward_block<D, MODE> block(p, out, shared);
    const int first = (int)blockIdx.y;
    block.start(first);
    for (int b = first; b < p.batch; b += block.parts) {
        copy_wait<0>();
        __syncthreads();
        block.move(b);
        copy_wait<0>();
        __syncthreads();
        block.differentiate_reading(b);
        block.differentiate_moving(b);
        block.add_partials(b == first);
        bf16 *keys = block.s.queries;
        block.s.queries = block.s.keys;
        block.s.keys = keys;
    }
}

static size_t shared_bytes(const ttt_launch *launch)
{
    const int rows = strips_of((int)launch->in[0].shape.size[1]) * STRIP;
    return sizeof(bf16) *
           (launch->in[1].shape.size[2] == 64 ? shared_elements<64>(rows) : shared_elements<32>(rows));
}

size_t vittt_inner_backward_shared(const ttt_launch *launch)
{
    return shared_bytes(launch);
}

/* Whatever the machine, so that sums are the same on all; twice 132 blocks are resident on a H100 at D = 64.
 */
int vittt_inner_parts(const ttt_launch *launch)
{
    const int64_t batch = launch->in[0].shape.size[0], heads = launch->in[1].shape.size[1],
                  blocks = launch->in[1].shape.size[2] == 64 ? 264 : 528;
    return (int)(blocks / heads < 1 ? 1 : blocks / heads < batch ? blocks / heads : batch);
}

ttt_status vittt_inner_glu_backward(const ttt_launch *launch, float *partials)
{
    const glu_problem p = glu_problem_of(launch);
    const glu_gradients out = {static_cast<const bf16 *>(launch->in[4].data), activations_of(&launch->out[0]),
                               partials};
    return by_mode(launch, [&](auto d, auto mode) {
        constexpr int D = decltype(d)::value, MODE = decltype(mode)::value;
        const dim3 grid((unsigned)p.heads, (unsigned)vittt_inner_parts(launch));
        return enqueue(launch, glu_backward<D, MODE>, grid, 2 * D, shared_bytes(launch), p, out);
    });
}
