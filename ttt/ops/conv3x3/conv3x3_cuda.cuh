/* How pictures are shared out among warps, for both operators of conv3x3 on CUDA.
 *
 * A lane has two neighbouring channels; a warp has a strip of columns, which it slides down row by row.  What
 * it needs of a row is in registers, and rows below are under way: the next one to registers (row_reader), or
 * some to shared memory, 16 bytes an access (row_ring).  A strip reads one column beyond either side, which
 * comes from a cache the second time.
 */
#ifndef TTT_OPS_CONV3X3_CONV3X3_CUDA_CUH
#define TTT_OPS_CONV3X3_CONV3X3_CUDA_CUH

#include <type_traits>

#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/conv3x3/conv3x3_rows.h"
}

enum {
    GROUP = 2 * WARP, /* channels of a warp */
    STRIP = 7, /* columns: half of a picture of 224 pixels in patches of 16; the registers take no more */
    MOST_ROWS = 16,
    MOST_STRIPS = 4, /* of a block, a warp each */
    MOST_THREADS = MOST_STRIPS * WARP,
    RING = 4, /* rows of a strip in shared memory: one in use, and three on their way */
};

/* Blocks of MOST_THREADS that are to be resident: 24 warps with 80 registers, or 20 with 96. */
template <class T> constexpr int resident = sizeof(T) == sizeof(bf16) ? 6 : 5;

/* How pictures are cut: into tiles, one for a block, and these into strips.  Narrow pictures, and channels
 * that are not aligned in pairs, are cut into single columns. */
struct conv3x3_cut {
    int height, width;
    int64_t channels;
    int strip, strips; /* columns of a strip, strips of a picture */
    int rows, warps;   /* of a tile; its strips */
    int down, across;  /* tiles of a picture */
    int groups;        /* of channels */
};

static inline conv3x3_cut cut_pictures(ttt_shape x, bool in_pairs)
{
    conv3x3_cut cut = {};
    cut.height = (int)x.size[1];
    cut.width = (int)x.size[2];
    cut.channels = x.size[3];
    cut.strip = in_pairs && cut.width >= STRIP ? STRIP : 1;
    cut.strips = (int)blocks_for(cut.width, cut.strip);
    cut.across = (int)blocks_for(cut.strips, MOST_STRIPS);
    cut.warps = (int)blocks_for(cut.strips, cut.across);
    cut.down = (int)blocks_for(cut.height, MOST_ROWS);
    cut.rows = (int)blocks_for(cut.height, cut.down);
    cut.groups = (int)blocks_for(x.size[3], GROUP);
    return cut;
}

/* A warp's strip of a tile, and the lane's channels.  Where it has none, or there is no such strip, it reads
 * what others do, and writes nothing. */
struct conv3x3_place {
    int64_t sample, group, channel; /* of the warp's channels the first; of the lane's */
    int row, rows, column;          /* no rows: there is no such strip */
    int shared;     /* columns that belong to the strip before: the last strip ends at the edge */
    int channels;   /* of two, those that exist */
    int first, end; /* rows of pixels that meet the strip's, with those above and below */
};

template <int COLUMNS>
__device__ inline conv3x3_place place_of(const conv3x3_cut &cut, unsigned tile, unsigned group)
{
    const int strip = (int)(tile % cut.across) * cut.warps + (int)threadIdx.x / WARP,
              column = strip * COLUMNS;
    const unsigned down = tile / cut.across;
    const int64_t channel = (int64_t)group * GROUP + threadIdx.x % WARP * 2, left = cut.channels - channel;
    conv3x3_place at;
    at.sample = down / cut.down;
    at.channels = left > 1 ? 2 : left > 0 ? 1 : 0;
    at.group = (int64_t)group * GROUP;
    at.channel = left > 0 ? channel : 0;
    at.row = (int)(down % cut.down) * cut.rows;
    at.rows = strip < cut.strips ? min(cut.rows, cut.height - at.row) : 0;
    at.column = min(column, cut.width - COLUMNS);
    at.shared = column - at.column;
    at.first = max(at.row - 1, 0);
    at.end = at.rows ? min(at.row + at.rows + 1, cut.height) : at.first;
    return at;
}

/* Two channels of a pixel as they lie in memory. */
template <class T> using channel_pair = std::conditional_t<sizeof(T) == sizeof(bf16), uint32_t, float2>;

__device__ inline void unpack(float (&x)[2], uint32_t pair)
{
    x[0] = __uint_as_float(pair << 16);
    x[1] = __uint_as_float(pair & 0xffff0000u);
}
__device__ inline void unpack(float (&x)[2], float2 pair)
{
    x[0] = pair.x;
    x[1] = pair.y;
}

template <class T> __device__ inline channel_pair<T> pack(const float (&x)[2])
{
    if constexpr (sizeof(T) == sizeof(bf16))
        return bf16_pair(x[0], x[1]);
    else
        return make_float2(x[0], x[1]);
}

/* The same from channels that are not aligned in pairs, of which the second may not exist. */
__device__ inline uint32_t load_apart(const bf16 *x, int channels)
{
    return bf16_pair(to_float(x[0]), channels > 1 ? to_float(x[1]) : 0);
}
__device__ inline float2 load_apart(const float *x, int channels)
{
    return make_float2(x[0], channels > 1 ? x[1] : 0);
}

/* Pictures (B, h, w, C), by their strides in elements; channels are of unit stride. */
template <class T> struct pictures {
    T *data;
    int64_t sample, row, column;

    /* The lane's channels of a pixel of the sample. */
    __device__ T *at(const conv3x3_place &place, int i, int j) const
    {
        return data + place.sample * sample + i * row + j * column + place.channel;
    }
};

template <class T> static inline pictures<T> pictures_of(const ttt_operand *x)
{
    return {static_cast<T *>(x->data), x->stride[0], x->stride[1], x->stride[2]};
}

/* Rows of a strip on their way, one after another, and of HALO columns beyond either side: zeros past the
 * picture's edges.  After the last row it comes again. */
template <class T, int COLUMNS, int HALO> struct row_reader {
    static constexpr int WIDTH = COLUMNS + 2 * HALO;
    struct memory {
    }; /* shared memory of a warp: none */

    channel_pair<T> ahead[WIDTH];
    const T *at; /* the pixel that is next */
    int64_t column_step, row_step, back;
    int left; /* rows, of those not under way */
    bool first, last;
    int channels;

    __device__ row_reader(const pictures<const T> &x, const conv3x3_cut &cut, const conv3x3_place &place,
                          int begin, int end)
        : at(x.at(place, begin, place.column - HALO)), column_step(x.column), row_step(x.row),
          back(WIDTH * x.column), left(end - begin), first(place.column == 0),
          last(place.column + COLUMNS == cut.width), channels(place.channels)
    {
#pragma unroll
        for (int j = 0; j < WIDTH; j++)
            fetch(j);
        next_row();
    }

    __device__ row_reader(memory &, const pictures<const T> &x, const conv3x3_cut &cut,
                          const conv3x3_place &place, int begin, int end)
        : row_reader(x, cut, place, begin, end)
    {
    }

    __device__ void fetch(int j)
    {
        if (HALO && ((j == 0 && first) || (j == WIDTH - 1 && last)))
            ahead[j] = channel_pair<T>();
        else if constexpr (COLUMNS == 1)
            ahead[j] = load_apart(at, channels);
        else
            ahead[j] = *reinterpret_cast<const channel_pair<T> *>(at);
        at += column_step;
    }

    /* Column j of the row that was fetched; that of the next row is.  Columns are taken in order. */
    __device__ channel_pair<T> take(int j)
    {
        const channel_pair<T> taken = ahead[j];
        fetch(j);
        return taken;
    }
    __device__ void next_row()
    {
        at += --left > 0 ? row_step - back : -back;
    }
};

/* The same through shared memory, where every 16 bytes of channels are aligned: the lanes of a warp copy a
 * row together, each with a word in every AT_ONCE-th column.  Rows are taken by all lanes at the same time.
 */
template <class T, int COLUMNS, int HALO> struct row_ring {
    static constexpr int WIDTH = COLUMNS + 2 * HALO, EACH = 16 / (int)sizeof(T), WORDS = GROUP / EACH,
                         AT_ONCE = WARP / WORDS, TIMES = (WIDTH + AT_ONCE - 1) / AT_ONCE;
    struct memory {
        uint4 row[RING][WIDTH * WORDS];
    };

    memory &ring;
    const T *data, *at; /* x's; the lane's first word of the row that is copied next */
    int64_t column_step, row_step;
    int left, slot;  /* rows that are not under way; where the row is that is taken */
    unsigned exists; /* bit t: the lane's word t, in the picture; others are zeros */

    __device__ row_ring(memory &own, const pictures<const T> &x, const conv3x3_cut &cut,
                        const conv3x3_place &place, int begin, int end)
        : ring(own), data(x.data), column_step(AT_ONCE * x.column), row_step(x.row), left(end - begin),
          slot(0), exists(0)
    {
        const int lane = (int)threadIdx.x % WARP, column = place.column - HALO + lane / WORDS;
        const int64_t channel = place.group + lane % WORDS * EACH;
        at = x.data + place.sample * x.sample + begin * x.row + column * x.column + channel;
#pragma unroll
        for (int t = 0; t < TIMES; t++) {
            const int j = column + t * AT_ONCE;
            exists |= (unsigned)(channel < cut.channels && j >= 0 && j < cut.width) << t;
        }
#pragma unroll
        for (int i = 0; i < RING; i++)
            copy(i);
        wait();
    }

    /* The next row, if there is one. */
    __device__ void copy(int to)
    {
        const int lane = (int)threadIdx.x % WARP;
        if (left-- > 0) {
#pragma unroll
            for (int t = 0; t < TIMES; t++) {
                const bool there = exists >> t & 1;
                if (lane + t * WARP < WIDTH * WORDS)
                    copy_async(&ring.row[to][lane + t * WARP], there ? at + t * column_step : data, there);
            }
            at += row_step;
        }
        copy_commit();
    }
    __device__ void wait()
    {
        copy_wait<RING - 1>();
        __syncwarp();
    }

    __device__ channel_pair<T> take(int j) const
    {
        return reinterpret_cast<const channel_pair<T> *>(ring.row[slot])[j * WARP + threadIdx.x % WARP];
    }
    __device__ void next_row()
    {
        __syncwarp();
        copy(slot);
        slot = (slot + 1) % RING;
        wait();
    }
};

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

static inline bool has_unit_channels(const ttt_operand *x)
{
    return x->stride[3] == 1 || x->shape.size[3] == 1;
}

/* Whether every `count` channels are aligned as such. */
static inline bool is_aligned(const ttt_operand *x, int count)
{
    return reinterpret_cast<uintptr_t>(x->data) % (count * ttt_dtype_size(x->dtype)) == 0 &&
           x->shape.size[3] % count == 0 && x->stride[0] % count == 0 && x->stride[1] % count == 0 &&
           x->stride[2] % count == 0;
}

#endif
