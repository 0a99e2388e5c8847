/* The pass of "swiglu" over gate and up on CUDA: reads both, writes y, 8 elements at a time. */
#include "ttt/device/kernel.cuh"
#include "ttt/ops/pointwise/formulas.cuh"

extern "C" {
#include "ttt/ops/swiglu/swiglu_operator.h"
}

enum { THREADS = 256, EACH = 8 };

static __device__ inline float rate_of(const ttt_swiglu_rates &rates, int64_t row, int64_t rows)
{
    const int64_t matrix = row / rows;
    return rates.data ? rates.data[matrix / rates.heads * rates.sample + matrix % rates.heads * rates.head +
                                   row % rows * rates.row]
                      : 1;
}

template <class G, class U, class Y>
static __global__ void __launch_bounds__(THREADS)
    finish(const G *gate, const U *up, Y *y, ttt_swiglu_rates rates, int64_t rows, int64_t m, int64_t count)
{
    const int64_t step = (int64_t)gridDim.x * THREADS * EACH;
    for (int64_t i = ((int64_t)blockIdx.x * THREADS + threadIdx.x) * EACH; i < count; i += step) {
        const bool whole = m % EACH == 0;
        if (!whole) {
            for (int64_t k = i; k < i + EACH && k < count; k++) {
                const float z = to_float(gate[k]);
                y[k] = from_float<Y>(rate_of(rates, k / m, rows) * z * ttt_fast_sigmoid(z) * to_float(up[k]));
            }
            continue;
        }
        const float rate = rate_of(rates, i / m, rows);
        float z[EACH], u[EACH];
        load<EACH>(gate + i, z);
        load<EACH>(up + i, u);
#pragma unroll
        for (int k = 0; k < EACH; k++)
            u[k] *= rate * z[k] * ttt_fast_sigmoid(z[k]);
        store<EACH>(y + i, u);
    }
}

ttt_status ttt_swiglu_finish(const ttt_launch *launch, const ttt_operand *gate, const ttt_operand *up,
                             const ttt_operand *y)
{
    const ttt_swiglu_size size = ttt_swiglu_size_of(launch);
    const int64_t count = ttt_operand_elements(y);
    const dim3 grid = grid_for(launch, (count + EACH - 1) / EACH, THREADS);
    return by_type(gate->dtype, [&](auto of_gate) {
        return by_type(up->dtype, [&](auto of_up) {
            return by_type(y->dtype, [&](auto of_y) {
                typedef decltype(of_gate) G;
                typedef decltype(of_up) U;
                typedef decltype(of_y) Y;
                return enqueue(launch, finish<G, U, Y>, grid, THREADS, 0, static_cast<const G *>(gate->data),
                               static_cast<const U *>(up->data), static_cast<Y *>(y->data),
                               ttt_swiglu_rates_of(launch), size.rows, size.m, count);
            });
        });
    });
}
