/* Making products symmetric on CUDA: y = alpha (p + p^T) + beta c + shift I.
 *
 * A block takes the two tiles of p that lie opposite each other, reads and writes each once, and turns them
 * in shared memory.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/symmetric/mirror_cuda.h"
}

enum {
    SIDE = 64, /* of a tile; a thread has 8 columns of every 32nd row */
    EACH = 8,
    ACROSS = SIDE / EACH,
    DOWN = 32,
    THREADS = 256, /* along the diagonals */
};

struct mirrored {
    const void *p, *c; /* c: NULL where there is none */
    void *y;
    bool c_is_bf16;
    bool wide; /* rows start at multiples of 8 elements */
    int n, tiles;
    float alpha, beta, shift;
};

/* Up to EACH elements of a row from `column` on, 0 past its end. */
template <class T>
static __device__ inline void load_part(const T *row, int column, int n, bool wide, float (&x)[EACH])
{
    if (wide && column + EACH <= n) {
        load<EACH>(row + column, x);
    } else {
#pragma unroll
        for (int i = 0; i < EACH; i++)
            x[i] = column + i < n ? to_float(row[column + i]) : 0;
    }
}
template <class T>
static __device__ inline void store_part(T *row, int column, int n, bool wide, const float (&x)[EACH])
{
    if (wide && column + EACH <= n) {
        store<EACH>(row + column, x);
    } else {
#pragma unroll
        for (int i = 0; i < EACH; i++)
            if (column + i < n)
                row[column + i] = from_float<T>(x[i]);
    }
}

/* Writes the tile at (row, column): what it is itself lies in `own`, its opposite in `other`. */
template <class T, class C>
static __device__ inline void write_tile(const mirrored &m, int64_t start, int row, int column,
                                         const float (*own)[SIDE + 1], const float (*other)[SIDE + 1])
{
    const int part = (int)threadIdx.x * EACH;
    for (int i = (int)threadIdx.y; i < SIDE && row + i < m.n; i += DOWN) {
        const int64_t at = start + (int64_t)(row + i) * m.n;
        float y[EACH], c[EACH] = {};
        if (m.c)
            load_part(static_cast<const C *>(m.c) + at, column + part, m.n, m.wide, c);
#pragma unroll
        for (int k = 0; k < EACH; k++)
            y[k] = m.alpha * (own[i][part + k] + other[part + k][i]) + m.beta * c[k] +
                   (row + i == column + part + k ? m.shift : 0);
        store_part(static_cast<T *>(m.y) + at, column + part, m.n, m.wide, y);
    }
}

template <class T>
static __device__ inline void read_tile(const mirrored &m, int64_t start, int row, int column,
                                        float (*tile)[SIDE + 1])
{
    const int part = (int)threadIdx.x * EACH;
    for (int i = (int)threadIdx.y; i < SIDE; i += DOWN) {
        float x[EACH] = {};
        if (row + i < m.n)
            load_part(static_cast<const T *>(m.p) + start + (int64_t)(row + i) * m.n, column + part, m.n,
                      m.wide, x);
#pragma unroll
        for (int k = 0; k < EACH; k++)
            tile[i][part + k] = x[k];
    }
}

template <class T, class C> static __global__ void __launch_bounds__(ACROSS *DOWN) mirror(const mirrored m)
{
    __shared__ float below[SIDE][SIDE + 1], above[SIDE][SIDE + 1];
    const int row = (int)blockIdx.x / m.tiles * SIDE, column = (int)blockIdx.x % m.tiles * SIDE;
    const int64_t start = (int64_t)blockIdx.y * m.n * m.n;
    if (column > row)
        return;
    read_tile<T>(m, start, row, column, below);
    read_tile<T>(m, start, column, row, above);
    __syncthreads();
    write_tile<T, C>(m, start, row, column, below, above);
    if (row != column)
        write_tile<T, C>(m, start, column, row, above, below);
}

extern "C" ttt_status ttt_cuda_mirror(const ttt_launch *launch, struct ttt_symmetric_size size, const void *p)
{
    const ttt_symmetric_attributes *attributes =
        static_cast<const ttt_symmetric_attributes *>(launch->attributes);
    const ttt_operand *c = &launch->in[2], *y = &launch->out[0];
    const int n = (int)size.n, tiles = (int)blocks_for(size.n, SIDE);
    const mirrored m = {p, c->data, y->data,           c->dtype == TTT_BF16, n % EACH == 0,
                        n, tiles,   attributes->alpha, attributes->beta,     attributes->shift};
    return by_type(y->dtype, [&](auto t) {
        return by_type(c->dtype, [&](auto u) {
            return enqueue(launch, mirror<decltype(t), decltype(u)>,
                           dim3((unsigned)(tiles * tiles), (unsigned)size.batches), dim3(ACROSS, DOWN), 0, m);
        });
    });
}

static __global__ void __launch_bounds__(THREADS)
    shift_diagonal(void *y, bool y_is_bf16, int n, int64_t count, float shift)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x, at = i / n * n * n + i % n * (n + 1);
    if (i < count)
        store_any(y, y_is_bf16, at, load_any(y, y_is_bf16, at) + shift);
}

extern "C" ttt_status ttt_cuda_shift_diagonal(const ttt_launch *launch, struct ttt_symmetric_size size)
{
    const ttt_operand *y = &launch->out[0];
    const int64_t count = size.batches * size.n;
    return enqueue(launch, shift_diagonal, blocks_for(count, THREADS), THREADS, 0, y->data,
                   y->dtype == TTT_BF16, (int)size.n, count,
                   static_cast<const ttt_symmetric_attributes *>(launch->attributes)->shift);
}
