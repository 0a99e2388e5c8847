/* Depthwise 3x3 convolution on CUDA: a warp slides down a strip with the taps and two unfinished rows in
 * registers.  Reads x once (the margins of strips and of larger pictures twice, mostly from a cache) and
 * writes y.  A row of a strip of bf16 is some 250 instructions for 14 elements of each lane, 126 of them
 * multiply-adds: a H200 issues them in two thirds of the time that it takes for the bytes. */
#include "ttt/ops/conv3x3/conv3x3_cuda.cuh"

/* The kernels: tap (u, v) of channel c for sample b at b * sample + c * channel + u * row + v * column. */
struct kernels {
    const float *at;
    int64_t sample, channel, row, column;
    bool flipped, adds_input;
};

/* taps[9 c + t] for the group's channels, turned where they are to be; x itself is one more in the middle. */
__device__ inline void lay_out_taps(float *taps, const kernels &k, int64_t sample, int64_t channel0,
                                    int64_t channels)
{
    for (int c = (int)threadIdx.x; c < GROUP; c += (int)blockDim.x) {
        const float *from = k.at + sample * k.sample + (channel0 + c) * k.channel;
#pragma unroll
        for (int t = 0; t < 9; t++)
            taps[9 * c + (k.flipped ? 8 - t : t)] =
                channel0 + c < channels ? from[t / 3 * k.row + t % 3 * k.column] : 0;
        taps[9 * c + 4] += (float)k.adds_input;
    }
}

/* Output rows that a row of pixels adds to and leaves unfinished, by column and channel. */
template <int COLUMNS> struct unfinished {
    float level[COLUMNS][2], below[COLUMNS][2];
};

/* Adds the row of pixels that is next to the three output rows that meet it in kernel rows 2, 1 and 0; the
 * first of them is then done: done(y) takes its columns in order. */
template <int COLUMNS, class Rows, class Done>
__device__ inline void add_row(unfinished<COLUMNS> &y, Rows &rows, const float (&tap)[18],
                               const float (&bias)[2], Done done)
{
    float x[COLUMNS + 2][2];
    unpack(x[0], rows.take(0));
    unpack(x[1], rows.take(1));
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) {
        float above[2];
        unpack(x[j + 2], rows.take(j + 2));
#pragma unroll
        for (int k = 0; k < 2; k++) {
            float level = y.below[j][k], below = bias[k];
            above[k] = y.level[j][k];
#pragma unroll
            for (int v = 0; v < 3; v++) {
                above[k] += x[j + v][k] * tap[9 * k + 6 + v];
                level += x[j + v][k] * tap[9 * k + 3 + v];
                below += x[j + v][k] * tap[9 * k + v];
            }
            y.level[j][k] = level;
            y.below[j][k] = below;
        }
        done(above);
    }
    rows.next_row();
}

/* The lane's two channels of a pixel, those of them that exist. */
template <int COLUMNS, class U>
__device__ inline void store_pixel(U *y, int channels, const float (&value)[2])
{
    if constexpr (COLUMNS > 1) {
        *reinterpret_cast<channel_pair<U> *>(y) = pack<U>(value);
    } else {
        y[0] = from_float<U>(value[0]);
        if (channels > 1)
            y[1] = from_float<U>(value[1]);
    }
}

/* Rows: a row_reader or row_ring. */
template <int COLUMNS, template <class, int, int> class Rows, class T, class U>
static __global__ void __launch_bounds__(MOST_THREADS, resident<T>)
    convolve(const pictures<const T> x, const kernels kernel, const float *bias, const pictures<U> y,
             const conv3x3_cut cut)
{
    typedef Rows<T, COLUMNS, 1> rows_of_strip;
    __shared__ float taps[GROUP * 9];
    DYNAMIC_SHARED(typename rows_of_strip::memory, memory); /* of each warp */
    const unsigned group = blockIdx.x % cut.groups;
    const conv3x3_place place = place_of<COLUMNS>(cut, blockIdx.x / cut.groups, group);
    rows_of_strip rows(memory[threadIdx.x / WARP], x, cut, place, place.first, place.end);
    lay_out_taps(taps, kernel, place.sample, (int64_t)group * GROUP, cut.channels);
    __syncthreads();
    if (place.rows == 0)
        return;

    float tap[18], constant[2];
    load_taps(tap, taps + threadIdx.x % WARP * 18);
#pragma unroll
    for (int k = 0; k < 2; k++)
        constant[k] = bias && k < place.channels ? bias[place.channel + k] : 0;
    unfinished<COLUMNS> sum;
#pragma unroll
    for (int n = 0; n < 2 * COLUMNS; n++)
        sum.level[n / 2][n % 2] = sum.below[n / 2][n % 2] = constant[n % 2];
    U *to = y.at(place, place.row, place.column);
    auto store = [&](const float(&value)[2]) {
        store_pixel<COLUMNS>(to, place.channels, value);
        to += y.column;
    };
#pragma unroll 1
    for (int i = place.first; i < place.end; i++) {
        const bool has_above = i > place.row && place.channels > 0;
        add_row(sum, rows, tap, constant, [&](const float(&value)[2]) {
            if (has_above)
                store(value);
        });
        if (has_above)
            to += y.row - COLUMNS * y.column;
    }
    if (place.channels == 0 || place.end > place.row + place.rows)
        return;
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
        store(sum.level[j]);
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

template <int COLUMNS, template <class, int, int> class Rows>
static ttt_status run_cut(const ttt_launch *launch, const conv3x3_cut &cut)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->out[0];
    const unsigned blocks = (unsigned)x->shape.size[0] * (unsigned)(cut.down * cut.across * cut.groups);
    return by_type(x->dtype, [&](auto from) {
        return by_type(y->dtype, [&](auto to) {
            using T = decltype(from);
            using U = decltype(to);
            const size_t shared_bytes = (size_t)cut.warps * sizeof(typename Rows<T, COLUMNS, 1>::memory);
            return enqueue(launch, convolve<COLUMNS, Rows, T, U>, blocks, cut.warps * WARP, shared_bytes,
                           pictures_of<const T>(x), kernels_of(launch), (const float *)launch->in[2].data,
                           pictures_of<U>(y), cut);
        });
    });
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0];
    const conv3x3_cut cut = cut_pictures(x->shape, is_aligned(x, 2) && is_aligned(&launch->out[0], 2));
    if (cut.strip == 1)
        return run_cut<1, row_reader>(launch, cut);
    return is_aligned(x, 16 / (int)ttt_dtype_size(x->dtype)) ? run_cut<STRIP, row_ring>(launch, cut)
                                                             : run_cut<STRIP, row_reader>(launch, cut);
}

extern "C" const ttt_implementation ttt_conv3x3_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
