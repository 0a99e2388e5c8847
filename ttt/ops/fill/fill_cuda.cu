/* "fill" on CUDA. */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/fill/fill_operator.h"
}

enum { THREADS = 256 };

static __global__ void fill(void *y, bool is_bf16, int64_t n, float value)
{
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (int64_t)gridDim.x * THREADS)
        store_any(y, is_bf16, i, value);
}

static ttt_status run(const ttt_launch *launch)
{
    const auto *attributes = static_cast<const ttt_fill_attributes *>(launch->attributes);
    const ttt_operand *y = &launch->out[0];
    const int64_t n = ttt_operand_elements(y);
    return enqueue(launch, fill, grid_for(launch, n, THREADS), THREADS, 0, y->data, y->dtype == TTT_BF16, n,
                   attributes->value);
}

extern "C" const ttt_implementation ttt_fill_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_f32_or_bf16,
    .run = run,
};
