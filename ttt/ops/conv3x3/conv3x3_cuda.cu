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

/* The lane's two channels of one pixel, those of them that exist. */
template <class U>
__device__ inline void store_pixel(U *y, int64_t channels, bool in_pairs, const float (&value)[2])
{
    if (in_pairs) {
        if (channels > 0)
            store<2>(y, value);
        return;
    }
    for (int k = 0; k < 2; k++)
        if (k < channels)
            y[k] = from_float<U>(value[k]);
}

/* The output rows that pixels add to: `above` is finished with the row below it. */
struct unfinished {
    float above[2][2], level[2][2], below[2][2]; /* by column and channel */
};

/* Adds a row of pixels to the three output rows that meet it in kernel rows 2, 1 and 0. */
__device__ inline void add_pixels(unfinished &y, const float (&x)[4][2], const float (&tap)[18],
                                  const float (&bias)[2])
{
#pragma unroll
    for (int n = 0; n < 4; n++) {
        const int j = n / 2, k = n % 2;
        float above = y.level[j][k], level = y.below[j][k], below = bias[k];
#pragma unroll
        for (int v = 0; v < 3; v++) {
            above += x[j + v][k] * tap[9 * k + 6 + v];
            level += x[j + v][k] * tap[9 * k + 3 + v];
            below += x[j + v][k] * tap[9 * k + v];
        }
        y.above[j][k] = above;
        y.level[j][k] = level;
        y.below[j][k] = below;
    }
}

template <class T, class U>
static __global__ void __launch_bounds__(MOST_THREADS)
    convolve(pictures<T> x, kernels kernel, const float *bias, U *y, conv3x3_cut cut)
{
    DYNAMIC_SHARED(float, taps);
    T *tile = reinterpret_cast<T *>(taps + GROUP * 9);
    const int columns = cut.columns + 2, pair = (int)threadIdx.x / WARP * 2;
    const conv3x3_place place = place_of(cut, blockIdx.x / cut.groups, (int)(blockIdx.x % cut.groups));
    const int64_t c = place.channel + threadIdx.x % WARP * 2, channels = cut.channels - c;
    fill_tile(tile, x, cut, place, 1);
    copy_commit();
    lay_out_taps(taps, kernel, place, cut.channels);
    copy_wait<0>();
    __syncthreads();

    float tap[18], pixels[4][2], constant[2];
    load_taps(tap, taps + threadIdx.x % WARP * 18);
#pragma unroll
    for (int k = 0; k < 2; k++)
        constant[k] = bias && k < channels ? bias[c + k] : 0;
    unfinished sum = {};
    for (int i = 0; i < 2; i++) {
        load_pixels(pixels, tile, i * columns + pair);
        add_pixels(sum, pixels, tap, constant);
    }
    const int64_t column = place.column + pair, row_step = cut.width * cut.channels;
    const bool first = column < cut.width, second = column + 1 < cut.width, in_pairs = cut.channels % 2 == 0;
    const int rows = (int)(cut.height - place.row < cut.rows ? cut.height - place.row : cut.rows);
    const T *from = tile + (2 * columns + pair) * GROUP;
    U *to = y + ((place.sample * cut.height + place.row) * cut.width + column) * cut.channels + c;
#pragma unroll 3
    for (int i = 0; i < rows; i++) {
        load_pixels(pixels, from, 0);
        add_pixels(sum, pixels, tap, constant);
        if (first)
            store_pixel(to, channels, in_pairs, sum.above[0]);
        if (second)
            store_pixel(to + cut.channels, channels, in_pairs, sum.above[1]);
        from += columns * GROUP;
        to += row_step;
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
