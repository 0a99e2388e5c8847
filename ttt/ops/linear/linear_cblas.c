/* The row "cblas" of linear: chunks of rows, each one BLAS call whose results are finished while in cache.
 *
 * The results are set to the bias before the product is added: BLAS would otherwise fill them with zeros.
 * Chunks follow from the shape alone, because the last bits of a BLAS result can depend on where it begins.
 */
#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "ttt/ops/linear/linear_rows.h"

enum { CHUNK_ROWS = 192 };

static bool cblas_supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32(launch, why))
        return false;
    const ttt_operand *x = &launch->in[0], *weight = &launch->in[1];
    if (x->shape.size[1] > INT_MAX || weight->shape.size[0] > INT_MAX || x->stride[0] > INT_MAX) {
        *why = "a size over 2^31";
        return false;
    }
    return true;
}

/* Every row of y gets the bias, or zeros. */
static void start_rows(int64_t rows, int64_t columns, const float *bias, float *y)
{
    const size_t bytes = (size_t)columns * sizeof(float);
    for (int64_t i = 0; i < rows; i++) {
        if (bias)
            memcpy(y + i * columns, bias, bytes);
        else
            memset(y + i * columns, 0, bytes);
    }
}

static void multiply_chunk(const ttt_launch *launch, int64_t first, int64_t rows)
{
    const struct ttt_linear_epilogue epilogue = ttt_linear_epilogue_of(launch);
    const ttt_operand *x = &launch->in[0], *weight = &launch->in[1];
    const int64_t in = x->shape.size[1], out = weight->shape.size[0];
    const int64_t x_row = x->shape.size[0] == 1 ? in : x->stride[0];
    const bool keeps_sums = launch->n_out > 1 && launch->out[1].data;
    float *sums = (float *)launch->out[keeps_sums].data + first * out;
    start_rows(rows, out, launch->in[2].data, sums);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)out, (int)in, 1.0f,
                (const float *)x->data + first * x_row, (int)x_row, weight->data, (int)in, 1.0f, sums,
                (int)out);
    ttt_linear_finish(&epilogue, first, rows, 0, out);
}

static ttt_status cblas_run(const ttt_launch *launch)
{
    const int64_t rows = launch->in[0].shape.size[0];
    int64_t chunks = (rows + CHUNK_ROWS / 2) / CHUNK_ROWS;
    chunks = chunks >= 8 ? chunks / 8 * 8 : chunks >= 4 ? 4 : chunks >= 2 ? 2 : 1;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t i = 0; i < chunks; i++) {
        int64_t first = rows * i / chunks;
        multiply_chunk(launch, first, rows * (i + 1) / chunks - first);
    }
    return TTT_OK;
}

const ttt_implementation ttt_linear_cblas = {
    .name = "cblas",
    .device = TTT_CPU,
    .supports = cblas_supports,
    .run = cblas_run,
};
