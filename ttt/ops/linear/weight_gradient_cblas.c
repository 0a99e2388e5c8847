/* The row "cblas" of weight_gradient: tiles of d^T x, each one BLAS call; those of the first column also sum
 * their part of d.
 *
 * Tiles follow from the shape alone, because the last bits of a BLAS result can depend on where it begins.
 */
#include <cblas.h>
#include <limits.h>

#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/reduce/rows.h"

enum { TILE_ROWS = 96, TILE_COLUMNS = 192 };

static bool cblas_supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32(launch, why))
        return false;
    const ttt_operand *d = &launch->in[0], *x = &launch->in[1];
    if (d->shape.size[0] > INT_MAX || d->stride[0] > INT_MAX || x->stride[0] > INT_MAX) {
        *why = "a size over 2^31";
        return false;
    }
    return true;
}

/* From row to row of a matrix; what is never stepped over need not be a distance that BLAS takes. */
static int64_t leading(const ttt_operand *x)
{
    return x->shape.size[0] == 1 ? x->shape.size[1] : x->stride[0];
}

static void multiply_tile(const ttt_launch *launch, int64_t m, int64_t n)
{
    const ttt_operand *d = &launch->in[0], *x = &launch->in[1];
    const int64_t depth = d->shape.size[0], out = d->shape.size[1], in = x->shape.size[1];
    const int64_t rows = out - m < TILE_ROWS ? out - m : TILE_ROWS;
    const int64_t columns = in - n < TILE_COLUMNS ? in - n : TILE_COLUMNS;
    const float *left = (const float *)d->data + m;
    float *bias = launch->out[1].data;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)rows, (int)columns, (int)depth, 1.0f, left,
                (int)leading(d), (const float *)x->data + n, (int)leading(x), 0.0f,
                (float *)launch->out[0].data + m * in + n, (int)in);
    if (bias && n == 0)
        ttt_sum_rows(left, depth, leading(d), rows, 1.0, bias + m, 1);
}

static ttt_status cblas_run(const ttt_launch *launch)
{
    const int64_t down = (launch->in[0].shape.size[1] + TILE_ROWS - 1) / TILE_ROWS;
    const int64_t across = (launch->in[1].shape.size[1] + TILE_COLUMNS - 1) / TILE_COLUMNS;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t i = 0; i < down * across; i++)
        multiply_tile(launch, i / across * TILE_ROWS, i % across * TILE_COLUMNS);
    return TTT_OK;
}

const ttt_implementation ttt_weight_gradient_cblas = {
    .name = "cblas",
    .device = TTT_CPU,
    .supports = cblas_supports,
    .run = cblas_run,
};
