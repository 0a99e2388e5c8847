/* "concat" on the CPU: one strided copy a part. */
#include "ttt/ops/concat/concat_operator.h"
#include "ttt/ops/copy/strided.h"

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_concat_attributes *attributes = launch->attributes;
    const ttt_operand *y = &launch->out[0];
    float *to = y->data;
    for (int i = 0; i < launch->n_in; i++) {
        const ttt_operand *part = &launch->in[i];
        ttt_copy_strided(part->shape, to, y->stride, part->data, part->stride, launch->threads);
        to += part->shape.size[attributes->dimension] * y->stride[attributes->dimension];
    }
    return TTT_OK;
}

const ttt_implementation ttt_concat_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = run,
};
