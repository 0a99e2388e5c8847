/* Strips of tokens on their way between global and shared memory. */
#ifndef TTT_OPS_VITTT_INNER_STRIPS_CUH
#define TTT_OPS_VITTT_INNER_STRIPS_CUH

#include "ttt/ops/vittt_inner/activations.cuh"

enum {
    STRIP = 16,
    RING = 4,             /* strips of values that a warp has room for */
    PIECE = STRIP * STRIP /* elements of one */
};

__host__ __device__ inline int strips_of(int tokens)
{
    return (tokens + STRIP - 1) / STRIP;
}

__device__ inline int lane_of()
{
    return (int)threadIdx.x % WARP;
}

/* Where an element of a matrix in shared memory lies: groups of 8 columns change places from row to row, so
 * that eight rows of one group lie in different banks. */
template <int WIDTH> __device__ inline unsigned place(unsigned row, unsigned column)
{
    constexpr unsigned groups = WIDTH / 8, rows_per_line = 64 / WIDTH;
    return row * WIDTH + (((column / 8) ^ (row / rows_per_line % groups)) * 8 + column % 8);
}

/* The same so many rows and columns from where `start` is, in multiples of 8 and of 16 (8, where `start` is
 * in the first group of a row): lanes keep one start for all blocks of a matrix, with rows as constant
 * offsets. */
template <int WIDTH> __device__ inline unsigned place_from(unsigned start, unsigned row, unsigned column)
{
    return row * WIDTH + (start ^ column);
}

/* One of the pair of bf16 that an operand of multiply_add holds. */
__device__ inline float unpack(uint32_t pair, int which)
{
    return __uint_as_float(which ? pair & 0xffff0000u : pair << 16);
}

/* The strips (STRIP x D) of a matrix on their way from global to shared memory, one after another, each by
 * all threads of the block. */
template <int D> struct strip_fetcher {
    const bf16 *from; /* the thread's 16 bytes of the next strip */
    bf16 *to;
    int64_t step;
    int strips, tokens; /* left; tokens from the thread's on */

    __device__ strip_fetcher(bf16 *tile, const bf16 *x, int64_t stride, int n)
        : step(STRIP * stride), strips(strips_of(n))
    {
        const int row = (int)threadIdx.x / (D / 8), column = (int)threadIdx.x % (D / 8) * 8;
        from = x + row * stride + column;
        to = tile + place<D>(row, column);
        tokens = n - row;
    }
    __device__ void fetch(int count)
    {
        for (int i = 0; i < count && strips > 0; i++, strips--) {
            copy_async(to, from, tokens > 0);
            from += step;
            to += STRIP * D;
            tokens -= STRIP;
        }
    }
};

/* The pieces of a warp, 16 columns of one matrix after another, on their way to its ring. */
struct piece_fetcher {
    bf16 *ring;
    const bf16 *from; /* the lane's 16 bytes of the next piece */
    int64_t step;
    int strips, tokens; /* left in the matrix; tokens from the lane's on */
    unsigned next;      /* its place is `next % RING` */

    __device__ void open(const bf16 *x, int64_t stride, int n)
    {
        const int row = lane_of() / 2;
        from = x + row * stride + lane_of() % 2 * 8;
        step = STRIP * stride;
        strips = strips_of(n);
        tokens = n - row;
    }
    __device__ bf16 *piece(unsigned number) const
    {
        return ring + number % RING * PIECE;
    }
    __device__ void fetch()
    {
        copy_async(piece(next) + place<STRIP>(lane_of() / 2, lane_of() % 2 * 8), from, tokens > 0);
        from += step;
        tokens -= STRIP;
        strips--;
        next++;
    }
};

/* Strips of tokens by a warp's 16 columns, each an a of multiply_add, to global memory, one after another.
 * Neighbouring lanes exchange pairs, so that each writes four elements and four of them a whole sector. */
struct strip_writer {
    unsigned char *to; /* the lane's four elements of the next strip's first 8 tokens */
    int64_t half;      /* bytes from there to those of the last 8 */
    int tokens;        /* left from the lane's on */
    bool is_bf16;

    /* Writes n tokens, from a token and a column on. */
    __device__ strip_writer(const activations &x, int64_t token, int64_t column, int n) : is_bf16(x.is_bf16)
    {
        const int row = lane_of() / 4, pair = lane_of() % 4, bytes = is_bf16 ? 2 : 4;
        to = static_cast<unsigned char *>(x.data) +
             ((token + row) * x.row + column + pair % 2 * 8 + pair / 2 * 4) * bytes;
        half = 8 * x.row * bytes;
        tokens = n - row;
    }
    __device__ void write(const uint32_t (&r)[4])
    {
        const bool odd = lane_of() % 2;
#pragma unroll
        for (int y = 0; y < 2; y++) {
            const uint32_t other = __shfl_xor_sync(0xffffffffu, odd ? r[y] : r[2 + y], 1),
                           low = odd ? other : r[y], high = odd ? r[2 + y] : other;
            if (tokens > 8 * y && is_bf16) {
                *reinterpret_cast<uint2 *>(to) = make_uint2(low, high);
            } else if (tokens > 8 * y) {
                const float four[4] = {unpack(low, 0), unpack(low, 1), unpack(high, 0), unpack(high, 1)};
                store<4>(reinterpret_cast<float *>(to), four);
            }
            to += half;
        }
        tokens -= STRIP;
    }
};

/* Waits for a matrix that a pass over the strips fetched beside its pieces, a group of copies for each strip.
 * Two strips of it at a time came in the first half, so the last groups have none of it, unless they are few.
 */
__device__ inline void wait_for_matrix(int strips)
{
    if (strips < 2 * (RING - 1))
        copy_wait<0>();
    else
        copy_wait<RING - 1>();
    __syncthreads();
}

#endif
