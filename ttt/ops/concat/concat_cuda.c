/* "concat" on CUDA: all parts in as few launches as their number and layout allow. */
#include "ttt/ops/concat/concat_operator.h"
#include "ttt/ops/copy/strided_cuda.h"

enum { AT_ONCE = 16 };

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_concat_attributes *attributes = launch->attributes;
    const ttt_operand *y = &launch->out[0];
    const int64_t step = y->stride[attributes->dimension] * (int64_t)ttt_dtype_size(y->dtype);
    struct ttt_cuda_copy copies[AT_ONCE];
    char *to = y->data;
    for (int i = 0; i < launch->n_in; i++) {
        const ttt_operand *part = &launch->in[i];
        copies[i % AT_ONCE] = (struct ttt_cuda_copy){to, y->stride, part};
        to += part->shape.size[attributes->dimension] * step;
        if (i % AT_ONCE == AT_ONCE - 1 || i == launch->n_in - 1)
            TRY(ttt_cuda_copy_strided(launch, y->dtype, copies, i % AT_ONCE + 1));
    }
    return TTT_OK;
}

const ttt_implementation ttt_concat_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_f32_or_bf16,
    .run = run,
};
