/* The row "skinny" of matmul: sums of at most eight terms, as in the gradient of a layer of few outputs.
 *
 * A thread keeps its columns of b, which is small, and goes down the rows of y.  Writes y once, and reads c
 * once where that is added; a and b are small, but would be waited for at every row: a warp reads a for some
 * rows at once, before it works on those before.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/product.h"
}

enum {
    MOST = 8, /* terms of a sum */
    EACH = 8, /* columns of a thread where rows lie so, else one */
    LANES = 32,
    LINES = 8,  /* threads of a block, along and down the rows */
    AHEAD = 4,  /* rows of a thread under way */
    BLOCKS = 2, /* that a multiprocessor holds: b is read once by each */
};

struct outer {
    ttt_product p;
    const void *a, *b, *c;
    void *y;
    bool a_is_bf16, b_is_bf16, c_is_bf16, y_is_bf16;
    float alpha, beta;
};

template <int N>
static __device__ inline void load_row(const void *x, bool is_bf16, int64_t at, float (&y)[N])
{
    if (is_bf16)
        load<N>(static_cast<const bf16 *>(x) + at, y);
    else
        load<N>(static_cast<const float *>(x) + at, y);
}

template <int N>
static __device__ inline void store_row(void *y, bool is_bf16, int64_t at, const float (&x)[N])
{
    if (is_bf16)
        store<N>(static_cast<bf16 *>(y) + at, x);
    else
        store<N>(static_cast<float *>(y) + at, x);
}

/* b's first K rows, alpha times, in N columns from `column` on; zeros past its own. */
template <int K, int N>
static __device__ inline void load_factors(const outer &o, int64_t column, float (&b)[K][N])
{
#pragma unroll
    for (int k = 0; k < K; k++)
#pragma unroll
        for (int i = 0; i < N; i++)
            b[k][i] = k < o.p.k
                          ? o.alpha * load_any(o.b, o.b_is_bf16, k * o.p.b_row + (column + i) * o.p.b_column)
                          : 0;
}

/* What AHEAD rows, `step` apart, have of a: lane i * K + k reads term k of row i. */
template <int K> static __device__ inline float load_terms(const outer &o, int64_t first, int64_t step)
{
    static_assert(AHEAD * K <= LANES);
    const int lane = (int)threadIdx.x, k = lane % K;
    const int64_t row = first + lane / K * step;
    return lane < AHEAD * K && row < o.p.m && k < o.p.k
               ? load_any(o.a, o.a_is_bf16, row * o.p.a_row + k * o.p.a_column)
               : 0;
}

/* Threads past the columns only read what others of their warp need. */
template <int K, int N>
static __global__ void __launch_bounds__(LANES *LINES) multiply(const __grid_constant__ outer o)
{
    const int64_t column = ((int64_t)blockIdx.x * LANES + threadIdx.x) * N, step = (int64_t)gridDim.y * LINES,
                  start = (int64_t)blockIdx.y * LINES + threadIdx.y;
    const bool writes = column < o.p.n;
    float b[K][N] = {}, next = load_terms<K>(o, start, step);
    if (writes)
        load_factors(o, column, b);
    for (int64_t row = start; row < o.p.m; row += AHEAD * step) {
        const float terms = next;
        float y[AHEAD][N] = {};
        next = load_terms<K>(o, row + AHEAD * step, step);
#pragma unroll
        for (int i = 0; i < AHEAD; i++)
            if (o.c && writes && row + i * step < o.p.m)
                load_row<N>(o.c, o.c_is_bf16, (row + i * step) * o.p.n + column, y[i]);
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
#pragma unroll
            for (int j = 0; j < N; j++)
                y[i][j] *= o.beta;
#pragma unroll
            for (int k = 0; k < K; k++) {
                const float a = __shfl_sync(0xffffffffu, terms, i * K + k);
#pragma unroll
                for (int j = 0; j < N; j++)
                    y[i][j] = fmaf(a, b[k][j], y[i][j]);
            }
            if (writes && row + i * step < o.p.m)
                store_row<N>(o.y, o.y_is_bf16, (row + i * step) * o.p.n + column, y[i]);
        }
    }
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const auto *attributes = static_cast<const ttt_matmul_attributes *>(launch->attributes);
    const ttt_product p = ttt_product_of(launch);
    if (p.k > MOST)
        *why = "sums of more than eight terms";
    else if (p.batches > 1 || p.terms > 1)
        *why = "several products";
    else if (attributes->finish != TTT_MATMUL_PLAIN && attributes->finish != TTT_MATMUL_ADD)
        *why = "a derivative behind the product";
    else
        return ttt_all_f32_or_bf16(launch, why);
    return false;
}

static ttt_status run(const ttt_launch *launch)
{
    const auto *attributes = static_cast<const ttt_matmul_attributes *>(launch->attributes);
    const ttt_operand *a = &launch->in[0], *b = &launch->in[1], *c = &launch->in[2], *y = &launch->out[0];
    const outer o = {ttt_product_of(launch),
                     a->data,
                     b->data,
                     c->data,
                     y->data,
                     a->dtype == TTT_BF16,
                     b->dtype == TTT_BF16,
                     c->dtype == TTT_BF16,
                     y->dtype == TTT_BF16,
                     attributes->alpha,
                     attributes->beta};
    const bool wide = o.p.n % EACH == 0 && ((uintptr_t)o.c | (uintptr_t)o.y) % 16 == 0;
    const int64_t across = blocks_for(o.p.n, LANES * (wide ? EACH : 1));
    const int64_t most = blocks_for(o.p.m, LINES * AHEAD),
                  held = BLOCKS * ttt_cuda_multiprocessors(launch->device) / across, down = held ? held : 1;
    const dim3 grid((unsigned)across, (unsigned)(most < down ? most : down));
    void (*kernel)(outer) =
        wide ? (o.p.k <= MOST / 2 ? multiply<MOST / 2, EACH> : multiply<MOST, EACH>) : multiply<MOST, 1>;
    return enqueue(launch, kernel, grid, dim3(LANES, LINES), 0, o);
}

extern "C" const ttt_implementation ttt_matmul_skinny = {
    .name = "skinny",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
