/* "add_slice" on CUDA: reads a and b and writes y, in b's slice alone where y is a, 16 bytes of bf16 at a
 * time. */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/add_slice/add_slice_operator.h"
}

enum { THREADS = 256, EACH = 8 };

struct slice_addition {
    const void *a, *b;
    void *y;
    bool a_is_bf16, b_is_bf16, y_is_bf16;
    ttt_add_slice_rows rows;
    int64_t begin, span; /* the elements of a row that are written */
};

/* N neighbours of a tensor. */
template <int N>
static __device__ inline void load_some(const void *p, bool is_bf16, int64_t at, float (&x)[N])
{
    if (is_bf16)
        load<N>(static_cast<const bf16 *>(p) + at, x);
    else
        load<N>(static_cast<const float *>(p) + at, x);
}
template <> __device__ inline void load_some<1>(const void *p, bool is_bf16, int64_t at, float (&x)[1])
{
    x[0] = load_any(p, is_bf16, at);
}

template <int N>
static __device__ inline void store_some(void *p, bool is_bf16, int64_t at, const float (&x)[N])
{
    if (is_bf16)
        store<N>(static_cast<bf16 *>(p) + at, x);
    else
        store<N>(static_cast<float *>(p) + at, x);
}
template <> __device__ inline void store_some<1>(void *p, bool is_bf16, int64_t at, const float (&x)[1])
{
    store_any(p, is_bf16, at, x[0]);
}

/* N divides all that a row consists of. */
template <int N> static __global__ void __launch_bounds__(THREADS) add_rows(const slice_addition t)
{
    const int64_t per_row = t.span / N, count = t.rows.count * per_row;
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < count;
         i += (int64_t)gridDim.x * THREADS) {
        const int64_t row = i / per_row, column = t.begin + (i - row * per_row) * N;
        const int64_t at = row * t.rows.length + column, in_run = column - t.rows.first;
        float a[N], b[N] = {};
        load_some<N>(t.a, t.a_is_bf16, at, a);
        if (in_run >= 0 && in_run < t.rows.run)
            load_some<N>(t.b, t.b_is_bf16, row * t.rows.run + in_run, b);
#pragma unroll
        for (int k = 0; k < N; k++)
            a[k] += b[k];
        store_some<N>(t.y, t.y_is_bf16, at, a);
    }
}

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % 16 == 0;
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *a = &launch->in[0], *b = &launch->in[1], *y = &launch->out[0];
    slice_addition t = {a->data,
                        b->data,
                        y->data,
                        a->dtype == TTT_BF16,
                        b->dtype == TTT_BF16,
                        y->dtype == TTT_BF16,
                        ttt_add_slice_rows_of(launch),
                        0,
                        0};
    const bool in_place = a->data == y->data;
    t.begin = in_place ? t.rows.first : 0;
    t.span = in_place ? t.rows.run : t.rows.length;
    const bool whole = t.rows.first % EACH == 0 && t.rows.run % EACH == 0 && t.rows.length % EACH == 0 &&
                       is_aligned(a->data) && is_aligned(b->data) && is_aligned(y->data);
    const int64_t each = whole ? EACH : 1;
    const dim3 grid = grid_for(launch, t.rows.count * t.span / each, THREADS);
    return whole ? enqueue(launch, add_rows<EACH>, grid, THREADS, 0, t)
                 : enqueue(launch, add_rows<1>, grid, THREADS, 0, t);
}

extern "C" const ttt_implementation ttt_add_slice_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_f32_or_bf16,
    .run = run,
};
