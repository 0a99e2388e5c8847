/* "copy" on the CPU. */
#include "ttt/ops/copy/copy_operator.h"
#include "ttt/ops/copy/strided.h"

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->out[0];
    ttt_copy_strided(y->shape, y->data, y->stride, x->data, x->stride, launch->threads);
    return TTT_OK;
}

const ttt_implementation ttt_copy_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = run,
};
