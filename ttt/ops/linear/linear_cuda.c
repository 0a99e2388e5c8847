/* The row "cuda" of linear: one product of cuBLASLt, with bias, residual and, in bf16, GELU in its epilogue.
 *
 * What the library does not serve is done in other ways, tried in order: GELU and SiLU in a pass of their own
 * over the sums; bias and residual put where the sums go, and the product added to them.
 */
#include <stdlib.h>

#include "ttt/device/cuda_product.h"
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/finish_cuda.h"
#include "ttt/ops/matmul/state_cuda.h"

enum way { ACTIVATED, BIASED, STARTED, WAYS };

struct state {
    ttt_cuda_prepared *product[2][WAYS]; /* by whether the value before the activation is kept */
};

static ttt_activation activation_of(const ttt_launch *launch)
{
    return ((const struct ttt_linear_attributes *)launch->attributes)->activation;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_dtype type = launch->in[0].dtype;
    if (!ttt_all_f32_or_bf16(launch, why))
        return false;
    for (int i = 0; i < launch->n_out; i++)
        if (launch->in[1].dtype != type || (type == TTT_F32 && launch->out[i].dtype != TTT_F32)) {
            *why = "a mixture of types that cuBLASLt does not take";
            return false;
        }
    return true;
}

static size_t workspace(const ttt_launch *launch)
{
    (void)launch;
    return TTT_CUDA_PRODUCT_WORKSPACE;
}

/* Where the sums go: to the output that is kept, or to where y will be. */
static const ttt_operand *sums_of(const ttt_launch *launch, bool keeps)
{
    return &launch->out[keeps];
}

static bool is_direct(const ttt_launch *launch, const ttt_operand *sums)
{
    const ttt_operand *bias = &launch->in[2], *c = &launch->in[3];
    return (!bias->dtype || bias->dtype == sums->dtype) && (!c->dtype || c->dtype == sums->dtype);
}

static ttt_cuda_product product_of(const ttt_launch *launch, const ttt_operand *sums)
{
    const ttt_operand *x = &launch->in[0], *weight = &launch->in[1];
    const int64_t in = x->shape.size[1];
    return (ttt_cuda_product){
        .m = x->shape.size[0],
        .n = weight->shape.size[0],
        .k = in,
        .batches = 1,
        .type = x->dtype,
        .c_type = sums->dtype,
        .y_type = sums->dtype,
        .b_transposed = true,
        .a_leading = x->shape.size[0] == 1 ? in : x->stride[0],
        .b_leading = in,
        .alpha = 1,
    };
}

/* cuBLASLt's GELU, in tanh form, serves where its error is below bf16's rounding. */
static ttt_status prepare_ways(const ttt_launch *launch, bool keeps, ttt_cuda_prepared **ways)
{
    const ttt_operand *sums = sums_of(launch, keeps);
    const bool has_bias = launch->in[2].dtype, adds = launch->in[3].dtype, direct = is_direct(launch, sums);
    ttt_cuda_product product = product_of(launch, sums);
    if (has_bias || adds) {
        product.beta = 1;
        TRY(ttt_cuda_product_try(launch->device, &product, &ways[STARTED]));
    }
    product.beta = adds ? 1 : 0;
    product.epilogue = has_bias ? TTT_CUDA_BIAS : TTT_CUDA_PLAIN;
    if (direct)
        TRY(ttt_cuda_product_try(launch->device, &product, &ways[BIASED]));
    if (!direct || activation_of(launch) != TTT_GELU || product.type != TTT_BF16 ||
        launch->out[0].dtype != TTT_BF16)
        return TTT_OK;
    product.epilogue = has_bias ? TTT_CUDA_BIAS_GELU : TTT_CUDA_GELU;
    product.before_type = keeps ? sums->dtype : 0;
    return ttt_cuda_product_try(launch->device, &product, &ways[ACTIVATED]);
}

static void release(void *state)
{
    struct state *s = state;
    for (int i = 0; s && i < 2 * WAYS; i++)
        ttt_cuda_product_release(s->product[i / WAYS][i % WAYS]);
    free(s);
}

static ttt_status prepare_products(const ttt_launch *launch, void *state)
{
    struct state *s = state;
    TRY(prepare_ways(launch, false, s->product[0]));
    return launch->n_out > 1 ? prepare_ways(launch, true, s->product[1]) : TTT_OK;
}

static ttt_status prepare(const ttt_launch *launch, void **state)
{
    return ttt_cuda_make_state(launch, sizeof(struct state), prepare_products, release, state);
}

static ttt_status multiply_started(const ttt_launch *launch, const ttt_cuda_prepared *product,
                                   ttt_cuda_operands operands, const ttt_operand *sums)
{
    if (!product)
        return ttt_fail(TTT_UNSUPPORTED, "cuBLASLt has no algorithm for this product");
    TRY(ttt_cuda_start(launch, &launch->in[2], &launch->in[3], sums, sums->shape.size[0],
                       sums->shape.size[1]));
    operands.bias = NULL;
    operands.c = sums->data;
    return ttt_cuda_product_run(launch->device, product, &operands);
}

static ttt_status activate(const ttt_launch *launch, const ttt_operand *sums)
{
    const ttt_activation activation = activation_of(launch);
    if (activation == TTT_IDENTITY)
        return TTT_OK;
    return ttt_cuda_finish(launch, activation == TTT_GELU ? TTT_FINISH_GELU : TTT_FINISH_SILU, sums,
                           &launch->out[0]);
}

static ttt_status run(const ttt_launch *launch)
{
    const struct state *s = launch->state;
    const bool keeps = launch->n_out > 1 && launch->out[1].data;
    ttt_cuda_prepared *const *ways = s->product[keeps];
    const ttt_operand *sums = sums_of(launch, keeps);
    ttt_cuda_operands operands = {.a = launch->in[0].data,
                                  .b = launch->in[1].data,
                                  .c = launch->in[3].data,
                                  .bias = launch->in[2].data,
                                  .y = launch->out[0].data,
                                  .before = keeps ? launch->out[1].data : NULL,
                                  .workspace = launch->workspace};
    bool done;
    TRY(ttt_cuda_product_try_run(launch->device, ways[ACTIVATED], &operands, &done));
    if (done)
        return TTT_OK;
    operands.before = NULL;
    operands.y = sums->data;
    TRY(ttt_cuda_product_try_run(launch->device, ways[BIASED], &operands, &done));
    if (!done)
        TRY(multiply_started(launch, ways[STARTED], operands, sums));
    return activate(launch, sums);
}

const ttt_implementation ttt_linear_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .run = run,
};
