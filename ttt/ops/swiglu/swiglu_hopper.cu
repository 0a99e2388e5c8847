/* The row "hopper" of swiglu: a square has 128 columns of gate and the same ones of up, so that a lane holds
 * both sums of an element, and y is made of them as they are; gate and up reach memory only where they are
 * read.
 *
 * It reads x once for every 128 columns of y, from L2 as a rule, the weights once for every 256 rows, and
 * writes the outputs once.
 */
#include "ttt/device/hopper_squares.cuh"
#include "ttt/ops/pointwise/formulas.cuh"

extern "C" {
#include "ttt/ops/swiglu/swiglu_operator.h"
}

constexpr int COLUMNS = SQUARE / 2, PARTS = COLUMNS / BOX; /* parts: boxes of one output in a strip */

/* KEEPS: gate or up is read too. */
template <bool KEEPS> struct swiglu_job {
    static constexpr bool B_TRANSPOSED = true;
    static constexpr int EXTRA = 0, OUTPUTS = KEEPS ? SWIGLU_OUTPUTS * PARTS : PARTS;
    typedef worker<OUTPUTS> swiglu_worker;

    CUtensorMap x, w[2], out[SWIGLU_OUTPUTS];
    bool is_read[SWIGLU_OUTPUTS];
    int rows, columns; /* squares along y's sides */
    int64_t count;     /* of squares */
    int depth;         /* steps along k */
    bool shared;       /* weights */
    int tokens;        /* rows of x */
    ttt_swiglu_rates rates;

#if TTT_HOPPER
    __device__ int steps() const
    {
        return depth;
    }

    __device__ strip half_square(int64_t i, int rank) const
    {
        return half_square_in_rows(i, rank, rows, columns, COLUMNS);
    }
    __device__ bool is_narrow(const strip &) const
    {
        return false;
    }

    /* Block 0 of a cluster loads gate's columns, block 1 up's. */
    __device__ void load_step(stage &to, uint64_t *full, const strip &s, int rank, int k) const
    {
        barrier_expect(full, sizeof(stage));
        load_box(to.a, &x, full, k * DEPTH, s.row, s.matrix);
        for (int i = 0; i < PARTS; i++)
            load_box_for(3, &to.b[rank * PARTS + i], &w[rank], full, s.column + i * BOX, k * DEPTH,
                         shared ? 0 : s.matrix);
    }

    __device__ float rate_of(int matrix, int row) const
    {
        return rates.data && row < tokens ? rates.data[matrix / rates.heads * rates.sample +
                                                       matrix % rates.heads * rates.head + row * rates.row]
                                          : 1;
    }

    __device__ void finish(squares_memory &, swiglu_worker &to, const strip &s, const float (&sum)[128]) const
    {
        const float *up = sum + BOX / 2 * PARTS;
        float rate[2];
        for (int half = 0; half < 2; half++)
            rate[half] = rate_of(s.matrix, s.row + 16 * warp_of_group() + 8 * half + lane_of_warp() / 4);
        to.boxes = OUTPUTS;
#pragma unroll
        for (int i = 0; i < PARTS; i++)
#pragma unroll
            for (int j = 0; j < 16; j++) {
                float z[2], u[2], y[2];
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    z[e] = sum[32 * i + 2 * j + e];
                    u[e] = up[32 * i + 2 * j + e];
                    y[e] = rate[j % 2] * z[e] * ttt_fast_sigmoid(z[e]) * u[e];
                }
                to.y[i].at[j / 4][j % 4] = bf16_pair(y[0], y[1]);
                if constexpr (KEEPS) {
                    to.y[SWIGLU_GATE * PARTS + i].at[j / 4][j % 4] = bf16_pair(z[0], z[1]);
                    to.y[SWIGLU_UP * PARTS + i].at[j / 4][j % 4] = bf16_pair(u[0], u[1]);
                }
            }
    }

    __device__ void write_box(squares_memory &m, const swiglu_worker &from, int i, const pairs &y) const
    {
        const strip &s = from.finished;
        if (is_read[i / PARTS])
            send_box(m, from.number, i, y, &out[i / PARTS], s.column + i % PARTS * BOX, s.row, s.matrix);
    }
#endif
};

static bool supports(const ttt_launch *launch, const char **why)
{
    enum { FEWEST = 24 /* squares: with fewer, the GPU is better filled by smaller tiles */, MOST = 1 << 20 };
    const ttt_swiglu_size size = ttt_swiglu_size_of(launch);
    for (int i = 0; i < launch->n_in + launch->n_out; i++) {
        const ttt_operand *x = i < launch->n_in ? &launch->in[i] : &launch->out[i - launch->n_in];
        if (x->dtype && x->dtype != (i == SWIGLU_RATE ? TTT_F32 : TTT_BF16)) {
            *why = "all operands must be bf16, but for the rate, which is f32";
            return false;
        }
    }
    if (ttt_cuda_capability(launch->device) != 90)
        *why = "the GPU is not of compute capability 9.0";
    else if (size.d % 8 || size.m % 8 || size.d > MOST || size.m > MOST || size.rows > MOST ||
             size.matrices > MOST)
        *why = "rows must be multiples of 16 bytes, sizes at most 2^20";
    else if (size.matrices * blocks_for(size.rows, SQUARE) * blocks_for(size.m, COLUMNS) < FEWEST)
        *why = "too few tokens to fill the GPU";
    else
        return true;
    return false;
}

template <bool KEEPS> static ttt_status run_job(const ttt_launch *launch)
{
    const ttt_swiglu_size size = ttt_swiglu_size_of(launch);
    swiglu_job<KEEPS> job = {.rows = (int)blocks_for(size.rows, SQUARE),
                             .columns = (int)blocks_for(size.m, COLUMNS),
                             .depth = (int)blocks_for(size.d, DEPTH),
                             .shared = size.shared,
                             .tokens = (int)size.rows,
                             .rates = ttt_swiglu_rates_of(launch)};
    job.count = size.matrices * job.rows * job.columns;
    TRY(squares_map(&launch->in[SWIGLU_X], HALF, &job.x));
    for (int i = 0; i < 2; i++)
        TRY(squares_map(&launch->in[SWIGLU_W_GATE + i], BOX, &job.w[i]));
    for (int i = 0; i < SWIGLU_OUTPUTS; i++) {
        job.is_read[i] = launch->out[i].data;
        if (job.is_read[i])
            TRY(squares_map(&launch->out[i], BOX, &job.out[i]));
    }
    return enqueue_squares(launch, job);
}

static ttt_status run(const ttt_launch *launch)
{
    return launch->out[SWIGLU_GATE].data || launch->out[SWIGLU_UP].data ? run_job<true>(launch)
                                                                        : run_job<false>(launch);
}

extern "C" const ttt_implementation ttt_swiglu_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
