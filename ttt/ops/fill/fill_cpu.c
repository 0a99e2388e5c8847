/* "fill" on the CPU. */
#include "ttt/ops/fill/fill_operator.h"

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_fill_attributes *attributes = launch->attributes;
    const float value = attributes->value;
    const int64_t n = ttt_operand_elements(&launch->out[0]);
    float *y = launch->out[0].data;
#pragma omp parallel for simd schedule(static) num_threads(launch->threads) if (n >= 1 << 15)
    for (int64_t i = 0; i < n; i++)
        y[i] = value;
    return TTT_OK;
}

const ttt_implementation ttt_fill_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = run,
};
