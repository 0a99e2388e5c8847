/* The kernel gradient of the depthwise 3x3 convolution on CUDA.
 *
 * A block sums over some tiles, in order, with the nine sums of a lane's two channels in registers; then over
 * its warps.  Summed over the batch, PARTS / groups parts of the tiles are added in a second launch, again in
 * order: the result depends on the shape alone.  Reads x and y once (the margins of larger pictures twice).
 */
#include "ttt/ops/conv3x3/conv3x3_cuda.cuh"

enum { PARTS = 512 }; /* blocks that fill a large device */

/* Tiles and how they are shared out: part p has tiles p * each and on, and its own kernel (C, 3, 3). */
struct parts {
    int64_t tiles, each, count;
};

static parts parts_of(const ttt_launch *launch, const conv3x3_cut &cut)
{
    const int64_t samples = launch->in[0].shape.size[0], of_sample = (int64_t)cut.down * cut.across;
    const int64_t tiles = samples * of_sample;
    if (launch->out[0].shape.rank == 4)
        return {tiles, of_sample, samples};
    const int64_t each = blocks_for(tiles, blocks_for(PARTS, cut.groups));
    return {tiles, each, blocks_for(tiles, each)};
}

/* Rows of y that a row of pixels meets in kernel rows 2, 1 and 0; by column and channel. */
struct three_rows {
    float above[2][2], level[2][2], below[2][2];
};

__device__ inline void add_pixels(float (&sum)[18], const float (&x)[4][2], const three_rows &y)
{
#pragma unroll
    for (int n = 0; n < 12; n++) { /* column, channel and tap of a kernel row */
        const int j = n / 6, k = n / 3 % 2, v = n % 3;
        sum[9 * k + v] += x[j + v][k] * y.below[j][k];
        sum[9 * k + 3 + v] += x[j + v][k] * y.level[j][k];
        sum[9 * k + 6 + v] += x[j + v][k] * y.above[j][k];
    }
}

__device__ inline void shift_up(three_rows &y)
{
#pragma unroll
    for (int n = 0; n < 4; n++) {
        const int j = n / 2, k = n % 2;
        y.above[j][k] = y.level[j][k];
        y.level[j][k] = y.below[j][k];
        y.below[j][k] = 0;
    }
}

/* What the lane's two channels of two columns of a tile add: x has a margin of one pixel, y has none. */
template <class T, class U>
__device__ inline void add_columns(float (&sum)[18], const T *x, const U *y, const conv3x3_cut &cut)
{
    const int pair = (int)threadIdx.x / WARP * 2;
    three_rows rows = {};
    float pixels[4][2];
    x += pair * GROUP;
    y += pair * GROUP;
    for (int i = 0; i < cut.rows; i++) {
        shift_up(rows);
        load_pixels(rows.below, y, 0);
        load_pixels(pixels, x, 0);
        add_pixels(sum, pixels, rows);
        x += (cut.columns + 2) * GROUP;
        y += cut.columns * GROUP;
    }
    for (int i = 0; i < 2; i++) {
        shift_up(rows);
        load_pixels(pixels, x, i * (cut.columns + 2));
        add_pixels(sum, pixels, rows);
    }
}

/* kernel[9 c + t] of the group's channels that exist: the sums of all warps. */
__device__ inline void write_kernel(float *kernel, float *shared, const float (&sum)[18], int64_t channels)
{
    store_taps(shared + (int)threadIdx.x * 18, sum);
    __syncthreads();
    for (int i = (int)threadIdx.x; i < GROUP * 9 && i < channels * 9; i += (int)blockDim.x) {
        float total = 0;
        for (int at = i; at < (int)blockDim.x * 18; at += GROUP * 9)
            total += shared[at];
        kernel[i] = total;
    }
}

template <class T, class U>
static __global__ void __launch_bounds__(MOST_THREADS)
    sum_parts(pictures<T> x, pictures<U> y, float *kernels /* (parts, C, 3, 3) */, conv3x3_cut cut, parts n)
{
    DYNAMIC_SHARED(unsigned char, shared);
    T *x_tile = reinterpret_cast<T *>(shared);
    U *y_tile = reinterpret_cast<U *>(x_tile + (cut.rows + 2) * (cut.columns + 2) * GROUP);
    const int64_t part = blockIdx.x / cut.groups;
    const int group = (int)(blockIdx.x % cut.groups);
    float sum[18] = {};
    for (int64_t tile = part * n.each; tile < (part + 1) * n.each && tile < n.tiles; tile++) {
        const conv3x3_place place = place_of(cut, tile, group);
        fill_tile(x_tile, x, cut, place, 1);
        fill_tile(y_tile, y, cut, place, 0);
        copy_commit();
        copy_wait<0>();
        __syncthreads();
        add_columns(sum, x_tile, y_tile, cut);
        __syncthreads();
    }
    const int64_t first = (int64_t)group * GROUP;
    write_kernel(kernels + (part * cut.channels + first) * 9, reinterpret_cast<float *>(shared), sum,
                 cut.channels - first);
}

enum { THREADS = 128 };

static __global__ void add_parts(const float *parts /* (count, n) */, float *kernel, int64_t count, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    float sum = 0;
    if (i >= n)
        return;
#pragma unroll 8
    for (int64_t part = 0; part < count; part++)
        sum += parts[part * n + i];
    kernel[i] = sum;
}

static bool adds_parts(const ttt_launch *launch, const parts &n)
{
    return launch->out[0].shape.rank == 3 && n.count > 1;
}

static size_t workspace(const ttt_launch *launch)
{
    const parts n = parts_of(launch, cut_pictures(launch->in[0].shape));
    return adds_parts(launch, n) ? (size_t)(n.count * ttt_operand_bytes(&launch->out[0])) : 0;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    *why = "the channels of x and y must have unit stride";
    if (!has_unit_channels(&launch->in[0]) || !has_unit_channels(&launch->in[1]))
        return false;
    *why = "the kernel must be f32";
    return launch->out[0].dtype == TTT_F32 && ttt_all_f32_or_bf16(launch, why);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->in[1];
    const conv3x3_cut cut = cut_pictures(x->shape);
    const parts n = parts_of(launch, cut);
    const bool adds = adds_parts(launch, n);
    float *kernel = static_cast<float *>(launch->out[0].data);
    float *kernels = adds ? static_cast<float *>(launch->workspace) : kernel;
    const size_t x_pixels = (size_t)((cut.rows + 2) * (cut.columns + 2)),
                 y_pixels = (size_t)(cut.rows * cut.columns);
    TRY(by_type(x->dtype, [&](auto x_type) {
        return by_type(y->dtype, [&](auto y_type) {
            using T = decltype(x_type);
            using U = decltype(y_type);
            const size_t tiles = GROUP * (x_pixels * sizeof(T) + y_pixels * sizeof(U));
            const size_t sums = (size_t)threads_of(cut) * 18 * sizeof(float);
            return enqueue(launch, sum_parts<T, U>, dim3((unsigned)(n.count * cut.groups)), threads_of(cut),
                           tiles > sums ? tiles : sums, pictures_of<T>(x), pictures_of<U>(y), kernels, cut,
                           n);
        });
    }));
    if (!adds)
        return TTT_OK;
    const int64_t elements = ttt_operand_elements(&launch->out[0]);
    return enqueue(launch, add_parts, dim3(blocks_for(elements, THREADS)), THREADS, 0, (const float *)kernels,
                   kernel, n.count, elements);
}

extern "C" const ttt_implementation ttt_conv3x3_kernel_gradient_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
