/* The row "cublas" of swiglu: the two products by cuBLASLt, then a pass over both.  What nobody reads of gate
 * and up lies in the workspace. */
#include <stdlib.h>

#include "ttt/device/cuda_product.h"
#include "ttt/ops/matmul/state_cuda.h"
#include "ttt/ops/swiglu/swiglu_operator.h"

enum { MOST_MATRICES = 65535 /* of one call */, ALIGNMENT = 256 };

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_dtype type = launch->in[SWIGLU_X].dtype;
    if (!ttt_all_f32_or_bf16(launch, why))
        return false;
    if (launch->in[SWIGLU_W_GATE].dtype != type || launch->in[SWIGLU_W_UP].dtype != type ||
        (type == TTT_F32 &&
         (launch->out[SWIGLU_GATE].dtype != type || launch->out[SWIGLU_UP].dtype != type)) ||
        (launch->in[SWIGLU_RATE].dtype && launch->in[SWIGLU_RATE].dtype != TTT_F32))
        *why = "a mixture of types that cuBLASLt does not take";
    else if (ttt_swiglu_size_of(launch).matrices > MOST_MATRICES)
        *why = "too many matrices for one call";
    else
        return true;
    return false;
}

static size_t aligned_bytes(const ttt_operand *x)
{
    return ((size_t)ttt_operand_bytes(x) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t workspace(const ttt_launch *launch)
{
    return TTT_CUDA_PRODUCT_WORKSPACE + aligned_bytes(&launch->out[SWIGLU_GATE]) +
           aligned_bytes(&launch->out[SWIGLU_UP]);
}

struct state {
    ttt_cuda_prepared *product[2]; /* gate, up */
};

static void release(void *state)
{
    struct state *s = state;
    for (int i = 0; s && i < 2; i++)
        ttt_cuda_product_release(s->product[i]);
    free(s);
}

static ttt_status prepare_products(const ttt_launch *launch, void *state)
{
    struct state *s = state;
    const ttt_swiglu_size size = ttt_swiglu_size_of(launch);
    ttt_cuda_product product = {
        .m = size.shared ? size.matrices * size.rows : size.rows,
        .n = size.m,
        .k = size.d,
        .batches = size.shared ? 1 : size.matrices,
        .type = launch->in[SWIGLU_X].dtype,
        .a_leading = size.d,
        .b_leading = size.m,
        .a_batch = size.rows * size.d,
        .b_batch = size.d * size.m,
        .y_batch = size.rows * size.m,
        .alpha = 1,
    };
    for (int i = 0; i < 2; i++) {
        product.c_type = product.y_type = launch->out[SWIGLU_GATE + i].dtype;
        TRY(ttt_cuda_product_prepare(launch->device, &product, &s->product[i]));
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
    ttt_operand sums[2] = {launch->out[SWIGLU_GATE], launch->out[SWIGLU_UP]};
    char *spare = (char *)launch->workspace + TTT_CUDA_PRODUCT_WORKSPACE;
    for (int i = 0; i < 2; spare += aligned_bytes(&sums[i++])) {
        if (!sums[i].data)
            sums[i].data = spare;
        const ttt_cuda_operands operands = {.a = launch->in[SWIGLU_X].data,
                                            .b = launch->in[SWIGLU_W_GATE + i].data,
                                            .y = sums[i].data,
                                            .workspace = launch->workspace};
        TRY(ttt_cuda_product_run(launch->device, s->product[i], &operands));
    }
    return launch->out[SWIGLU_Y].data ? ttt_swiglu_finish(launch, &sums[0], &sums[1], &launch->out[SWIGLU_Y])
                                      : TTT_OK;
}

const ttt_implementation ttt_swiglu_cublas = {
    .name = "cublas",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .run = run,
};
