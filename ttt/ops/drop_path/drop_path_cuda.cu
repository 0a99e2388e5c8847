/* "drop_path" on CUDA: a thread for a sample, with the numbers that the CPU draws. */
#include "ttt/base/random.h"
#include "ttt/base/random_internal.h"
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/drop_path/drop_path_operator.h"
}

enum { THREADS = 128 };

/* Sample i takes words 2 i and 2 i + 1 of the stream; a block of it has four. */
static __global__ void draw(const ttt_drop_path_attributes attributes, const int32_t *step, int64_t batch,
                            float *factor)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= batch)
        return;
    const philox4x32_ctr_t words = ttt_random_block(attributes.seed, TTT_RANDOM_DROP_PATH, (uint64_t)*step,
                                                    attributes.layer, (uint64_t)i / 2);
    const double uniform =
        i % 2 ? ttt_random_fraction(words.v[2], words.v[3]) : ttt_random_fraction(words.v[0], words.v[1]);
    factor[i] = uniform < (double)attributes.rate ? 0 : 1 / (1 - attributes.rate);
}

static ttt_status run(const ttt_launch *launch)
{
    const auto *attributes = static_cast<const ttt_drop_path_attributes *>(launch->attributes);
    const int64_t batch = ttt_operand_elements(&launch->out[0]);
    return enqueue(launch, draw, blocks_for(batch, THREADS), THREADS, 0, *attributes,
                   static_cast<const int32_t *>(launch->in[0].data), batch,
                   static_cast<float *>(launch->out[0].data));
}

extern "C" const ttt_implementation ttt_drop_path_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .run = run,
};
