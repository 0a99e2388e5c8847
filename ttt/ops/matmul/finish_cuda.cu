/* Pointwise work before and after products, in one pass over memory: x is read, y written, and read before
 * that by the derivatives.  16 bytes of y's type, or of x's where that is narrower, at a time. */
#include "ttt/device/kernel.cuh"
#include "ttt/ops/pointwise/formulas.cuh"

extern "C" {
#include "ttt/ops/matmul/finish_cuda.h"
}

enum { THREADS = 256, EACH = 8 };

static __global__ void start(const void *bias, bool bias_is_bf16, const void *c, bool c_is_bf16, void *y,
                             bool y_is_bf16, int64_t rows, int64_t columns)
{
    const int64_t count = rows * columns;
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < count;
         i += (int64_t)gridDim.x * THREADS) {
        const float added = bias ? load_any(bias, bias_is_bf16, i % columns) : 0;
        store_any(y, y_is_bf16, i, added + (c ? load_any(c, c_is_bf16, i) : 0));
    }
}

ttt_status ttt_cuda_start(const ttt_launch *launch, const ttt_operand *bias, const ttt_operand *c,
                          const ttt_operand *y, int64_t rows, int64_t columns)
{
    return enqueue(launch, start, grid_for(launch, rows * columns, THREADS), THREADS, 0, bias->data,
                   bias->dtype == TTT_BF16, c->data, c->dtype == TTT_BF16, y->data, y->dtype == TTT_BF16,
                   rows, columns);
}

template <ttt_finish HOW> static __device__ inline float finished(float x, float y)
{
    switch (HOW) {
    case TTT_FINISH_GELU:
        return ttt_fast_gelu(x);
    case TTT_FINISH_SILU:
        return x * ttt_fast_sigmoid(x);
    case TTT_FINISH_GELU_GRAD:
        return y * ttt_fast_gelu_grad(x);
    default:
        return y * ttt_fast_silu_grad(x, ttt_fast_sigmoid(x));
    }
}

template <ttt_finish HOW, class X, class Y>
static __global__ void __launch_bounds__(THREADS) finish(const X *x, Y *y, int64_t count)
{
    constexpr bool reads = HOW == TTT_FINISH_GELU_GRAD || HOW == TTT_FINISH_SILU_GRAD;
    const int64_t first = (int64_t)blockIdx.x * THREADS + threadIdx.x, step = (int64_t)gridDim.x * THREADS,
                  chunks = count / EACH;
    for (int64_t i = first; i < chunks; i += step) {
        float in[EACH], out[EACH] = {};
        load<EACH>(x + i * EACH, in);
        if (reads)
            load<EACH>(y + i * EACH, out);
#pragma unroll
        for (int k = 0; k < EACH; k++)
            out[k] = finished<HOW>(in[k], out[k]);
        store<EACH>(y + i * EACH, out);
    }
    for (int64_t i = chunks * EACH + first; i < count; i += step)
        y[i] = from_float<Y>(finished<HOW>(to_float(x[i]), reads ? to_float(y[i]) : 0));
}

template <ttt_finish HOW>
static ttt_status finish_by_type(const ttt_launch *launch, const ttt_operand *x, const ttt_operand *y)
{
    const int64_t count = ttt_operand_elements(y);
    const dim3 grid = grid_for(launch, (count + EACH - 1) / EACH, THREADS);
    return by_type(x->dtype, [&](auto from) {
        return by_type(y->dtype, [&](auto to) {
            typedef decltype(from) X;
            typedef decltype(to) Y;
            return enqueue(launch, finish<HOW, X, Y>, grid, THREADS, 0, static_cast<const X *>(x->data),
                           static_cast<Y *>(y->data), count);
        });
    });
}

ttt_status ttt_cuda_finish(const ttt_launch *launch, ttt_finish how, const ttt_operand *x,
                           const ttt_operand *y)
{
    switch (how) {
    case TTT_FINISH_GELU:
        return finish_by_type<TTT_FINISH_GELU>(launch, x, y);
    case TTT_FINISH_SILU:
        return finish_by_type<TTT_FINISH_SILU>(launch, x, y);
    case TTT_FINISH_GELU_GRAD:
        return finish_by_type<TTT_FINISH_GELU_GRAD>(launch, x, y);
    default:
        return finish_by_type<TTT_FINISH_SILU_GRAD>(launch, x, y);
    }
}
