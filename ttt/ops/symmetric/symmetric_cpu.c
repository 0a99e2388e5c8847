/* The row "cpu" of symmetric: our own kernel (ops/matmul/panel.h) on and below the diagonal, mirrored panel
 * by panel while that is in cache.
 *
 * A task is a block of rows of one matrix.  Blocks begin where panels do, so that a task writes nothing but
 * its rows up to the diagonal, and their mirror image.
 */
#include <string.h>

#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/symmetric/symmetric_rows.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    WIDTH = TTT_PANEL_WIDTH,
    BLOCK_ROWS = 192, /* a multiple of WIDTH and of TTT_PANEL_ROWS; with DEPTH columns, 144 KiB */
    DEPTH = 192,      /* of a panel, at most: 12 KiB of the first-level cache */
    STREAMS = 5,      /* of memory that is asked for, at most */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* y = alpha sums + beta c in `count` places from `at` on; inlined with a constant count as a rule. */
INLINE void finish_row(const struct ttt_symmetric_matrix *p, int64_t at, int64_t count, const float *sums)
{
    float *y = p->y + at;
    const float *c = p->c ? p->c + at : NULL, alpha = p->alpha, beta = p->beta;
    if (c) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] = alpha * sums[i] + beta * c[i];
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] = alpha * sums[i];
    }
}

/* The rows of a square on the diagonal: below it from y, above it from the mirror image. */
INLINE void finish_square(const struct ttt_symmetric_matrix *p, int64_t first, int64_t rows,
                          const float *mirrored)
{
    for (int64_t i = 0; i < rows; i++) {
        const int64_t at = (first + i) * p->n + first;
        float sums[WIDTH];
#pragma omp simd
        for (int64_t j = 0; j < rows; j++)
            sums[j] = j <= i ? p->y[at + j] : mirrored[i * WIDTH + j];
        finish_row(p, at, rows, sums);
        p->y[at + i] += p->shift;
    }
}

/* Sums in place. */
INLINE void finish_sums(const struct ttt_symmetric_matrix *p, int64_t row, int64_t rows, int64_t column,
                        int64_t columns)
{
    for (int64_t i = row; i < row + rows; i++)
        finish_row(p, i * p->n + column, columns, p->y + i * p->n + column);
}

/* Finishes a square on the diagonal, of which the part below it is taken.  Of a a^T the other one has the
 * same bits. */
static void finish_diagonal(const struct ttt_symmetric_matrix *p, int64_t first, int64_t rows)
{
    if (p->y_is_symmetric && !p->b && rows == WIDTH) {
        finish_sums(p, first, WIDTH, first, WIDTH);
        for (int64_t i = first; i < first + WIDTH; i++)
            p->y[i * p->n + i] += p->shift;
        return;
    }
    float mirrored[WIDTH * WIDTH] __attribute__((aligned(64)));
    ttt_panel_pack(rows, rows, p->y + first * p->n + first, 1, p->n, mirrored);
    if (rows == WIDTH)
        finish_square(p, first, WIDTH, mirrored);
    else
        finish_square(p, first, rows, mirrored);
}

INLINE void finish_blocks(const struct ttt_symmetric_matrix *p, int64_t row, int64_t rows, int64_t column,
                          int64_t columns, const float *mirrored)
{
    for (int64_t i = 0; i < columns; i++)
        finish_row(p, (column + i) * p->n + row, rows, mirrored + i * WIDTH);
    finish_sums(p, row, rows, column, columns);
}

/* A whole block below the diagonal, and its mirror image, which has the same values. */
static void finish_and_mirror(const struct ttt_symmetric_matrix *p, int64_t row, int64_t column,
                              float *mirrored)
{
    if (p->alpha != 1 || p->c)
        finish_sums(p, row, WIDTH, column, WIDTH);
    ttt_panel_pack(WIDTH, WIDTH, p->y + row * p->n + column, 1, p->n, mirrored);
    for (int64_t i = 0; i < WIDTH; i++)
        memcpy(p->y + (column + i) * p->n + row, mirrored + i * WIDTH, WIDTH * sizeof(float));
}

/* Finishes a block below the diagonal, at most WIDTH x WIDTH, and its mirror image. */
static void finish_below(const struct ttt_symmetric_matrix *p, int64_t row, int64_t rows, int64_t column,
                         int64_t columns)
{
    float mirrored[WIDTH * WIDTH] __attribute__((aligned(64)));
    const bool whole = rows == WIDTH && columns == WIDTH;
    if (whole && p->y_is_symmetric) {
        finish_and_mirror(p, row, column, mirrored);
        return;
    }
    ttt_panel_pack(columns, rows, p->y + row * p->n + column, 1, p->n, mirrored);
    if (whole)
        finish_blocks(p, row, WIDTH, column, WIDTH, mirrored);
    else
        finish_blocks(p, row, rows, column, columns, mirrored);
}

/* A piece of a product: columns k ... k + depth of left and right. */
struct piece {
    const float *left, *right;
    int64_t k, depth;
};

static int64_t parts_of(const struct ttt_symmetric_matrix *p)
{
    return divide_up(p->k, DEPTH);
}

/* a a^T is one product; a b^T, then b a^T are two. */
static int64_t pieces_of(const struct ttt_symmetric_matrix *p)
{
    return p->b ? 2 * parts_of(p) : parts_of(p);
}

/* The pieces of a panel follow one another: part by part, product by product. */
static struct piece piece_of(const struct ttt_symmetric_matrix *p, int64_t index)
{
    const int64_t parts = parts_of(p), part = index % parts, k = p->k * part / parts;
    const bool first = index < parts;
    return (struct piece){(first ? p->a : p->b) + k, (first && p->b ? p->b : p->a) + k, k,
                          p->k * (part + 1) / parts - k};
}

/* Memory that is asked for while a piece is multiplied. */
struct asked {
    ttt_panel_ahead stream[STREAMS];
    int count;
};

static void ask(struct asked *asked, const float *at, int64_t row_stride, int64_t rows, int64_t columns,
                int64_t tiles)
{
    if (rows > 0 && columns > 0)
        asked->stream[asked->count++] = ttt_panel_ahead_of(at, row_stride, rows, columns, tiles);
}

/* With piece `index` of the panel at `column`: the panel of the next piece; with the first panel, the rows
 * below; with the last piece, what finishing reads and writes. */
static struct asked ask_ahead(const struct ttt_symmetric_matrix *p, int64_t first, int64_t rows,
                              int64_t column, int64_t index)
{
    const int64_t tiles = divide_up(rows, TTT_PANEL_ROWS), below = first * p->n + column,
                  above = column * p->n + first, width = smaller(WIDTH, p->n - column);
    const int64_t pieces = pieces_of(p);
    const bool last = index + 1 == pieces;
    const struct piece piece = piece_of(p, index), next = piece_of(p, (index + 1) % pieces);
    const int64_t at = last ? column + width : column;
    struct asked asked = {.count = 0};
    ask(&asked, next.right + at * p->k, p->k, smaller(WIDTH, p->n - at), next.depth, tiles);
    if (!column)
        ask(&asked, piece.left + (first + TTT_PANEL_ROWS) * p->k, p->k, rows, piece.depth, tiles);
    if (last)
        ask(&asked, p->y + above, p->n, width, rows, tiles);
    if (last && p->c)
        ask(&asked, p->c + below, p->n, rows, width, tiles);
    if (last && p->c && !p->y_is_symmetric)
        ask(&asked, p->c + above, p->n, width, rows, tiles);
    return asked;
}

/* The sums of rows first ... first + rows in the panel at `column`. */
static void multiply_panel(const struct ttt_symmetric_matrix *p, int64_t first, int64_t rows, int64_t column)
{
    float panel[DEPTH * WIDTH] __attribute__((aligned(64)));
    const int64_t width = smaller(WIDTH, p->n - column);
    for (int64_t i = 0; i < pieces_of(p); i++) {
        const struct piece piece = piece_of(p, i);
        struct asked asked = ask_ahead(p, first, rows, column, i);
        ttt_panel_pack(piece.depth, width, piece.right + column * p->k, 1, p->k, panel);
        ttt_panel_multiply(&(ttt_panel_product){
            .rows = rows,
            .depth = piece.depth,
            .width = width,
            .a = piece.left + first * p->k,
            .a_row = p->k,
            .a_column = 1,
            .a_tile = TTT_PANEL_ROWS * p->k,
            .panel = panel,
            .panel_row = WIDTH,
            .c = p->y + first * p->n + column,
            .c_row = p->n,
            .add = i > 0,
            .ahead = asked.stream,
            .n_ahead = asked.count,
        });
    }
}

/* Rows first ... end, a block, up to the diagonal. */
static void multiply_block(const struct ttt_symmetric_matrix *p, int64_t first, int64_t end)
{
    for (int64_t column = 0; column < end; column += WIDTH) {
        const int64_t from = first > column ? first : column, columns = smaller(WIDTH, p->n - column);
        multiply_panel(p, from, end - from, column);
        for (int64_t row = from; row < end; row += WIDTH) {
            if (row == column)
                finish_diagonal(p, row, columns);
            else
                finish_below(p, row, smaller(WIDTH, end - row), column, columns);
        }
    }
}

/* The last block of a matrix, the largest, comes first. */
static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_symmetric_size s = ttt_symmetric_size_of(launch);
    const int64_t blocks = divide_up(s.n, BLOCK_ROWS);
#pragma omp parallel for num_threads(launch->threads) schedule(dynamic)
    for (int64_t task = 0; task < s.batches * blocks; task++) {
        const struct ttt_symmetric_matrix p = ttt_symmetric_matrix_of(launch, task / blocks);
        const int64_t first = (blocks - 1 - task % blocks) * BLOCK_ROWS;
        multiply_block(&p, first, smaller(first + BLOCK_ROWS, s.n));
    }
    return TTT_OK;
}

const ttt_implementation ttt_symmetric_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = run,
};
