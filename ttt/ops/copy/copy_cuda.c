/* "copy" on CUDA. */
#include "ttt/ops/copy/copy_operator.h"
#include "ttt/ops/copy/strided_cuda.h"

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *y = &launch->out[0];
    const struct ttt_cuda_copy copy = {y->data, y->stride, &launch->in[0]};
    return ttt_cuda_copy_strided(launch, y->dtype, &copy, 1);
}

const ttt_implementation ttt_copy_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_f32_or_bf16,
    .run = run,
};
