/* The row "cublas" of matmul: as few calls of cuBLASLt as the strides allow.
 *
 * One call goes through all indices of the largest batch dimension; the others, and the terms, are gone
 * through here.  The first term brings alpha and beta c, further ones are added to y, which is f32 then.
 * A derivative that is multiplied to the product is an epilogue where the library has one, else a pass of its
 * own over y.
 */
#include <stdlib.h>

#include "ttt/device/cuda_product.h"
#include "ttt/ops/matmul/finish_cuda.h"
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/product.h"
#include "ttt/ops/matmul/state_cuda.h"

enum {
    MOST_CALLS = 32,      /* beyond these, launches cost more than our own kernel does */
    MOST_BATCHES = 65535, /* of one call */
};

/* A product as calls: dimension `together` of its batch in one, -1: there is none. */
struct calls {
    ttt_product p;
    int together;
    int64_t count;  /* without the terms */
    int64_t y_step; /* elements of y from one index of `together` to the next */
};

static struct calls calls_of(const ttt_launch *launch)
{
    struct calls calls = {.p = ttt_product_of(launch)};
    const ttt_product *p = &calls.p;
    calls.together = ttt_product_largest_batch(p);
    calls.y_step = p->m * p->n;
    for (int i = p->n_batch - 1; i > calls.together; i--)
        calls.y_step *= p->batch[i].size;
    calls.count = calls.together < 0 ? 1 : p->batches / p->batch[calls.together].size;
    return calls;
}

/* Where call number `call`, term `term` starts, in elements. */
static void find_call(const struct calls *calls, int64_t call, int64_t term, int64_t *a, int64_t *b,
                      int64_t *y)
{
    const ttt_product *p = &calls->p;
    int64_t batch = 0, step = 1;
    for (int i = p->n_batch - 1; i >= 0; i--) {
        const int64_t size = p->batch[i].size;
        if (i != calls->together) {
            batch += call % size * step;
            call /= size;
        }
        step *= size;
    }
    ttt_product_offsets(p, batch, term, a, b);
    *y = batch * p->m * p->n;
}

static bool types_fit(const ttt_launch *launch, int64_t terms)
{
    const ttt_dtype type = launch->in[0].dtype, y = launch->out[0].dtype;
    return launch->in[1].dtype == type && (type == TTT_BF16 || y == TTT_F32) && (terms == 1 || y == TTT_F32);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32_or_bf16(launch, why))
        return false;
    const struct calls calls = calls_of(launch);
    const ttt_product *p = &calls.p;
    if (!ttt_blas_matrix_of(p->m, p->k, p->a_row, p->a_column).possible ||
        !ttt_blas_matrix_of(p->k, p->n, p->b_row, p->b_column).possible)
        *why = "a matrix has no unit stride";
    else if (!types_fit(launch, p->terms))
        *why = "a mixture of types that cuBLASLt does not take";
    else if (calls.count * p->terms > MOST_CALLS)
        *why = "too many calls";
    else if (calls.together >= 0 && p->batch[calls.together].size > MOST_BATCHES)
        *why = "too many matrices for one call";
    else
        return true;
    return false;
}

static size_t workspace(const ttt_launch *launch)
{
    (void)launch;
    return TTT_CUDA_PRODUCT_WORKSPACE;
}

struct state {
    struct calls calls;
    ttt_cuda_prepared *finished, *first, *further; /* finished: with the derivative; or NULL, as further */
};

static ttt_cuda_product product_of(const ttt_launch *launch, const struct calls *calls)
{
    const struct ttt_matmul_attributes *attributes = launch->attributes;
    const ttt_product *p = &calls->p;
    const ttt_blas_matrix a = ttt_blas_matrix_of(p->m, p->k, p->a_row, p->a_column);
    const ttt_blas_matrix b = ttt_blas_matrix_of(p->k, p->n, p->b_row, p->b_column);
    const ttt_product_dimension one = {.size = 1},
                                batch = calls->together < 0 ? one : p->batch[calls->together];
    return (ttt_cuda_product){
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .batches = batch.size,
        .type = launch->in[0].dtype,
        .c_type = launch->out[0].dtype,
        .y_type = launch->out[0].dtype,
        .a_transposed = a.transposed,
        .b_transposed = b.transposed,
        .a_leading = a.leading,
        .b_leading = b.leading,
        .a_batch = batch.a,
        .b_batch = batch.b,
        .y_batch = calls->y_step,
        .alpha = attributes->alpha,
        .beta = attributes->beta,
    };
}

/* cuBLASLt's GELU, in tanh form, serves where its error is below bf16's rounding. */
static ttt_status prepare_products(const ttt_launch *launch, void *state)
{
    struct state *s = state;
    const struct ttt_matmul_attributes *attributes = launch->attributes;
    s->calls = calls_of(launch);
    ttt_cuda_product product = product_of(launch, &s->calls);
    TRY(ttt_cuda_product_prepare(launch->device, &product, &s->first));
    if (attributes->finish == TTT_MATMUL_GELU_GRAD && s->calls.p.terms == 1 && product.type == TTT_BF16 &&
        launch->in[2].dtype == TTT_BF16 && product.y_type == TTT_BF16) {
        product.epilogue = TTT_CUDA_GELU_GRAD;
        product.before_type = TTT_BF16;
        return ttt_cuda_product_try(launch->device, &product, &s->finished);
    }
    product.beta = 1;
    return s->calls.p.terms > 1 ? ttt_cuda_product_prepare(launch->device, &product, &s->further) : TTT_OK;
}

static void release(void *state)
{
    struct state *s = state;
    if (s) {
        ttt_cuda_product_release(s->finished);
        ttt_cuda_product_release(s->first);
        ttt_cuda_product_release(s->further);
    }
    free(s);
}

static ttt_status prepare(const ttt_launch *launch, void **state)
{
    return ttt_cuda_make_state(launch, sizeof(struct state), prepare_products, release, state);
}

/* Element i of an operand, or NULL where it has no data. */
static void *element(const ttt_operand *x, int64_t i)
{
    return x->data ? (char *)x->data + i * (int64_t)ttt_dtype_size(x->dtype) : NULL;
}

static ttt_cuda_operands operands_of(const ttt_launch *launch, const struct calls *calls, int64_t call,
                                     int64_t term)
{
    int64_t a, b, y;
    find_call(calls, call, term, &a, &b, &y);
    return (ttt_cuda_operands){.a = element(&launch->in[0], a),
                               .b = element(&launch->in[1], b),
                               .c = element(&launch->in[2], y),
                               .y = element(&launch->out[0], y),
                               .before = element(&launch->in[2], y),
                               .workspace = launch->workspace};
}

/* All calls with the derivative in the epilogue; *done false when the library refuses one. */
static ttt_status run_finished(const ttt_launch *launch, const struct state *s, bool *done)
{
    *done = s->finished != NULL;
    for (int64_t call = 0; *done && call < s->calls.count; call++) {
        const ttt_cuda_operands operands = operands_of(launch, &s->calls, call, 0);
        TRY(ttt_cuda_product_try_run(launch->device, s->finished, &operands, done));
    }
    return TTT_OK;
}

static ttt_status run_call(const ttt_launch *launch, const struct state *s, int64_t call, bool adds_to_y)
{
    for (int64_t term = 0; term < s->calls.p.terms; term++) {
        ttt_cuda_operands operands = operands_of(launch, &s->calls, call, term);
        if (term > 0 || adds_to_y)
            operands.c = operands.y;
        TRY(ttt_cuda_product_run(launch->device, term ? s->further : s->first, &operands));
    }
    return TTT_OK;
}

static ttt_status run(const ttt_launch *launch)
{
    const struct state *s = launch->state;
    const enum ttt_matmul_finish finish = ((const struct ttt_matmul_attributes *)launch->attributes)->finish;
    const ttt_operand *c = &launch->in[2], *y = &launch->out[0];
    const bool converts = finish == TTT_MATMUL_ADD && c->dtype != y->dtype;
    bool done;
    TRY(run_finished(launch, s, &done));
    if (done)
        return TTT_OK;
    if (converts)
        TRY(ttt_cuda_start(launch, &(ttt_operand){0}, c, y, 1, ttt_operand_elements(y)));
    for (int64_t call = 0; call < s->calls.count; call++)
        TRY(run_call(launch, s, call, converts));
    if (finish == TTT_MATMUL_GELU_GRAD || finish == TTT_MATMUL_SILU_GRAD)
        return ttt_cuda_finish(
            launch, finish == TTT_MATMUL_GELU_GRAD ? TTT_FINISH_GELU_GRAD : TTT_FINISH_SILU_GRAD, c, y);
    return TTT_OK;
}

const ttt_implementation ttt_matmul_cublas = {
    .name = "cublas",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .run = run,
};
