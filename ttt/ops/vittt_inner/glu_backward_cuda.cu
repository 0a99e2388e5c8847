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
    unsigned piece; /* pieces of values and cotangents taken so far, by all passes */
    piece_fetcher ahead;
    int ahead_sample, ahead_pass; /* of the next piece to be fetched */

    float norm[MOVED][2];
    weight_operand<D> r[MOVED], moved[WEIGHTS];
    weight_rows<D> dw[WEIGHTS];

    __device__ backward_block(const glu_problem &problem, const glu_gradients &gradients, bf16 *shared)
        : p(problem), out(gradients), strips(strips_of(problem.tokens)), head((int)blockIdx.x),
          channel0((int)threadIdx.x / WARP * 16), parts((int)gridDim.y), piece(0)
    {
        s = divide_shared<D>(shared, strips * STRIP);
        ahead.ring = s.ring;
        ahead.next = 0;
    }

    /* Columns of q, k and v (0, 1, 2) of the head, from sample b on. */
    __device__ const bf16 *input(int64_t b, int which) const
    {
        return p.qkv + b * p.tokens * p.row + which * p.width + head * D;
    }
    /* The warp's columns of dq, dk or dv of sample b. */
    __device__ strip_writer output(int64_t b, int which) const
    {
        return strip_writer(out.dqkv, b * p.tokens, which * p.width + head * D + channel0, p.tokens);
    }
    __device__ const float *weight(int i) const
    {
        return (i ? p.w2 : p.w1) + head * D * D;
    }

    /* Turns to the pieces of a sample's pass: values, cotangents, values again. */
    __device__ void open_pieces(int b, int pass)
    {
        ahead_sample = b;
        ahead_pass = pass;
        if (b < p.batch && pass == 1)
            ahead.open(out.dy + (int64_t)b * p.tokens * (p.width + D) + head * D + channel0, p.width + D,
                       p.tokens);
        else if (b < p.batch)
            ahead.open(input(b, 2) + channel0, p.row, p.tokens);
    }

    __device__ void fetch_piece()
    {
        if (ahead_sample >= p.batch)
            return;
        ahead.fetch();
        if (ahead.strips == 0 && ahead_pass == 2)
            open_pieces(ahead_sample + parts, 0);
        else if (ahead.strips == 0)
            open_pieces(ahead_sample, ahead_pass + 1);
    }

    /* The piece that is next, transposed.  Its place is free from the next one on. */
    __device__ void next_piece(uint32_t (&x)[4])
    {
        __syncwarp();
        fetch_piece();
        copy_commit();
        copy_wait<RING - 1>();
        __syncwarp();
        load_a_transposed<STRIP>(x, ahead.piece(piece), 0, 0);
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
        strip_fetcher<D>(s.keys, input(b, 1), p.row, p.tokens).fetch(strips);
        open_pieces(b, 0);
        for (piece = 0; piece < RING - 1; piece++)
            fetch_piece();
        piece = 0;
        copy_commit();
        copy_wait<0>();
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
        strip_fetcher<D> queries(s.queries, input(b, p.query_is_key ? 1 : 0), p.row, p.tokens);
        inner_gradient<D, MODE, 2>(g, initial, s.keys, strips, [&](uint32_t(&v)[4]) {
            queries.fetch(2);
            next_piece(v);
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

    /* dq of the COUNT strips of a chunk, and what they add to dw'. */
    template <int COUNT> __device__ void differentiate_chunk(strip_writer &dq_strips, int strip)
    {
        uint32_t dy[COUNT][4], dp[COUNT][WEIGHTS][4];
        bf16 *factors = chunk_buffer<D, WEIGHTS>(s.factors, strip);
#pragma unroll
        for (int k = 0; k < COUNT; k++) {
            next_piece(dy[k]);
            piece++;
        }
#pragma unroll
        for (int k = 0; k < COUNT; k++) {
            float z[WEIGHTS][2][4] = {};
            if constexpr (MODE != GLU_LINEAR)
                project<D>(z, moved, s.queries, strip + k);
            read_factors<MODE>(dp[k], dy[k], z);
#pragma unroll
            for (int i = 0; i < WEIGHTS; i++)
                store_a<CHUNK>(factors + i * D * CHUNK, channel0, k * STRIP, dp[k][i]);
        }
#pragma unroll
        for (int k = 0; k < COUNT; k++)
            accumulate<D, WEIGHTS>(dw, dp[k], s.queries, strip + k);
        __syncthreads();
        float dq[COUNT][2][4] = {};
        contract<D>(dq, factors, s.moved[0], channel0);
        if constexpr (MODE != GLU_LINEAR)
            contract<D>(dq, factors + D * CHUNK, MODE == GLU_ALL ? s.moved[1] : s.initial[1], channel0);
        write_chunk(dq_strips, dq);
    }

    /* dq, and dw' in dw. */
    __device__ void differentiate_reading(int b)
    {
#pragma unroll
        for (int i = 0; i < WEIGHTS; i++)
            dw[i] = {};
        strip_writer dq_strips = output(b, 0);
        int strip = 0;
#pragma unroll 1
        for (; strip + 2 <= strips; strip += 2)
            differentiate_chunk<2>(dq_strips, strip);
        if (strip < strips)
            differentiate_chunk<1>(dq_strips, strip);
    }

    /* dv through the place of the strip's values, which transposes it. */
    __device__ void write_values(strip_writer &writer, const uint32_t (&dv)[4])
    {
        uint32_t x[4];
        __syncwarp();
        store_a<STRIP>(ahead.piece(piece), 0, 0, dv);
        __syncwarp();
        load_a_transposed<STRIP>(x, ahead.piece(piece), 0, 0);
        writer.write(x);
    }

    /* dk of the COUNT strips of a chunk. */
    template <int COUNT> __device__ void contract_keys(strip_writer &dk_strips, const bf16 *factors)
    {
        float dk[COUNT][2][4] = {};
#pragma unroll
        for (int i = 0; i < FACTORS; i++)
            contract<D>(dk, factors + i * D * CHUNK,
                        i < MOVED ? s.moved[i] : s.initial[2 - FEATURES + i - MOVED], channel0);
        write_chunk(dk_strips, dk);
    }

    /* dk, dv, and dw in full.  The next sample's keys are fetched meanwhile, over the queries. */
    __device__ void differentiate_moving(int b)
    {
        weight_operand<D> onto[FACTORS]; /* what k is multiplied with: w, then dr */
#pragma unroll
        for (int i = 0; i < MOVED; i++)
            condition<D>(onto[FACTORS - MOVED + i], dw[i], r[i], norm[i], p);
        __syncthreads(); /* the moved weights have been read */
#pragma unroll
        for (int i = 0; i < MOVED; i++)
            store_operand<D>(s.moved[i], channel0, onto[FACTORS - MOVED + i]);
#pragma unroll
        for (int i = 0; i < FACTORS - MOVED; i++)
            load_operand<D>(onto[i], s.initial[2 - FEATURES + i], channel0);
        const bool more = b + parts < p.batch;
        strip_fetcher<D> keys(s.queries, input(more ? b + parts : b, 1), p.row, more ? p.tokens : 0);
        strip_writer dk_strips = output(b, 1), dv_strips = output(b, 2);
#pragma unroll 1
        for (int strip = 0; strip < strips; strip++) {
            uint32_t v[4], dv[4], x[FACTORS][4];
            float z[FACTORS][2][4] = {};
            keys.fetch(2);
            next_piece(v);
            project<D>(z, onto, s.keys, strip);
            key_factors<MODE>(x, dv, v, z);
            if constexpr (MODE != GLU_LINEAR)
                accumulate<D, FACTORS - MOVED>(dw, x, s.keys, strip);
            write_values(dv_strips, dv);
            piece++;
            bf16 *factors = chunk_buffer<D, FACTORS>(s.factors, strip);
            if (chunk_buffers<FACTORS> == 1 && strip % 2 == 0)
                __syncthreads(); /* the chunk before has been read */
#pragma unroll
            for (int i = 0; i < FACTORS; i++)
                store_a<CHUNK>(factors + i * D * CHUNK, channel0, strip % 2 * STRIP, x[i]);
            if (strip % 2 == 0 && strip + 1 < strips)
                continue;
            __syncthreads();
            if (strip % 2)
                contract_keys<2>(dk_strips, factors);
            else
                contract_keys<1>(dk_strips, factors);
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
        wait_for_matrix(block.strips);
        block.move(b);
        wait_for_matrix(block.strips);
        block.differentiate_reading(b);
        block.differentiate_moving(b);
        block.add_partials(b == first);
        bf16 *keys = block.s.queries;
        block.s.queries = block.s.keys;
        block.s.keys = keys;
    }
}

size_t vittt_inner_backward_shared(int64_t d, int64_t tokens)
{
    const int rows = strips_of((int)tokens) * STRIP;
    return sizeof(bf16) * (d == 64 ? shared_elements<64>(rows) : shared_elements<32>(rows));
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
        return enqueue(launch, glu_backward<D, MODE>, grid, 2 * D, vittt_inner_backward_shared(D, p.tokens),
                       p, out);
    });
}
