/* Depthwise 3x3 convolution on CUDA: a block has a tile with its margin in shared memory, and computes it
 * with the taps and two unfinished rows in registers.  Reads x once (the margins of larger pictures twice)
 * and writes y. */
#include "ttt/ops/conv3x3/conv3x3_cuda.cuh"

/* The kernels: tap (u, v) of channel c for sample b at b * sample + c * channel + u * row + v * column. */
struct kernels {
    const float *at;
    int64_t sample, channel, row, column;
    bool flipped, adds_input;
};

/* taps[9 c + t] for the group's channels, turned where they are to be; x itself is one more in the middle. */
__device__ inline void lay_out_taps(float *taps, const kernels &k, const conv3x3_place &place,
                                    int64_t channels)
{
    for (int i = (int)threadIdx.x; i < GROUP * 9; i += (int)blockDim.x) {
        const int c = i / 9, t = i % 9, turned = k.flipped ? 8 - t : t;
        const int64_t at = place.sample * k.sample + (place.channel + c) * k.channel + turned / 3 * k.row +
                           turned % 3 * k.column;
        taps[i] = place.channel + c < channels ? k.at[at] + (float)(k.adds_input && t == 4) : 0;
    }
}

/* The lane's two channels of y[pixel], where they exist. */
template <class U>
__device__ inline void store_pixel(U *y, int64_t pixel, int64_t c, int64_t channels, float (&value)[2])
{
    U *to = y + pixel * channels + c;
    if (channels % 2 == 0) {
        if (c < channels)
            store<2>(to, value);
        return;
    }
    for (int k = 0; k < 2; k++)
        if (c + k < channels)
            to[k] = from_float<U>(value[k]);
}

/* sums + the three taps of kernel row u times the pixels they meet. */
__device__ inline void add_row(float (&sum)[2][2], const float (&x)[4][2], const float (&tap)[18], int u)
{
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
        for (int k = 0; k < 2; k++)
#pragma unroll
            for (int v = 0; v < 3; v++)
                sum[j][k] += x[j + v][k] * tap[9 * k + 3 * u + v];
}

template <class T, class U>
static __global__ void __launch_bounds__(MOST_THREADS)
    convolve(pictures<T> x, kernels kernel, const float *bias, U *y, conv3x3_cut cut)
{
    DYNAMIC_SHARED(float, taps);
    T *tile = reinterpret_cast<T *>(taps + GROUP * 9);
    const int columns = cut.columns + 2, pair = (int)threadIdx.x / WARP * 2;
    const conv3x3_place place = place_of(cut, blockIdx.x / cut.groups, (int)(blockIdx.x % cut.groups));
    const int64_t c = place.channel + threadIdx.x % WARP * 2;
    fill_tile(tile, x, cut, place, 1);
    copy_commit();
    lay_out_taps(taps, kernel, place, cut.channels);
    copy_wait<0>();
    __syncthreads();

    float tap[18], pixels[4][2], constant[2];
    load_taps(tap, taps + threadIdx.x % WARP * 18);
#pragma unroll
    for (int k = 0; k < 2; k++)
        constant[k] = bias && c + k < cut.channels ? bias[c + k] : 0;
    const float empty[2][2] = {{constant[0], constant[1]}, {constant[0], constant[1]}};
    float above[2][2], level[2][2], below[2][2];
    memcpy(level, empty, sizeof level);
    memcpy(below, empty, sizeof below);
    for (int i = 0; i < cut.rows + 2; i++) {
        memcpy(above, level, sizeof above);
        memcpy(level, below, sizeof level);
        memcpy(below, empty, sizeof below);
        load_pixels(pixels, tile, i * columns + pair);
        add_row(above, pixels, tap, 2);
        add_row(level, pixels, tap, 1);
        add_row(below, pixels, tap, 0);
        const int64_t row = place.row + i - 2, column = place.column + pair;
        if (i < 2 || row >= cut.height)
            continue;
        const int64_t pixel = (place.sample * cut.height + row) * cut.width + column;
#pragma unroll
        for (int j = 0; j < 2; j++)
            if (column + j < cut.width)
                store_pixel(y, pixel + j, c, cut.channels, above[j]);
    }
}

static bool supports(const ttt_launch *launch, const char **why)
{
    *why = "x's channels must have unit stride";
    if (!has_unit_channels(&launch->in[0]))
        return false;
    *why = "kernel and bias must be f32, and bias contiguous";
    if (launch->in[1].dtype != TTT_F32 ||
        (launch->in[2].dtype && (launch->in[2].dtype != TTT_F32 || !ttt_operand_contiguous(&launch->in[2]))))
        return false;
    return ttt_all_f32_or_bf16(launch, why);
}

static kernels kernels_of(const ttt_launch *launch)
{
    const auto *attributes = static_cast<const ttt_conv3x3_attributes *>(launch->attributes);
    const ttt_operand *k = &launch->in[1];
    const int64_t *stride = &k->stride[k->shape.rank - 3];
    return {static_cast<const float *>(k->data),
            k->shape.rank == 4 ? k->stride[0] : 0,
            stride[0],
            stride[1],
            stride[2],
            attributes->flipped,
            attributes->adds_input};
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->out[0];
    const conv3x3_cut cut = cut_pictures(x->shape);
    const unsigned blocks = (unsigned)x->shape.size[0] * (unsigned)(cut.down * cut.across * cut.groups);
    const int pixels = (cut.rows + 2) * (cut.columns + 2);
    return by_type(x->dtype, [&](auto from) {
        return by_type(y->dtype, [&](auto to) {
            using T = decltype(from);
            using U = decltype(to);
            return enqueue(launch, convolve<T, U>, dim3(blocks), threads_of(cut),
                           GROUP * (9 * sizeof(float) + pixels * sizeof(T)), pictures_of<T>(x),
                           kernels_of(launch), (const float *)launch->in[2].data, (U *)y->data, cut);
        });
    });
}

extern "C" const ttt_implementation ttt_conv3x3_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
