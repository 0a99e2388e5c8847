/* The row "skinny" of weight_gradient: a layer of at most eight outputs.
 *
 * Blocks take some rows of some columns of x: a thread holds the sums of all outputs for its columns, and the
 * sums of d.  What the blocks of all rows have is added up in order by a second kernel.  Reads x once, 16
 * bytes at a time where it lies so; d, which is small, comes from the caches.
 */
#include "ttt/ops/reduce/rows.cuh"

extern "C" {
#include "ttt/ops/linear/linear_rows.h"
}

enum {
    MOST = 8, /* outputs */
    LANES = 32,
    LINES = 8,                      /* threads of a block, along and down the rows */
    AHEAD = 4,                      /* rows of a thread under way */
    SLICES = 16,                    /* of the parts, added together at the end */
    BLOCKS = 1024,                  /* enough for any GPU's memory to be busy */
    LEAST_ROWS = 2 * LINES * AHEAD, /* worth a block */
};

template <class T> struct operands {
    const T *d, *x;
    int64_t d_stride, x_stride, rows, in;
    int out;
    float *partial; /* (parts, out * in + out) */
};

/* Adds d x for N columns of up to AHEAD rows: first, first + LINES, ... below end.  A warp reads what these
 * rows have of d at once, a value a lane. */
template <int OUT, int N, class T>
static __device__ inline void add_rows(const operands<T> &o, int64_t first, int64_t end, int64_t column,
                                       float (&sum)[OUT][N], float (&d_sum)[OUT])
{
    static_assert(AHEAD * OUT <= LANES);
    raw_elements<N, T> ahead[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++)
        if (first + i * LINES < end && column < o.in)
            ahead[i].load(o.x + (first + i * LINES) * o.x_stride + column);
    const int output = (int)threadIdx.x % OUT;
    const int64_t row = first + (int)threadIdx.x / OUT * LINES;
    const bool has_d = (int)threadIdx.x < AHEAD * OUT && row < end && output < o.out;
    const float of_lane = has_d ? to_float(o.d[row * o.d_stride + output]) : 0;
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
        float x[N];
        ahead[i].convert(x);
#pragma unroll
        for (int k = 0; k < OUT; k++) {
            const float d = __shfl_sync(0xffffffffu, of_lane, i * OUT + k);
            d_sum[k] += d;
#pragma unroll
            for (int j = 0; j < N; j++)
                sum[k][j] = fmaf(d, x[j], sum[k][j]);
        }
    }
}

/* The sum over the block's lines of what they have for one lane's place; in line 0. */
static __device__ inline float add_lines(float (*lines)[LANES], float x)
{
    __syncthreads();
    lines[threadIdx.y][threadIdx.x] = x;
    __syncthreads();
    float sum = 0;
    for (int line = 0; line < LINES && threadIdx.y == 0; line++)
        sum += lines[line][threadIdx.x];
    return sum;
}

/* Grid: (blocks of columns, parts of the rows). */
template <int OUT, int N, class T>
static __global__ void __launch_bounds__(LANES *LINES) multiply(const operands<T> o)
{
    __shared__ float lines[LINES][LANES];
    const int64_t column = ((int64_t)blockIdx.x * LANES + threadIdx.x) * N;
    const int64_t start = o.rows * blockIdx.y / gridDim.y, end = o.rows * (blockIdx.y + 1) / gridDim.y;
    float sum[OUT][N] = {}, d_sum[OUT] = {};
    for (int64_t row = start + threadIdx.y; row < end; row += LINES * AHEAD)
        add_rows(o, row, end, column, sum, d_sum);
    float *partial = o.partial + (int64_t)blockIdx.y * o.out * (o.in + 1);
    const bool writes = threadIdx.y == 0 && column < o.in;
#pragma unroll
    for (int k = 0; k < OUT; k++) {
        if (k >= o.out)
            break;
#pragma unroll
        for (int j = 0; j < N; j++) {
            const float total = add_lines(lines, sum[k][j]);
            if (writes)
                partial[k * o.in + column + j] = total;
        }
        const float total = add_lines(lines, d_sum[k]);
        if (writes && column == 0)
            partial[o.out * o.in + k] = total;
    }
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (launch->in[0].shape.size[1] > MOST)
        *why = "more than eight outputs";
    else if (launch->in[0].dtype != launch->in[1].dtype)
        *why = "d and x are of different types";
    else if (launch->out[0].dtype != TTT_F32 || launch->out[1].dtype != TTT_F32)
        *why = "its results are f32";
    else
        return ttt_all_f32_or_bf16(launch, why);
    return false;
}

/* Parts of the rows; the same for any address of x, so that sums are, too. */
static int64_t parts_of(const ttt_launch *launch)
{
    const int64_t across = blocks_for(launch->in[1].shape.size[1], LANES * 16 / sizeof(bf16));
    const int64_t wanted = BLOCKS / across + 1, most = launch->in[0].shape.size[0] / LEAST_ROWS + 1;
    return wanted < most ? wanted : most;
}

static int64_t sums_of(const ttt_launch *launch)
{
    return launch->in[0].shape.size[1] * (launch->in[1].shape.size[1] + 1);
}

static size_t workspace(const ttt_launch *launch)
{
    return (size_t)(parts_of(launch) * sums_of(launch)) * sizeof(float);
}

template <int N, class T>
static ttt_status multiply_all(const ttt_launch *launch, const operands<T> &o, int64_t parts)
{
    const dim3 grid(blocks_for(o.in, LANES * N), (unsigned)parts);
    return enqueue(launch, o.out <= MOST / 2 ? multiply<MOST / 2, N, T> : multiply<MOST, N, T>, grid,
                   dim3(LANES, LINES), 0, o);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *d = &launch->in[0], *x = &launch->in[1];
    const int64_t parts = parts_of(launch);
    float *partial = static_cast<float *>(launch->workspace);
    TRY(by_type(x->dtype, [&](auto type) {
        using T = decltype(type);
        const operands<T> o = {static_cast<const T *>(d->data),
                               static_cast<const T *>(x->data),
                               d->stride[0],
                               x->stride[0],
                               x->shape.size[0],
                               x->shape.size[1],
                               (int)d->shape.size[1],
                               partial};
        constexpr int wide = 16 / (int)sizeof(T);
        const bool aligned =
            o.in % wide == 0 && (o.x_stride % wide == 0 || o.rows == 1) && (uintptr_t)o.x % 16 == 0;
        return aligned ? multiply_all<wide>(launch, o, parts) : multiply_all<1>(launch, o, parts);
    }));
    return enqueue_row_sums<SLICES>(
        launch, {partial, (int)parts, sums_of(launch), sums_of(launch), d->shape.size[1] * x->shape.size[1],
                 static_cast<float *>(launch->out[0].data), static_cast<float *>(launch->out[1].data)});
}

extern "C" const ttt_implementation ttt_weight_gradient_skinny = {
    .name = "skinny",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
