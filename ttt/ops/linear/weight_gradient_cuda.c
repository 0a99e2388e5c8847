/* The row "cuda" of weight_gradient: one product of cuBLASLt, d^T x, which also sums d's columns on its way
 * where the library can do so at no cost; else they are summed by a pass of their own over d.
 *
 * Both operands are read along their rows, as they lie.  There are few results, (out, in), of long sums, so
 * the library splits the sums: into parts in f32, added in order.
 */
#include <stdlib.h>

#include "ttt/device/cuda_product.h"
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/state_cuda.h"
#include "ttt/ops/reduce/sum_cuda.h"

struct state {
    ttt_cuda_prepared *both, *weight; /* both: NULL where two launches are better */
};

static bool supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32_or_bf16(launch, why))
        return false;
    if (launch->in[0].dtype == launch->in[1].dtype && launch->out[0].dtype == TTT_F32 &&
        launch->out[1].dtype == TTT_F32)
        return true;
    *why = "a mixture of types that cuBLASLt does not take";
    return false;
}

/* The column sums' parts lie behind the product's workspace. */
static size_t workspace(const ttt_launch *launch)
{
    const struct ttt_sum_layout rows = ttt_sum_of_rows(&launch->in[0]);
    return TTT_CUDA_PRODUCT_WORKSPACE + ttt_cuda_sum_workspace(&rows, launch->in[0].dtype);
}

static ttt_cuda_product product_of(const ttt_launch *launch)
{
    const ttt_operand *d = &launch->in[0], *x = &launch->in[1];
    const bool one_row = d->shape.size[0] == 1;
    return (ttt_cuda_product){
        .m = d->shape.size[1],
        .n = x->shape.size[1],
        .k = d->shape.size[0],
        .batches = 1,
        .type = d->dtype,
        .y_type = TTT_F32,
        .a_transposed = true,
        .a_leading = one_row ? d->shape.size[1] : d->stride[0],
        .b_leading = one_row ? x->shape.size[1] : x->stride[0],
        .alpha = 1,
    };
}

static void release(void *state)
{
    struct state *s = state;
    if (s) {
        ttt_cuda_product_release(s->both);
        ttt_cuda_product_release(s->weight);
    }
    free(s);
}

/* Summing d must not keep the library from splitting the sums of a product that leaves most of the GPU idle:
 * reading d again costs less. */
static ttt_status prepare_products(const ttt_launch *launch, void *state)
{
    struct state *s = state;
    ttt_cuda_product product = product_of(launch);
    TRY(ttt_cuda_product_prepare(launch->device, &product, &s->weight));
    product.epilogue = TTT_CUDA_COLUMN_SUMS;
    TRY(ttt_cuda_product_try(launch->device, &product, &s->both));
    if (s->both && ttt_cuda_product_waves(s->both) < 0.75 * ttt_cuda_product_waves(s->weight)) {
        ttt_cuda_product_release(s->both);
        s->both = NULL;
    }
    return TTT_OK;
}

static ttt_status prepare(const ttt_launch *launch, void **state)
{
    return ttt_cuda_make_state(launch, sizeof(struct state), prepare_products, release, state);
}

static ttt_status run(const ttt_launch *launch)
{
    const struct state *s = launch->state;
    const ttt_operand *d = &launch->in[0];
    ttt_cuda_operands operands = {.a = d->data,
                                  .b = launch->in[1].data,
                                  .y = launch->out[0].data,
                                  .sums = launch->out[1].data,
                                  .workspace = launch->workspace};
    bool done = false;
    if (operands.sums)
        TRY(ttt_cuda_product_try_run(launch->device, s->both, &operands, &done));
    if (done)
        return TTT_OK;
    const struct ttt_sum_layout rows = ttt_sum_of_rows(d);
    if (operands.sums)
        TRY(ttt_cuda_sum(launch, &rows, d, operands.sums,
                         (char *)launch->workspace + TTT_CUDA_PRODUCT_WORKSPACE));
    operands.sums = NULL;
    return ttt_cuda_product_run(launch->device, s->weight, &operands);
}

const ttt_implementation ttt_weight_gradient_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .run = run,
};
