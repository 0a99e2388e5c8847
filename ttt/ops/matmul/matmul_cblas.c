/* The row "cblas" of matmul: tiles of the result, each computed by single-threaded BLAS calls.
 *
 * The last bits of a BLAS result can depend on where its tile begins, so the tiles follow from the shape
 * alone: the number of threads decides who computes a tile, and never its bits.
 */
#include <cblas.h>
#include <limits.h>

#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/product.h"

enum {
    GOOD_SIDE = 192, /* rows or columns from which on a tile runs at nearly the full rate */
    LEAST_ROWS = 96, /* still good when there would be too few tiles */
    ENOUGH_TILES = 16,
};

/* Number of pieces of about `piece` each: one, a power of two, or a multiple of eight, so that the usual
 * numbers of threads get equal shares. */
static int64_t pieces(int64_t size, int64_t piece)
{
    int64_t count = (size + piece / 2) / piece;
    if (count >= 8)
        return count / 8 * 8;
    return count >= 4 ? 4 : count >= 2 ? 2 : 1;
}

static void choose_tiles(const ttt_product *p, int64_t *down, int64_t *across)
{
    *down = pieces(p->m, GOOD_SIDE);
    *across = 1;
    if (p->batches * *down < ENOUGH_TILES)
        *down = pieces(p->m, LEAST_ROWS);
    if (p->batches * *down < ENOUGH_TILES)
        *across = pieces(p->n, GOOD_SIDE);
}

static bool cblas_supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32(launch, why))
        return false;
    ttt_product p = ttt_product_of(launch);
    ttt_blas_matrix a = ttt_blas_matrix_of(p.m, p.k, p.a_row, p.a_column);
    ttt_blas_matrix b = ttt_blas_matrix_of(p.k, p.n, p.b_row, p.b_column);
    if (!a.possible || !b.possible) {
        *why = "a matrix has no unit stride";
        return false;
    }
    if (p.k > INT_MAX || p.n > INT_MAX || a.leading > INT_MAX || b.leading > INT_MAX) {
        *why = "a size over 2^31";
        return false;
    }
    return true;
}

/* Rows m .. m + rows, columns n .. n + columns of one batch. */
static void multiply_tile(const ttt_launch *launch, const ttt_product *p, int64_t batch, int64_t m,
                          int64_t rows, int64_t n, int64_t columns)
{
    ttt_blas_matrix a = ttt_blas_matrix_of(p->m, p->k, p->a_row, p->a_column);
    ttt_blas_matrix b = ttt_blas_matrix_of(p->k, p->n, p->b_row, p->b_column);
    const int64_t at = (batch * p->m + m) * p->n + n;
    const float *c = launch->in[2].data;
    float *y = (float *)launch->out[0].data + at;
    for (int64_t term = 0; term < p->terms; term++) {
        int64_t in_a, in_b;
        ttt_product_offsets(p, batch, term, &in_a, &in_b);
        cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                    b.transposed ? CblasTrans : CblasNoTrans, (int)rows, (int)columns, (int)p->k, 1.0f,
                    (const float *)launch->in[0].data + in_a + m * p->a_row, (int)a.leading,
                    (const float *)launch->in[1].data + in_b + n * p->b_column, (int)b.leading,
                    term ? 1.0f : 0.0f, y, (int)p->n);
    }
    const struct ttt_matmul_epilogue epilogue = {launch->attributes, c ? c + at : NULL, y, p->n};
    ttt_panel_finish *finish = ttt_matmul_finisher(&epilogue);
    if (finish)
        finish(&epilogue, 0, rows, 0, columns);
}

static ttt_status cblas_run(const ttt_launch *launch)
{
    const ttt_product p = ttt_product_of(launch);
    int64_t down, across;
    choose_tiles(&p, &down, &across);
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t task = 0; task < p.batches * down * across; task++) {
        int64_t batch = task / (down * across), i = task / across % down, j = task % across;
        int64_t m = p.m * i / down, n = p.n * j / across;
        multiply_tile(launch, &p, batch, m, p.m * (i + 1) / down - m, n, p.n * (j + 1) / across - n);
    }
    return TTT_OK;
}

const ttt_implementation ttt_matmul_cblas = {
    .name = "cblas",
    .device = TTT_CPU,
    .supports = cblas_supports,
    .run = cblas_run,
};
