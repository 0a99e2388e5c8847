/* "mse" on the CPU: sums of 1024 squares in f32, and of those in double, whatever the number of threads. */
#include "ttt/ops/mse/mse_operator.h"

enum { CHUNK = 1024, PARALLEL_CHUNKS = 16 };

static int64_t chunk_count(const ttt_launch *launch)
{
    return (ttt_operand_elements(&launch->in[0]) + CHUNK - 1) / CHUNK;
}

/* A sum for each chunk. */
static size_t mse_workspace(const ttt_launch *launch)
{
    return (size_t)chunk_count(launch) * sizeof(float);
}

static float sum_of_squares(const float *x, const float *target, int64_t count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        float difference = x[i] - target[i];
        sum += difference * difference;
    }
    return sum;
}

static ttt_status mse_run(const ttt_launch *launch)
{
    const int64_t elements = ttt_operand_elements(&launch->in[0]), chunks = chunk_count(launch);
    const float *x = launch->in[0].data, *target = launch->in[1].data;
    const int threads = chunks < PARALLEL_CHUNKS ? 1 : launch->threads;
    float *sums = launch->workspace, *loss = launch->out[0].data;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        int64_t start = chunk * CHUNK, count = elements - start < CHUNK ? elements - start : CHUNK;
        sums[chunk] = sum_of_squares(x + start, target + start, count);
    }
    double total = 0;
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        total += sums[chunk];
    *loss = (float)(total / (double)elements);
    return TTT_OK;
}

const ttt_implementation ttt_mse_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = mse_workspace,
    .run = mse_run,
};
