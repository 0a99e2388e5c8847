/* Pictures to patches and back on CUDA.
 *
 * A block moves a tile of some channels, rows and columns of one picture through shared memory, so that it
 * reads and writes runs of neighbours on both sides: eight at a time where no run ends within eight, else
 * one. Reads and writes every element once.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/patches/patches_rows.h"
}

enum {
    THREADS = 256,
    WIDTH = 128,     /* of a tile, pixels */
    ELEMENTS = 4096, /* of a tile, at most */
    RUN = 8,         /* elements that are moved at a time */
    MOST_CHANNELS = 32,
    LARGEST_SIDE = 32767, /* of a patch: quotients by it are exact */
};

namespace
{
struct pictures {
    int channels, height, width, p;
    bool channel_first;
    int tile_channels, tile_rows;
    unsigned across, down, deep;        /* tiles of a picture: along width, height, channels */
    divisor by_p, by_channels, by_rows; /* the last two of a tile */
};

/* A place in a picture, or in a tile. */
struct spot {
    int channel, row, column;
};

/* Elements by plane and column, with gaps behind runs so that threads that write these side by side meet
 * different banks of shared memory. */
struct tile {
    float at[ELEMENTS / WIDTH][WIDTH + WIDTH / RUN + 1];

    __device__ float &element(const pictures &s, spot e)
    {
        return at[e.channel * s.tile_rows + e.row][e.column + e.column / RUN];
    }
};
} // namespace

/* The e-th element of a tile, in the order of pictures. */
static __device__ inline spot in_picture_order(const pictures &s, int e)
{
    const int plane = e / WIDTH, channel = (int)divide(plane, s.by_rows);
    return {channel, plane - channel * s.tile_rows, e % WIDTH};
}

/* ... and in an order that meets neighbours in a patch one after another. */
static __device__ inline spot in_patch_order(const pictures &s, int e)
{
    if (s.channel_first)
        return in_picture_order(s, e);
    const int pixel = (int)divide(e, s.by_channels);
    return {e - pixel * s.tile_channels, pixel / WIDTH, pixel % WIDTH};
}

/* What comes after it in either order, within a row. */
template <bool OF_PATCH> static __device__ inline void move_on(const pictures &s, spot &at)
{
    if (!OF_PATCH || s.channel_first || ++at.channel == s.tile_channels) {
        at.column++;
        if (OF_PATCH && !s.channel_first)
            at.channel = 0;
    }
}

static __device__ inline bool inside(const pictures &s, spot corner, spot at)
{
    return corner.channel + at.channel < s.channels && corner.row + at.row < s.height &&
           corner.column + at.column < s.width;
}

static __device__ inline int64_t picture_offset(const pictures &s, int64_t picture, spot corner, spot at)
{
    const int64_t plane = picture * s.channels + corner.channel + at.channel;
    return (plane * s.height + corner.row + at.row) * s.width + corner.column + at.column;
}

/* The same element among the patches (B, H/p, W/p, C*p*p). */
static __device__ inline int64_t patch_offset(const pictures &s, int64_t picture, spot corner, spot at)
{
    const int p = s.p, below = corner.row % p + at.row, beside = corner.column % p + at.column;
    const int i = (int)divide(below, s.by_p), u = below - i * p, j = (int)divide(beside, s.by_p),
              v = beside - j * p;
    const int64_t patch =
        (picture * (s.height / p) + corner.row / p + i) * (s.width / p) + corner.column / p + j;
    const int64_t channel = corner.channel + at.channel;
    return patch * s.channels * p * p +
           (s.channel_first ? (channel * p + u) * p + v : ((int64_t)u * p + v) * s.channels + channel);
}

/* Calls f(where, offset) for the places where a thread's runs of N begin: in pictures or, OF_PATCH, in
 * patches. */
template <bool OF_PATCH, int N, class F>
static __device__ inline void each_run(const pictures &s, int64_t picture, spot corner, F f)
{
    const int elements = s.tile_channels * s.tile_rows * WIDTH;
#pragma unroll 4
    for (int e = (int)threadIdx.x * N; e < elements; e += THREADS * N) {
        const spot at = OF_PATCH ? in_patch_order(s, e) : in_picture_order(s, e);
        if (inside(s, corner, at))
            f(at, OF_PATCH ? patch_offset(s, picture, corner, at) : picture_offset(s, picture, corner, at));
    }
}

/* CUT: from pictures to patches; else back. */
template <bool CUT, int N, class From, class To>
static __global__ void __launch_bounds__(THREADS) move_tile(const pictures s, const From *from, To *to)
{
    __shared__ tile tile;
    unsigned left = blockIdx.x;
    spot corner;
    corner.column = (int)(left % s.across) * WIDTH;
    left /= s.across;
    corner.row = (int)(left % s.down) * s.tile_rows;
    left /= s.down;
    corner.channel = (int)(left % s.deep) * s.tile_channels;
    const int64_t picture = left / s.deep;
    each_run<!CUT, N>(s, picture, corner, [&](spot at, int64_t offset) {
        float run[N];
        load<N>(from + offset, run);
#pragma unroll
        for (int i = 0; i < N; i++, move_on<!CUT>(s, at))
            tile.element(s, at) = run[i];
    });
    __syncthreads();
    each_run<CUT, N>(s, picture, corner, [&](spot at, int64_t offset) {
        float run[N];
#pragma unroll
        for (int i = 0; i < N; i++, move_on<CUT>(s, at))
            run[i] = tile.element(s, at);
        store<N>(to + offset, run);
    });
}

static int smaller(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

static pictures pictures_of(const ttt_operand *images, const ttt_patches_attributes *attributes)
{
    const int64_t *size = images->shape.size;
    pictures s = {};
    s.channels = (int)size[1];
    s.height = (int)size[2];
    s.width = (int)size[3];
    s.p = (int)attributes->p;
    s.channel_first = attributes->order == TTT_PATCH_CHANNEL_FIRST;
    s.tile_channels = smaller(s.channels, MOST_CHANNELS);
    s.tile_rows = smaller(s.height, ELEMENTS / WIDTH / s.tile_channels);
    s.across = blocks_for(s.width, WIDTH);
    s.down = blocks_for(s.height, s.tile_rows);
    s.deep = blocks_for(s.channels, s.tile_channels);
    s.by_p = divisor_of(s.p);
    s.by_channels = divisor_of(s.tile_channels);
    s.by_rows = divisor_of(s.tile_rows);
    return s;
}

/* Whether runs of RUN elements begin at multiples of 16 bytes, and none goes past a row of a picture or of a
 * patch. */
static bool fits_runs(const pictures &s, const ttt_operand *in, const ttt_operand *out)
{
    const int64_t row_of_patch = s.channel_first ? s.p : s.deep == 1 ? s.p * (int64_t)s.channels : 1;
    return s.width % RUN == 0 && row_of_patch % RUN == 0 &&
           ((uintptr_t)in->data | (uintptr_t)out->data) % 16 == 0;
}

template <bool CUT> static ttt_status move(const ttt_launch *launch)
{
    const ttt_operand *in = &launch->in[0], *out = &launch->out[0], *images = CUT ? in : out;
    const pictures s = pictures_of(images, static_cast<const ttt_patches_attributes *>(launch->attributes));
    const unsigned tiles = (unsigned)images->shape.size[0] * s.across * s.down * s.deep;
    return by_type(in->dtype, [&](auto a) {
        return by_type(out->dtype, [&](auto b) {
            typedef decltype(a) From;
            typedef decltype(b) To;
            return enqueue(
                launch, fits_runs(s, in, out) ? move_tile<CUT, RUN, From, To> : move_tile<CUT, 1, From, To>,
                tiles, THREADS, 0, s, static_cast<const From *>(in->data), static_cast<To *>(out->data));
        });
    });
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const auto *attributes = static_cast<const ttt_patches_attributes *>(launch->attributes);
    const bool contiguous = ttt_operand_contiguous(&launch->in[0]), small = attributes->p <= LARGEST_SIDE;
    if (!contiguous || !small)
        *why = contiguous ? "the side of a patch is above 32767" : "an operand is strided";
    return contiguous && small && ttt_all_f32_or_bf16(launch, why);
}

extern "C" const ttt_implementation ttt_patches_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = move<true>,
};

extern "C" const ttt_implementation ttt_unpatches_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = move<false>,
};
