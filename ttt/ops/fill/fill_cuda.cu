/* "fill" on CUDA: writes y. */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/fill/fill_operator.h"
}

enum { THREADS = 256 };

/* Runs of 16 bytes, then what is left of n elements. */
template <class T> static __global__ void fill(T *y, int64_t runs, int64_t n, float value)
{
    constexpr int EACH = 16 / (int)sizeof(T);
    const int64_t first = (int64_t)blockIdx.x * THREADS + threadIdx.x, step = (int64_t)gridDim.x * THREADS;
    float run[EACH];
#pragma unroll
    for (int k = 0; k < EACH; k++)
        run[k] = value;
    for (int64_t i = first; i < runs; i += step)
        store<EACH>(y + i * EACH, run);
    for (int64_t i = runs * EACH + first; i < n; i += step)
        y[i] = from_float<T>(value);
}

static ttt_status run(const ttt_launch *launch)
{
    const auto *attributes = static_cast<const ttt_fill_attributes *>(launch->attributes);
    const ttt_operand *y = &launch->out[0];
    const int64_t n = ttt_operand_elements(y);
    return by_type(y->dtype, [&](auto to) {
        using T = decltype(to);
        const int64_t runs = reinterpret_cast<uintptr_t>(y->data) % 16 ? 0 : n / (16 / (int)sizeof(T));
        return enqueue(launch, fill<T>, grid_for(launch, runs ? runs : n, THREADS), THREADS, 0,
                       static_cast<T *>(y->data), runs, n, attributes->value);
    });
}

extern "C" const ttt_implementation ttt_fill_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_f32_or_bf16,
    .run = run,
};
