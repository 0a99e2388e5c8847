/* Matrix products through cuBLASLt.
 *
 * The library is column-major: a row-major y = a b is its y^T = b^T a^T, so b is its first operand, a its
 * second, and n counts its rows.  Sums are in f32, and f32 operands are never rounded to TF32.  Its split
 * sums are added in a fixed order; those that would pass through bf16 on the way are not allowed.
 */
#include <cublasLt.h>
#include <stdlib.h>

#include "ttt/device/cuda.h"
#include "ttt/device/cuda_product.h"

/* Two algorithms: for operands at multiples of 16 bytes, which fast kernels need, and for any others. */
enum { ALIGNED, ANYWHERE, ALIGNMENTS };
enum { ALIGNMENT = 16 };

struct ttt_cuda_prepared {
    cublasLtMatmulDescOpaque_t matmul;
    cublasLtMatrixLayoutOpaque_t a, b, y; /* c lies as y */
    cublasLtMatmulHeuristicResult_t choice[ALIGNMENTS];
    bool possible[ALIGNMENTS];
    float alpha, beta;
    enum ttt_cuda_epilogue epilogue;
    bool keeps_before;
};

static ttt_status check(cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return TTT_OK;
    return ttt_fail(status == CUBLAS_STATUS_NOT_SUPPORTED ? TTT_UNSUPPORTED : TTT_DEVICE,
                    "cuBLASLt failed at %s: %s", what, cublasLtGetStatusString(status));
}

static cudaDataType type_of(ttt_dtype dtype)
{
    return dtype == TTT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* `bytes` at `value` become an attribute of the product. */
static ttt_status set(struct ttt_cuda_prepared *p, cublasLtMatmulDescAttributes_t attribute,
                      const void *value, size_t bytes)
{
    return check(cublasLtMatmulDescSetAttribute(&p->matmul, attribute, value, bytes), "describing a product");
}

static ttt_status set_pointer(struct ttt_cuda_prepared *p, cublasLtMatmulDescAttributes_t attribute,
                              const void *pointer)
{
    return set(p, attribute, &pointer, sizeof pointer);
}

static bool has_bias(const struct ttt_cuda_prepared *p)
{
    return p->epilogue == TTT_CUDA_BIAS || p->epilogue == TTT_CUDA_BIAS_GELU;
}

static bool has_before(const struct ttt_cuda_prepared *p)
{
    return p->epilogue == TTT_CUDA_GELU_GRAD || p->keeps_before;
}

static ttt_status set_operands(struct ttt_cuda_prepared *p, const void *bias, const void *before,
                               const void *sums)
{
    if (has_bias(p))
        TRY(set_pointer(p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias));
    if (p->epilogue == TTT_CUDA_COLUMN_SUMS)
        TRY(set_pointer(p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, sums));
    if (has_before(p))
        TRY(set_pointer(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, before));
    return TTT_OK;
}

static cublasLtEpilogue_t library_epilogue(const struct ttt_cuda_prepared *p)
{
    switch (p->epilogue) {
    case TTT_CUDA_BIAS:
        return CUBLASLT_EPILOGUE_BIAS;
    case TTT_CUDA_GELU:
        return p->keeps_before ? CUBLASLT_EPILOGUE_GELU_AUX : CUBLASLT_EPILOGUE_GELU;
    case TTT_CUDA_BIAS_GELU:
        return p->keeps_before ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_BIAS;
    case TTT_CUDA_GELU_GRAD:
        return CUBLASLT_EPILOGUE_DGELU;
    case TTT_CUDA_COLUMN_SUMS:
        return CUBLASLT_EPILOGUE_BGRADB;
    default:
        return CUBLASLT_EPILOGUE_DEFAULT;
    }
}

static ttt_status describe_matmul(struct ttt_cuda_prepared *p, const ttt_cuda_product *product)
{
    const int32_t first = product->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const int32_t second = product->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const uint32_t epilogue = library_epilogue(p);
    const int64_t rows = product->n;
    const int64_t batch = product->y_batch ? product->y_batch : product->m * product->n;
    TRY(check(cublasLtMatmulDescInit(&p->matmul, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product"));
    TRY(set(p, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first));
    TRY(set(p, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second));
    TRY(set(p, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue));
    if (has_before(p)) {
        TRY(set(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &rows, sizeof rows));
        TRY(set(p, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, &batch, sizeof batch));
    }
    return TTT_OK;
}

/* A row-major matrix as it is stored, which to the library is a transposed one; `batches`, `batch` elements
 * apart. */
static ttt_status describe_matrix(cublasLtMatrixLayoutOpaque_t *matrix, ttt_dtype type, int64_t rows,
                                  int64_t columns, int64_t leading, int64_t batches, int64_t batch)
{
    const char *what = "describing a matrix";
    const int32_t count = (int32_t)batches;
    TRY(check(cublasLtMatrixLayoutInit(matrix, type_of(type), (uint64_t)columns, (uint64_t)rows, leading),
              what));
    TRY(check(
        cublasLtMatrixLayoutSetAttribute(matrix, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
        what));
    return check(cublasLtMatrixLayoutSetAttribute(matrix, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &batch,
                                                  sizeof batch),
                 what);
}

static ttt_status describe_matrices(struct ttt_cuda_prepared *p, const ttt_cuda_product *x)
{
    const bool a_turned = x->a_transposed, b_turned = x->b_transposed;
    TRY(describe_matrix(&p->a, x->type, a_turned ? x->k : x->m, a_turned ? x->m : x->k, x->a_leading,
                        x->batches, x->a_batch));
    TRY(describe_matrix(&p->b, x->type, b_turned ? x->n : x->k, b_turned ? x->k : x->n, x->b_leading,
                        x->batches, x->b_batch));
    return describe_matrix(&p->y, x->y_type, x->m, x->n, x->n, x->batches,
                           x->y_batch ? x->y_batch : x->m * x->n);
}

static ttt_status set_preferences(cublasLtMatmulPreferenceOpaque_t *preference, uint32_t operands,
                                  uint32_t results, bool sums_in_place)
{
    const char *what = "choosing an algorithm";
    const uint64_t workspace = TTT_CUDA_PRODUCT_WORKSPACE;
    const uint32_t reductions =
        CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | (sums_in_place ? CUBLASLT_REDUCTION_SCHEME_INPLACE : 0u);
    const struct {
        cublasLtMatmulPreferenceAttributes_t attribute;
        uint32_t value;
    } all[] = {
        {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, operands},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, operands},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, results},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, results},
    };
    TRY(check(cublasLtMatmulPreferenceInit(preference), what));
    TRY(check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                   &workspace, sizeof workspace),
              what));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        TRY(check(cublasLtMatmulPreferenceSetAttribute(preference, all[i].attribute, &all[i].value,
                                                       sizeof all[i].value),
                  what));
    return TTT_OK;
}

/* The library's first choice; p->possible[which] says whether it has one. */
static ttt_status choose(struct ttt_cuda_prepared *p, cublasLtHandle_t blas, const ttt_cuda_product *product,
                         int which)
{
    const size_t operands = which == ALIGNED ? ALIGNMENT : ttt_dtype_size(product->type);
    const size_t results = which == ALIGNED ? ALIGNMENT : ttt_dtype_size(product->y_type);
    const void *example = (const void *)results; /* the library wants to know an address's alignment */
    cublasLtMatmulPreferenceOpaque_t preference;
    int found = 0;
    TRY(set_preferences(&preference, (uint32_t)operands, (uint32_t)results, product->y_type == TTT_F32));
    TRY(set_operands(p, example, example, example));
    cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(blas, &p->matmul, &p->b, &p->a, &p->y, &p->y,
                                                           &preference, 1, &p->choice[which], &found);
    p->possible[which] =
        status == CUBLAS_STATUS_SUCCESS && found && p->choice[which].state == CUBLAS_STATUS_SUCCESS;
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE)
        return TTT_OK;
    return check(status, "choosing an algorithm");
}

static ttt_status prepare(struct ttt_cuda_prepared *p, cublasLtHandle_t blas, const ttt_cuda_product *product)
{
    TRY(describe_matmul(p, product));
    TRY(describe_matrices(p, product));
    for (int which = 0; which < ALIGNMENTS; which++)
        TRY(choose(p, blas, product, which));
    return p->possible[ALIGNED] ? TTT_OK
                                : ttt_fail(TTT_UNSUPPORTED, "cuBLASLt has no algorithm for this product");
}

/* What the library is not asked for. */
static bool is_served(const ttt_cuda_product *product)
{
    const bool before = product->epilogue == TTT_CUDA_GELU_GRAD ||
                        ((product->epilogue == TTT_CUDA_GELU || product->epilogue == TTT_CUDA_BIAS_GELU) &&
                         product->before_type);
    return (product->beta == 0 || product->c_type == product->y_type) &&
           (!before || product->before_type == product->y_type) &&
           (product->epilogue != TTT_CUDA_COLUMN_SUMS || product->y_type == TTT_F32);
}

ttt_status ttt_cuda_product_prepare(ttt_device *device, const ttt_cuda_product *product,
                                    ttt_cuda_prepared **prepared)
{
    ttt_status status;
    *prepared = NULL;
    if (!is_served(product))
        return ttt_fail(TTT_UNSUPPORTED, "cuBLASLt takes no such mixture of types");
    cublasLtHandle_t blas = ttt_cuda_blas(device, &status);
    TRY(status);
    struct ttt_cuda_prepared *p = calloc(1, sizeof *p);
    if (!p)
        return ttt_fail(TTT_MEMORY, "no memory to prepare a product");
    p->alpha = product->alpha;
    p->beta = product->beta == 0 ? 0 : product->beta; /* at -0 the library reads c, which may be NaN */
    p->epilogue = product->epilogue;
    p->keeps_before = product->before_type &&
                      (product->epilogue == TTT_CUDA_GELU || product->epilogue == TTT_CUDA_BIAS_GELU);
    status = prepare(p, blas, product);
    if (status)
        free(p);
    else
        *prepared = p;
    return status;
}

static bool are_aligned(const ttt_cuda_operands *o)
{
    const uintptr_t all = (uintptr_t)o->a | (uintptr_t)o->b | (uintptr_t)o->c | (uintptr_t)o->bias |
                          (uintptr_t)o->y | (uintptr_t)o->before | (uintptr_t)o->sums;
    return all % ALIGNMENT == 0;
}

ttt_status ttt_cuda_product_run(ttt_device *device, const ttt_cuda_prepared *prepared,
                                const ttt_cuda_operands *o)
{
    ttt_status status;
    struct ttt_cuda_prepared p = *prepared; /* whose description gets this run's addresses */
    const int which = are_aligned(o) ? ALIGNED : ANYWHERE;
    const void *c = p.beta != 0 ? o->c : o->y;
    cublasLtHandle_t blas = ttt_cuda_blas(device, &status);
    TRY(status);
    if (!p.possible[which])
        return ttt_fail(TTT_UNSUPPORTED, "cuBLASLt has no algorithm for operands at odd addresses");
    TRY(set_operands(&p, o->bias, o->before, o->sums));
    return check(cublasLtMatmul(blas, &p.matmul, &p.alpha, o->b, &p.b, o->a, &p.a, &p.beta, c, &p.y, o->y,
                                &p.y, &p.choice[which].algo, o->workspace, TTT_CUDA_PRODUCT_WORKSPACE,
                                ttt_cuda_stream(device)),
                 "a product");
}

void ttt_cuda_product_release(ttt_cuda_prepared *prepared)
{
    free(prepared);
}

double ttt_cuda_product_waves(const ttt_cuda_prepared *prepared)
{
    return (double)prepared->choice[ALIGNED].wavesCount;
}
