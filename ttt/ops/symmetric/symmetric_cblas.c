/* The row "cblas" of symmetric: tiles on and below the diagonal by single-threaded BLAS calls, then mirrored.
 *
 * As in matmul, tiles follow from the shape alone: threads decide who computes a tile, and never its bits.
 */
#include <cblas.h>
#include <limits.h>

#include "ttt/ops/symmetric/symmetric_rows.h"

enum {
    SIDE = 192,  /* of a tile: BLAS runs at nearly its full rate from there on */
    MIRROR = 32, /* of the blocks that are mirrored: two of them stay in cache */
};

static bool cblas_supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32(launch, why))
        return false;
    const struct ttt_symmetric_size s = ttt_symmetric_size_of(launch);
    if (s.n <= INT_MAX && s.k <= INT_MAX)
        return true;
    *why = "a size over 2^31";
    return false;
}

static int64_t tiles_of(int64_t n)
{
    return (n + SIDE - 1) / SIDE;
}

/* Row and column of number `t` of the pairs (0, 0), (1, 0), (1, 1), (2, 0) ... */
static void find_pair(int64_t t, int64_t *row, int64_t *column)
{
    *row = 0;
    while (t > *row)
        t -= ++*row;
    *column = t;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void multiply_tile(const struct ttt_symmetric_matrix *p, int64_t row, int64_t column)
{
    const int64_t i = row * SIDE, j = column * SIDE;
    const int rows = (int)smaller(SIDE, p->n - i), columns = (int)smaller(SIDE, p->n - j), n = (int)p->n,
              k = (int)p->k;
    const float *a = p->a + i * p->k, *b = p->b ? p->b + j * p->k : NULL;
    float *y = p->y + i * p->n + j;
    if (row == column && b) {
        cblas_ssyr2k(CblasRowMajor, CblasLower, CblasNoTrans, rows, k, p->alpha, a, k, b, k, 0, y, n);
    } else if (row == column) {
        cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, rows, k, p->alpha, a, k, 0, y, n);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, columns, k, p->alpha, a, k,
                    b ? b : p->a + j * k, k, 0, y, n);
        if (b)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, columns, k, p->alpha, p->b + i * k, k,
                        p->a + j * k, k, 1, y, n);
    }
}

/* Copies a block below the diagonal to its place above, and adds what is added. */
static void mirror_block(const struct ttt_symmetric_matrix *p, int64_t row, int64_t column)
{
    const int64_t n = p->n, last_row = smaller((row + 1) * MIRROR, n);
    for (int64_t i = row * MIRROR; i < last_row; i++) {
        const int64_t end = smaller((column + 1) * MIRROR, i + 1);
        for (int64_t j = column * MIRROR; j < end; j++) {
            const float value = p->y[i * n + j] + (i == j ? p->shift : 0);
            p->y[j * n + i] = value + (p->c ? p->beta * p->c[j * n + i] : 0);
            if (p->c && i != j)
                p->y[i * n + j] = value + p->beta * p->c[i * n + j];
        }
    }
}

static ttt_status cblas_run(const ttt_launch *launch)
{
    const struct ttt_symmetric_size s = ttt_symmetric_size_of(launch);
    const int64_t tiles = tiles_of(s.n) * (tiles_of(s.n) + 1) / 2, side = (s.n + MIRROR - 1) / MIRROR,
                  blocks = side * (side + 1) / 2;
    int64_t row, column;
#pragma omp parallel for num_threads(launch->threads) schedule(static) private(row, column)
    for (int64_t task = 0; task < s.batches * tiles; task++) {
        const struct ttt_symmetric_matrix p = ttt_symmetric_matrix_of(launch, task / tiles);
        find_pair(task % tiles, &row, &column);
        multiply_tile(&p, row, column);
    }
#pragma omp parallel for num_threads(launch->threads) schedule(static) private(row, column)
    for (int64_t task = 0; task < s.batches * blocks; task++) {
        const struct ttt_symmetric_matrix p = ttt_symmetric_matrix_of(launch, task / blocks);
        find_pair(task % blocks, &row, &column);
        mirror_block(&p, row, column);
    }
    return TTT_OK;
}

const ttt_implementation ttt_symmetric_cblas = {
    .name = "cblas",
    .device = TTT_CPU,
    .supports = cblas_supports,
    .run = cblas_run,
};
