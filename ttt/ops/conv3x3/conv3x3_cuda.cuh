/* Tiles of pictures in shared memory, for both operators of conv3x3 on CUDA.
 *
 * A tile is up to 16 x 16 pixels of one picture and GROUP channels: pixel after pixel, whatever the picture's
 * strides.  A lane has two neighbouring channels, a warp two neighbouring columns of pixels, which it sweeps
 * from top to bottom.
 */
#ifndef TTT_OPS_CONV3X3_CONV3X3_CUDA_CUH
#define TTT_OPS_CONV3X3_CONV3X3_CUDA_CUH

#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/conv3x3/conv3x3_rows.h"
}

enum { GROUP = 2 * WARP, MOST_SIDE = 16, MOST_THREADS = MOST_SIDE / 2 * WARP };

/* How pictures are cut: into tiles of one size, and a tile's channels into groups. */
struct conv3x3_cut {
    int64_t height, width, channels;
    int rows, columns; /* of a tile; columns are even */
    int down, across;  /* tiles of a picture */
    int groups;
};

static inline conv3x3_cut cut_pictures(ttt_shape x)
{
    const int64_t height = x.size[1], width = x.size[2];
    conv3x3_cut cut = {.height = height, .width = width, .channels = x.size[3]};
    cut.rows = (int)blocks_for(height, blocks_for(height, MOST_SIDE));
    cut.columns = (int)blocks_for(width, blocks_for(width, MOST_SIDE));
    cut.columns += cut.columns % 2;
    cut.down = (int)blocks_for(height, cut.rows);
    cut.across = (int)blocks_for(width, cut.columns);
    cut.groups = (int)blocks_for(x.size[3], GROUP);
    return cut;
}

static inline int threads_of(const conv3x3_cut &cut)
{
    return cut.columns / 2 * WARP;
}

/* Where a tile begins. */
struct conv3x3_place {
    int64_t sample, row, column, channel;
};

__device__ inline conv3x3_place place_of(const conv3x3_cut &cut, int64_t tile, int group)
{
    return {tile / cut.across / cut.down, tile / cut.across % cut.down * cut.rows,
            tile % cut.across * cut.columns, (int64_t)group * GROUP};
}

/* Pictures (B, h, w, C), by their strides in elements; channels are of unit stride. */
template <class T> struct pictures {
    const T *at;
    int64_t sample, row, column;
    bool aligned; /* every eight (f32: four) channels begin on 16 bytes */
};

template <class T> static inline pictures<T> pictures_of(const ttt_operand *x)
{
    constexpr int64_t each = 16 / sizeof(T);
    const bool aligned = reinterpret_cast<uintptr_t>(x->data) % 16 == 0 && x->shape.size[3] % each == 0 &&
                         x->stride[0] % each == 0 && x->stride[1] % each == 0 && x->stride[2] % each == 0;
    return {static_cast<const T *>(x->data), x->stride[0], x->stride[1], x->stride[2], aligned};
}

/* Starts to copy a tile that begins `halo` pixels above and before `place`; zeros past the picture's edges.
 * Complete after a copy_commit, a copy_wait and a barrier.  Threads go on by as many pixels each time: row
 * and column are counted, not divided. */
template <class T>
__device__ inline void fill_tile(T *tile, const pictures<T> &x, const conv3x3_cut &cut,
                                 const conv3x3_place &place, int halo)
{
    constexpr int each = 16 / sizeof(T), chunks = GROUP / each;
    const int rows = cut.rows + 2 * halo, columns = cut.columns + 2 * halo, step = (int)blockDim.x / chunks;
    const int thread_channel = (int)threadIdx.x % chunks * each, pixel = (int)threadIdx.x / chunks;
    const int64_t channels = cut.channels - place.channel - thread_channel; /* those that are there */
    const int64_t above = place.row - halo, before = place.column - halo;
    const T *corner =
        x.at + place.sample * x.sample + above * x.row + before * x.column + place.channel + thread_channel;
    T *to = tile + (int)threadIdx.x * each;
    for (int i = pixel / columns, j = pixel % columns; i < rows; to += step * GROUP) {
        const bool inside = (uint64_t)(above + i) < (uint64_t)cut.height &&
                            (uint64_t)(before + j) < (uint64_t)cut.width && channels > 0;
        const T *from = inside ? corner + i * x.row + j * x.column : x.at;
        if (x.aligned)
            copy_async(to, from, inside);
        else
            for (int k = 0; k < each; k++)
                to[k] = inside && k < channels ? from[k] : from_float<T>(0);
        for (j += step; j >= columns; j -= columns)
            i++;
    }
}

/* The lane's two channels of `N` neighbouring pixels, the first at `pixel`. */
template <int N, class T> __device__ inline void load_pixels(float (&x)[N][2], const T *tile, int pixel)
{
#pragma unroll
    for (int j = 0; j < N; j++)
        load<2>(tile + (pixel + j) * GROUP + (int)threadIdx.x % WARP * 2, x[j]);
}

/* The nine taps of the lane's two channels, in shared memory: in pieces that eight bytes are aligned for. */
__device__ inline void load_taps(float (&tap)[18], const float *from)
{
#pragma unroll
    for (int t = 0; t < 18; t += 2) {
        float pair[2];
        load<2>(from + t, pair);
        tap[t] = pair[0];
        tap[t + 1] = pair[1];
    }
}
__device__ inline void store_taps(float *to, const float (&tap)[18])
{
#pragma unroll
    for (int t = 0; t < 18; t += 2)
        store<2>(to + t, {tap[t], tap[t + 1]});
}

static inline bool has_unit_channels(const ttt_operand *x)
{
    return x->stride[3] == 1 || x->shape.size[3] == 1;
}

#endif
