/* The row "cublas" of symmetric: whole products of cuBLASLt, since it has none that leave out a half.
 *
 * a a^T comes out symmetric, with beta c in the product's own epilogue.  Of a b^T + b a^T only the first is
 * computed, into the workspace, and added to its transpose.
 */
#include <stdlib.h>

#include "ttt/device/cuda_product.h"
#include "ttt/ops/matmul/finish_cuda.h"
#include "ttt/ops/symmetric/mirror_cuda.h"

enum { MOST_BATCHES = 65535, MOST_ROWS = 1 << 15 };

static bool has_two(const ttt_launch *launch)
{
    return launch->in[1].dtype != 0;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32_or_bf16(launch, why))
        return false;
    const struct ttt_symmetric_size size = ttt_symmetric_size_of(launch);
    const ttt_dtype type = launch->in[0].dtype;
    if ((has_two(launch) && launch->in[1].dtype != type) ||
        (type == TTT_F32 && launch->out[0].dtype != TTT_F32))
        *why = "a mixture of types that cuBLASLt does not take";
    else if (size.batches > MOST_BATCHES || size.n > MOST_ROWS)
        *why = "too many or too large matrices";
    else
        return true;
    return false;
}

/* The workspace: cuBLASLt's, then the product of two operands. */
static size_t workspace(const ttt_launch *launch)
{
    const struct ttt_symmetric_size size = ttt_symmetric_size_of(launch);
    const size_t product = (size_t)(size.batches * size.n * size.n) * ttt_dtype_size(launch->out[0].dtype);
    return TTT_CUDA_PRODUCT_WORKSPACE + (has_two(launch) ? product : 0);
}

/* Whether c is copied into y first, for want of a product that takes its type. */
static bool converts(const ttt_launch *launch)
{
    return !has_two(launch) && launch->in[2].dtype && launch->in[2].dtype != launch->out[0].dtype;
}

static ttt_status prepare(const ttt_launch *launch, void **state)
{
    const struct ttt_symmetric_attributes *attributes = launch->attributes;
    const struct ttt_symmetric_size size = ttt_symmetric_size_of(launch);
    const ttt_dtype y = launch->out[0].dtype;
    ttt_cuda_product product = {
        .m = size.n,
        .n = size.n,
        .k = size.k,
        .batches = size.batches,
        .type = launch->in[0].dtype,
        .c_type = y,
        .y_type = y,
        .b_transposed = true,
        .a_leading = size.k,
        .b_leading = size.k,
        .a_batch = size.n * size.k,
        .b_batch = size.n * size.k,
        .alpha = has_two(launch) ? 1 : attributes->alpha,
        .beta = has_two(launch) ? 0 : attributes->beta,
    };
    return ttt_cuda_product_prepare(launch->device, &product, (ttt_cuda_prepared **)state);
}

static void release(void *state)
{
    ttt_cuda_product_release(state);
}

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_symmetric_attributes *attributes = launch->attributes;
    const struct ttt_symmetric_size size = ttt_symmetric_size_of(launch);
    const ttt_operand *a = &launch->in[0], *b = &launch->in[1], *c = &launch->in[2], *y = &launch->out[0];
    const bool two = has_two(launch);
    char *product = (char *)launch->workspace + TTT_CUDA_PRODUCT_WORKSPACE;
    if (converts(launch))
        TRY(ttt_cuda_start(launch, &(ttt_operand){0}, c, y, 1, ttt_operand_elements(y)));
    const ttt_cuda_operands operands = {.a = a->data,
                                        .b = two ? b->data : a->data,
                                        .c = two                ? NULL
                                             : converts(launch) ? y->data
                                                                : c->data,
                                        .y = two ? product : y->data,
                                        .workspace = launch->workspace};
    TRY(ttt_cuda_product_run(launch->device, launch->state, &operands));
    if (two)
        return ttt_cuda_mirror(launch, size, product);
    return attributes->shift != 0 ? ttt_cuda_shift_diagonal(launch, size) : TTT_OK;
}

const ttt_implementation ttt_symmetric_cublas = {
    .name = "cublas",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .run = run,
};
