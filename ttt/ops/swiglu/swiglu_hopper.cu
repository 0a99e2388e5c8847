/* The row "hopper" of swiglu: a square has 128 columns of gate and the same ones of up, so that a lane holds
 * both sums of an element.  It keeps them in bf16, and makes y of them while the next square is multiplied;
 * gate and up reach memory only where they are read.
 *
 * It reads x once for every 128 columns of y, from L2 as a rule, the weights once for every 256 rows, and
 * writes the outputs once.
 */
#include "ttt/device/hopper_squares.cuh"
#include "ttt/ops/pointwise/formulas.cuh"

extern "C" {
#include "ttt/ops/swiglu/swiglu_operator.h"
}

#if TTT_HOPPER

/* Opaque, or the compiler unpacks ahead of the loop along k, into twice the registers. */
static __device__ inline float2 floats_of(uint32_t pair)
{
    return floats_of_pair((uint32_t)opaque((int)pair));
}

#endif

constexpr int COLUMNS = SQUARE / 2, PARTS = COLUMNS / BOX; /* parts: boxes of one output in a strip */

/* A strip's boxes: gate's and up's of part 0, then those of part 1. */
struct swiglu_job {
    static constexpr bool B_TRANSPOSED = true;
    static constexpr int EXTRA = 0, OUTPUTS = 2 * PARTS;
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

    __device__ void finish(squares_memory &, swiglu_worker &to, const strip &, const float (&sum)[128]) const
    {
        to.boxes = OUTPUTS;
#pragma unroll
        for (int i = 0; i < OUTPUTS; i++)
#pragma unroll
            for (int j = 0; j < 16; j++) {
                const float *of = sum + 32 * (i % 2 * PARTS + i / 2) + 2 * j;
                to.y[i].at[j / 4][j % 4] = bf16_pair(of[0], of[1]);
            }
    }

    /* Of a row of x. */
    __device__ float rate_of(int matrix, int row) const
    {
        const int heads = (int)rates.heads;
        return rates.data && row < tokens
                   ? rates.data[matrix / heads * rates.sample + matrix % heads * rates.head + row * rates.row]
                   : 1;
    }
    __device__ pairs features(const strip &s, const pairs &gate, const pairs &up) const
    {
        const int row = s.row + 16 * warp_of_group() + lane_of_warp() / 4;
        const float rate[2] = {rate_of(s.matrix, row), rate_of(s.matrix, row + 8)};
        pairs y;
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const float2 z = floats_of(gate.at[i][j]), u = floats_of(up.at[i][j]);
                y.at[i][j] = bf16_pair(rate[j % 2] * z.x * ttt_fast_sigmoid(z.x) * u.x,
                                       rate[j % 2] * z.y * ttt_fast_sigmoid(z.y) * u.y);
            }
        return y;
    }

    /* Boxes leave by turns, those that nobody reads as nothing. */
    __device__ void send(squares_memory &m, const swiglu_worker &from, int part, int output,
                         const pairs &y) const
    {
        const strip &s = from.finished;
        if (is_read[output])
            send_box(m, from.number, part * SWIGLU_OUTPUTS + output, y, &out[output], s.column + part * BOX,
                     s.row, s.matrix);
        else if (issues())
            stores_commit();
    }
    /* In two calls for each part: y, then what it is made of. */
    __device__ void write_box(squares_memory &m, const swiglu_worker &from, int i, const pairs &) const
    {
        const int part = i / 2;
        const pairs &gate = from.y[2 * part], &up = from.y[2 * part + 1];
        if (i % 2 == 0) {
            send(m, from, part, SWIGLU_Y, features(from.finished, gate, up));
        } else {
            send(m, from, part, SWIGLU_GATE, gate);
            send(m, from, part, SWIGLU_UP, up);
        }
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

static ttt_status run(const ttt_launch *launch)
{
    const ttt_swiglu_size size = ttt_swiglu_size_of(launch);
    swiglu_job job = {.rows = (int)blocks_for(size.rows, SQUARE),
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

extern "C" const ttt_implementation ttt_swiglu_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
