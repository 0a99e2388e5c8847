/* The kernel gradient of the depthwise 3x3 convolution on CUDA, and the sum of y beside it.
 *
 * A warp slides down a strip with three rows of y and the ten sums of a lane's two channels in registers; a
 * block does so tile after tile, in order, and adds up its warps.  Summed over the batch, parts of the tiles
 * are added in a second launch, again in order: the result depends on the shape alone.  Reads x and y once
 * (the margins of strips and of larger pictures of x twice).  A row of a strip of bf16 is 325 instructions
 * for 14 elements of each lane, 126 of them multiply-adds: a H200 issues them in three quarters of the time
 * that it takes for the bytes.
 */
#include "ttt/ops/conv3x3/conv3x3_cuda.cuh"
#include "ttt/ops/reduce/rows.cuh"

constexpr int WARPS = 3072, /* that fill a large device at a time */
    SUMS = 10,              /* of a channel: nine taps and y itself */
    SLICES = 8;             /* of the parts that are added in the second launch */

/* Tiles and how they are shared out: part p has tiles p * each and on, and its own sums. */
struct parts {
    int64_t tiles, each, count;
};

static parts parts_of(const ttt_launch *launch, const conv3x3_cut &cut)
{
    const int64_t samples = launch->in[0].shape.size[0], of_sample = (int64_t)cut.down * cut.across;
    const int64_t tiles = samples * of_sample;
    if (launch->out[0].shape.rank == 4)
        return {tiles, of_sample, samples};
    const int64_t each = blocks_for(tiles, blocks_for(WARPS, (int64_t)cut.groups * cut.warps));
    return {tiles, each, blocks_for(tiles, each)};
}

/* Rows of y that a row of pixels meets in kernel rows 2, 1 and 0. */
template <class U, int COLUMNS> struct three_rows {
    channel_pair<U> above[COLUMNS], level[COLUMNS], below[COLUMNS];
};

/* sum[9 k + t] of channel k and tap t, and y[k]. */
struct channel_sums {
    float tap[18], y[2];
};

/* Column j of the row of y that is next: zeros in columns that belong to the strip before. */
template <int COLUMNS, class U>
__device__ inline channel_pair<U> take_own(row_reader<U, COLUMNS, 0> &rows, int j, int shared)
{
    const channel_pair<U> taken = rows.take(j);
    return j >= shared ? taken : channel_pair<U>();
}

/* Takes the next row of x, and the row of y below it if the tile has one, into the sums. */
template <bool HAS_BELOW, int COLUMNS, class T, class U>
__device__ inline void add_row(channel_sums &sum, three_rows<U, COLUMNS> &rows,
                               row_reader<T, COLUMNS, 1> &x_rows, row_reader<U, COLUMNS, 0> &y_rows,
                               int shared)
{
    float x[COLUMNS + 2][2];
    unpack(x[0], x_rows.take(0));
    unpack(x[1], x_rows.take(1));
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) {
        float above[2], level[2], below[2] = {};
        rows.above[j] = rows.level[j];
        rows.level[j] = rows.below[j];
        rows.below[j] = HAS_BELOW ? take_own(y_rows, j, shared) : channel_pair<U>();
        unpack(above, rows.above[j]);
        unpack(level, rows.level[j]);
        if (HAS_BELOW)
            unpack(below, rows.below[j]);
        unpack(x[j + 2], x_rows.take(j + 2));
#pragma unroll
        for (int k = 0; k < 2; k++) {
#pragma unroll
            for (int v = 0; v < 3; v++) {
                if (HAS_BELOW)
                    sum.tap[9 * k + v] += x[j + v][k] * below[k];
                sum.tap[9 * k + 3 + v] += x[j + v][k] * level[k];
                sum.tap[9 * k + 6 + v] += x[j + v][k] * above[k];
            }
            sum.y[k] += level[k];
        }
    }
    x_rows.next_row();
    if (HAS_BELOW)
        y_rows.next_row();
}

/* What a strip adds. */
template <int COLUMNS, bool SHARED, class T, class U>
__device__ inline void add_strip(channel_sums &sum, const pictures<const T> &x, const pictures<const U> &y,
                                 const conv3x3_cut &cut, const conv3x3_place &place)
{
    const int shared = SHARED ? place.shared : 0, y_end = place.row + place.rows;
    three_rows<U, COLUMNS> rows = {};
    row_reader<T, COLUMNS, 1> x_rows(x, cut, place, place.first, place.end);
    row_reader<U, COLUMNS, 0> y_rows(y, cut, place, place.row, y_end);
    if (place.first == place.row) {
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            rows.below[j] = take_own(y_rows, j, shared);
        y_rows.next_row();
    }
    int i = place.first;
#pragma unroll 1
    for (; i + 1 < y_end; i++)
        add_row<true>(sum, rows, x_rows, y_rows, shared);
#pragma unroll 1
    for (; i < place.end; i++)
        add_row<false>(sum, rows, x_rows, y_rows, shared);
}

/* The block's sums of the group's channels that exist: taps (C, 9), y (C). */
__device__ inline void write_sums(float *taps, float *y, float *shared, const channel_sums &sum, int channels)
{
    float *mine = shared + (int)threadIdx.x * 2 * SUMS;
#pragma unroll
    for (int k = 0; k < 2; k++) {
#pragma unroll
        for (int t = 0; t < 9; t++)
            mine[k * SUMS + t] = sum.tap[9 * k + t];
        mine[k * SUMS + 9] = sum.y[k];
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < GROUP * SUMS && i < channels * SUMS; i += (int)blockDim.x) {
        const int c = i / SUMS, t = i % SUMS;
        float total = 0;
        for (int at = i; at < (int)blockDim.x * 2 * SUMS; at += GROUP * SUMS)
            total += shared[at];
        if (t < 9)
            taps[9 * c + t] = total;
        else if (y)
            y[c] = total;
    }
}

/* Part p has sums + p * step: taps (C, 9) and, with_y, y (C). */
template <int COLUMNS, bool SHARED, class T, class U>
static __global__ void __launch_bounds__(MOST_THREADS, sizeof(T) + sizeof(U) == 2 * sizeof(bf16) ? 6 : 4)
    sum_parts(const pictures<const T> x, const pictures<const U> y, float *sums, int64_t step, bool with_y,
              const conv3x3_cut cut, const parts n)
{
    DYNAMIC_SHARED(float, shared);
    const int64_t part = blockIdx.x / cut.groups;
    const unsigned group = blockIdx.x % cut.groups;
    channel_sums sum = {};
    for (int64_t tile = part * n.each; tile < (part + 1) * n.each && tile < n.tiles; tile++)
        add_strip<COLUMNS, SHARED>(sum, x, y, cut, place_of<COLUMNS>(cut, (unsigned)tile, group));
    const int64_t first = (int64_t)group * GROUP, left = cut.channels - first;
    float *taps = sums + part * step;
    write_sums(taps + first * 9, with_y ? taps + 9 * cut.channels + first : NULL, shared, sum,
               left < GROUP ? (int)left : GROUP);
}

static bool with_y(const ttt_launch *launch)
{
    return launch->n_out > 1;
}

/* Whether the sums are of parts that are yet to be added. */
static bool in_parts(const ttt_launch *launch, const parts &n)
{
    return with_y(launch) || (launch->out[0].shape.rank == 3 && n.count > 1);
}

static conv3x3_cut cut_of(const ttt_launch *launch)
{
    return cut_pictures(launch->in[0].shape, is_aligned(&launch->in[0], 2) && is_aligned(&launch->in[1], 2));
}

static int64_t sums_of_part(const ttt_launch *launch)
{
    return launch->in[0].shape.size[3] * (with_y(launch) ? SUMS : 9);
}

static size_t workspace(const ttt_launch *launch)
{
    const parts n = parts_of(launch, cut_of(launch));
    return in_parts(launch, n) ? (size_t)(n.count * sums_of_part(launch)) * sizeof(float) : 0;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    *why = "the channels of x and y must have unit stride";
    if (!has_unit_channels(&launch->in[0]) || !has_unit_channels(&launch->in[1]))
        return false;
    *why = "the kernel and the sum of y must be f32";
    for (int i = 0; i < launch->n_out; i++)
        if (launch->out[i].dtype != TTT_F32)
            return false;
    return ttt_all_f32_or_bf16(launch, why);
}

template <int COLUMNS, bool SHARED>
static ttt_status run_parts(const ttt_launch *launch, const conv3x3_cut &cut, const parts &n, float *sums)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->in[1];
    const int threads = cut.warps * WARP;
    return by_type(x->dtype, [&](auto x_type) {
        return by_type(y->dtype, [&](auto y_type) {
            using T = decltype(x_type);
            using U = decltype(y_type);
            return enqueue(launch, sum_parts<COLUMNS, SHARED, T, U>, (unsigned)(n.count * cut.groups),
                           threads, (size_t)threads * 2 * SUMS * sizeof(float), pictures_of<const T>(x),
                           pictures_of<const U>(y), sums, sums_of_part(launch), with_y(launch), cut, n);
        });
    });
}

/* Strips share columns where they do not fill the width. */
static ttt_status run_parts(const ttt_launch *launch, const conv3x3_cut &cut, const parts &n, float *sums)
{
    if (cut.strip == 1)
        return run_parts<1, false>(launch, cut, n, sums);
    return cut.width % STRIP ? run_parts<STRIP, true>(launch, cut, n, sums)
                             : run_parts<STRIP, false>(launch, cut, n, sums);
}

static ttt_status run(const ttt_launch *launch)
{
    const conv3x3_cut cut = cut_of(launch);
    const parts n = parts_of(launch, cut);
    float *kernel = static_cast<float *>(launch->out[0].data);
    float *sums = in_parts(launch, n) ? static_cast<float *>(launch->workspace) : kernel;
    TRY(run_parts(launch, cut, n, sums));
    if (sums == kernel)
        return TTT_OK;
    const int64_t sums_each = sums_of_part(launch);
    return enqueue_row_sums<SLICES>(launch,
                                    {sums, (int)n.count, sums_each, sums_each, 9 * cut.channels, kernel,
                                     with_y(launch) ? static_cast<float *>(launch->out[1].data) : NULL});
}

extern "C" const ttt_implementation ttt_conv3x3_kernel_gradient_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
