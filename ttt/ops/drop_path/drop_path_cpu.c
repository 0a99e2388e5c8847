/* "drop_path" on the CPU: a batch is a few hundred numbers at most, so one thread draws them in turn. */
#include "ttt/base/random.h"
#include "ttt/ops/drop_path/drop_path_operator.h"

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_drop_path_attributes *attributes = launch->attributes;
    const int32_t *step = launch->in[0].data;
    float *factor = launch->out[0].data;
    const int64_t batch = ttt_operand_elements(&launch->out[0]);
    const float kept = 1 / (1 - attributes->rate);
    ttt_random random =
        ttt_random_start(attributes->seed, TTT_RANDOM_DROP_PATH, (uint64_t)*step, attributes->layer);
    for (int64_t i = 0; i < batch; i++)
        factor[i] = ttt_random_uniform(&random) < (double)attributes->rate ? 0 : kept;
    return TTT_OK;
}

const ttt_implementation ttt_drop_path_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .run = run,
};
