/* The row "hopper" of linear without activation, in bf16: squares of 256.  Sums get the bias and are rounded
 * to bf16 pairs at once; a residual, which is so added to what bf16 has of the sums, comes while the next
 * square is multiplied.
 *
 * It reads x once for every 256 outputs, from L2 as a rule, the weight once for every 256 rows, from L2, and
 * c once, and writes the outputs once.
 */
#include "ttt/device/hopper_squares.cuh"

extern "C" {
#include "ttt/ops/linear/linear_rows.h"
}

/* ADDS: c is there. */
template <bool ADDS> struct linear_job {
    static constexpr bool B_TRANSPOSED = false;
    static constexpr int EXTRA = 0, OUTPUTS = BOXES;
    typedef worker<OUTPUTS> linear_worker;

    CUtensorMap x, weight, c, y;
    const void *bias; /* (out) or NULL */
    bool bias_is_bf16;
    int rows, columns; /* squares along y's sides */
    int64_t count;     /* of squares */
    int depth;         /* steps along k */
    int out;           /* columns of y */

#if TTT_HOPPER
    __device__ int steps() const
    {
        return depth;
    }

    __device__ strip half_square(int64_t i, int rank) const
    {
        return half_square_in_rows(i, rank, rows, columns, SQUARE);
    }
    __device__ bool is_narrow(const strip &s) const
    {
        return out - s.column <= SQUARE / 2;
    }

    __device__ void load_step(stage &to, uint64_t *full, const strip &s, int rank, int k) const
    {
        barrier_expect(full, sizeof(stage));
        load_box(to.a, &x, full, k * DEPTH, s.row, 0);
        load_box_for(3, &to.b[rank * BOXES / 2], &weight, full, k * DEPTH, s.column + rank * HALF, 0);
    }

    /* Of a column and the next; Bias: its type, void for none. */
    template <class Bias> __device__ float2 bias_at(int column) const
    {
        if constexpr (std::is_void_v<Bias>)
            return {0, 0};
        else if constexpr (std::is_same_v<Bias, float>)
            return __ldg(reinterpret_cast<const float2 *>(static_cast<const float *>(bias) + column));
        else
            return floats_of_pair(
                __ldg(reinterpret_cast<const uint32_t *>(static_cast<const bf16 *>(bias) + column)));
    }

    template <class Bias>
    __device__ void round_sums(linear_worker &to, const strip &s, const float (&sum)[128]) const
    {
#pragma unroll
        for (int i = 0; i < BOXES; i++)
#pragma unroll
            for (int j = 0; j < BOX / 8; j++) {
                const int column = min(s.column + BOX * i + 8 * j, out - 8);
                const float2 add = bias_at<Bias>(column + 2 * (lane_of_warp() % 4));
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    const float *pair = sum + BOX / 2 * i + 4 * j + 2 * half;
                    to.y[i].at[j / 2][j % 2 * 2 + half] = bf16_pair(pair[0] + add.x, pair[1] + add.y);
                }
            }
    }

    __device__ void finish(squares_memory &, linear_worker &to, const strip &s, const float (&sum)[128]) const
    {
        to.boxes = is_narrow(s) ? BOXES / 2 : BOXES;
        if (!bias)
            round_sums<void>(to, s, sum);
        else if (bias_is_bf16)
            round_sums<bf16>(to, s, sum);
        else
            round_sums<float>(to, s, sum);
    }

    __device__ void fetch_box(squares_memory &m, const linear_worker &w, int i) const requires ADDS
    {
        uint64_t *arriving = &m.arriving[w.number];
        barrier_expect(arriving, sizeof(box));
        load_box(m.leaving[w.number], &c, arriving, w.finished.column + i * BOX, w.finished.row, 0);
    }

    static __device__ uint32_t add(uint32_t pair, uint32_t to)
    {
        __nv_bfloat162 a, b;
        memcpy(&a, &pair, sizeof a);
        memcpy(&b, &to, sizeof b);
        a = __hadd2(a, b);
        memcpy(&pair, &a, sizeof a);
        return pair;
    }

    /* A box of sums plus c, in c's place. */
    static __device__ void add_to(box &c, const pairs &sums)
    {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            uint32_t y[4];
            load_matrices(y, lane_row(c, i));
#pragma unroll
            for (int j = 0; j < 4; j++)
                y[j] = add(sums.at[i][j], y[j]);
            store_matrices(lane_row(c, i), y);
        }
    }

    __device__ void write_box(squares_memory &m, const linear_worker &from, int i, const pairs &sums) const
    {
        const strip &s = from.finished;
        const int column = s.column + i * BOX;
        if constexpr (!ADDS) {
            send_box(m, from.number, i, sums, &y, column, s.row, 0);
            return;
        }
        add_to(m.leaving[from.number][0], sums);
        shared_is_written();
        warpgroup_sync(1 + from.number);
        if (!issues())
            return;
        store_box(&y, m.leaving[from.number], column, s.row, 0);
        stores_commit();
    }
#endif
};

static bool all_bf16(const ttt_launch *launch)
{
    bool all = true;
    for (int i = 0; i < launch->n_in + launch->n_out; i++) {
        const ttt_dtype type = (i < launch->n_in ? launch->in[i] : launch->out[i - launch->n_in]).dtype;
        all = all && (type == TTT_BF16 || type == 0 || (i == 2 && type == TTT_F32));
    }
    return all;
}

/* Whether cuBLASLt, which has smaller tiles, is not faster: of the squares' area at most a seventh may lie
 * outside y, and likewise of the clusters' time, when the last squares leave some idle; and where sums are
 * long there is little to gain from what is done beside them. */
static bool fills_squares(const ttt_launch *launch, int64_t rows, int64_t in, int64_t out)
{
    enum { FEWEST_ROUNDS = 3, DEEPEST = 2048 };
    const int64_t squares = (int64_t)blocks_for(rows, SQUARE) * blocks_for(out, SQUARE),
                  clusters = ttt_cuda_multiprocessors(launch->device) / 2,
                  rounds = blocks_for(squares, clusters);
    return rounds >= FEWEST_ROUNDS && in <= DEEPEST && 7 * rows * out >= 6 * squares * SQUARE * SQUARE &&
           7 * squares >= 6 * rounds * clusters;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    enum { MOST = 1 << 20 };
    const ttt_operand *x = &launch->in[0];
    const int64_t rows = x->shape.size[0], in = x->shape.size[1], out = launch->in[1].shape.size[0];
    if (!all_bf16(launch))
        *why = "all operands must be bf16, but for the bias, which may be f32";
    else if (ttt_cuda_capability(launch->device) != 90)
        *why = "the GPU is not of compute capability 9.0";
    else if (in % 8 || out % 8 || x->stride[0] % 8 || rows > MOST || in > MOST || out > MOST)
        *why = "rows must be multiples of 16 bytes, and so far apart; sizes at most 2^20";
    else if (static_cast<const ttt_linear_attributes *>(launch->attributes)->activation != TTT_IDENTITY)
        *why = "it has an activation, which costs more here than in cuBLASLt's epilogue";
    else if (!fills_squares(launch, rows, in, out))
        *why = "too little work, or of sizes that squares do not fit";
    else
        return true;
    return false;
}

/* Copies begin at multiples of 16 bytes alone; for data elsewhere, cuBLASLt's row is ready. */
static bool is_aligned(const ttt_launch *launch)
{
    uintptr_t all = 0;
    for (int i = 0; i < launch->n_in; i++)
        all |= (uintptr_t)launch->in[i].data;
    for (int i = 0; i < launch->n_out; i++)
        all |= (uintptr_t)launch->out[i].data;
    return all % 16 == 0;
}
static size_t workspace(const ttt_launch *launch)
{
    return ttt_linear_cuda.workspace(launch);
}
static ttt_status prepare(const ttt_launch *launch, void **state)
{
    return ttt_linear_cuda.prepare(launch, state);
}
static void release(void *state)
{
    ttt_linear_cuda.release(state);
}

template <bool ADDS> static ttt_status run_job(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *bias = &launch->in[2];
    const int64_t rows = x->shape.size[0], in = x->shape.size[1], out = launch->in[1].shape.size[0];
    linear_job<ADDS> job = {.bias = bias->data,
                            .bias_is_bf16 = bias->dtype == TTT_BF16,
                            .rows = (int)blocks_for(rows, SQUARE),
                            .columns = (int)blocks_for(out, SQUARE),
                            .depth = (int)blocks_for(in, DEPTH),
                            .out = (int)out};
    job.count = (int64_t)job.rows * job.columns;
    const ttt_cuda_matrices of_x = {x->data, rows, in, 1, x->stride[0], rows * x->stride[0], HALF};
    TRY(ttt_cuda_tensor_map(&of_x, &job.x));
    TRY(squares_map(&launch->in[1], HALF, &job.weight));
    TRY(squares_map(&launch->out[0], BOX, &job.y));
    if (ADDS)
        TRY(squares_map(&launch->in[3], BOX, &job.c));
    return enqueue_squares(launch, job);
}

static ttt_status run(const ttt_launch *launch)
{
    if (!is_aligned(launch))
        return ttt_linear_cuda.run(launch);
    return launch->in[3].dtype ? run_job<true>(launch) : run_job<false>(launch);
}

extern "C" const ttt_implementation ttt_linear_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .run = run,
};
