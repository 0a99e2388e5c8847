/* The row "small" of matmul: our own kernel, for matrices where a BLAS call costs more than it computes, and
 * most of packing (matmul_packed.c) is not worth its while.
 *
 * Measured on a Zen 3 core: 96 products of 196x32 by 32x32 reach 76 GFLOP/s here and 45 with OpenBLAS.
 */
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/matmul/product.h"

enum {
    DEPTH = 256,              /* depth of a packed panel, which must share the first-level cache with a */
    LARGE = 64 * 64 * 64,     /* rows * columns * depth from which on packing is faster in whatever memory */
    ROWS_WORTH_PACKING = 256, /* fewer read b where it is */
    TASKS_PER_THREAD = 4,
};

static bool small_supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32(launch, why))
        return false;
    ttt_product p = ttt_product_of(launch);
    if ((double)p.m * (double)p.n * (double)p.k < LARGE)
        return true;
    *why = "as large as 64 x 64 x 64";
    return false;
}

/* What becomes of a block of rows of y: `first`, sums are set rather than added to; `complete`, they are
 * finished. */
struct target {
    struct ttt_matmul_epilogue epilogue;
    bool first, complete;
};

/* What is asked for while the panel at column j is multiplied: with the first one a's rows, a tile ahead,
 * where they are read along; and the next panel. */
static void ask_ahead(const ttt_product *p, int64_t rows, int64_t depth, const float *a, const float *b,
                      int64_t j, ttt_panel_ahead ahead[2])
{
    const int64_t tiles = (rows + TTT_PANEL_ROWS - 1) / TTT_PANEL_ROWS, next = j + TTT_PANEL_WIDTH;
    const int64_t left = p->n - next, width = left < TTT_PANEL_WIDTH ? left : TTT_PANEL_WIDTH;
    ahead[0] = ttt_panel_ahead_of(a + TTT_PANEL_ROWS * p->a_row, p->a_row,
                                  j == 0 && p->a_column == 1 ? rows : 0, depth, tiles);
    if (p->b_column == 1)
        ahead[1] = ttt_panel_ahead_of(b + next, p->b_row, width > 0 ? depth : 0, width, tiles);
    else
        ahead[1] = ttt_panel_ahead_of(b + next * p->b_column, p->b_column, width, depth, tiles);
}

/* Adds a's and b's `depth` columns and rows to `rows` rows. */
static void multiply_block(const ttt_product *p, int64_t rows, int64_t depth, const float *a, const float *b,
                           const struct target *to)
{
    float packed[DEPTH * TTT_PANEL_WIDTH] __attribute__((aligned(64)));
    ttt_panel_ahead ahead[2];
    for (int64_t j = 0; j < p->n; j += TTT_PANEL_WIDTH) {
        int64_t width = p->n - j < TTT_PANEL_WIDTH ? p->n - j : TTT_PANEL_WIDTH;
        bool pack = width < TTT_PANEL_WIDTH || p->b_column != 1 || rows >= ROWS_WORTH_PACKING;
        if (pack)
            ttt_panel_pack(depth, width, b + j * p->b_column, p->b_row, p->b_column, packed);
        ask_ahead(p, rows, depth, a, b, j, ahead);
        ttt_panel_multiply(&(ttt_panel_product){
            .rows = rows,
            .depth = depth,
            .width = width,
            .a = a,
            .a_row = p->a_row,
            .a_column = p->a_column,
            .a_tile = TTT_PANEL_ROWS * p->a_row,
            .panel = pack ? packed : b + j,
            .panel_row = pack ? TTT_PANEL_WIDTH : p->b_row,
            .c = to->epilogue.y + j,
            .c_row = p->n,
            .add = !to->first,
            .ahead = ahead,
            .n_ahead = 2,
            .finish = to->complete ? ttt_matmul_finisher(&to->epilogue) : NULL,
            .context = &to->epilogue,
            .column = j,
            .beside = to->complete && to->epilogue.c ? to->epilogue.c + j : NULL,
        });
    }
}

/* Rows first ... first + rows of one batch. */
static void multiply_rows(const ttt_launch *launch, const ttt_product *p, int64_t batch, int64_t first,
                          int64_t rows)
{
    const int64_t at = (batch * p->m + first) * p->n;
    const float *c = launch->in[2].data;
    struct target to = {.epilogue = {.attributes = launch->attributes,
                                     .c = c ? c + at : NULL,
                                     .y = (float *)launch->out[0].data + at,
                                     .n = p->n}};
    for (int64_t term = 0; term < p->terms; term++) {
        int64_t in_a, in_b;
        ttt_product_offsets(p, batch, term, &in_a, &in_b);
        const float *a = (const float *)launch->in[0].data + in_a + first * p->a_row;
        const float *b = (const float *)launch->in[1].data + in_b;
        for (int64_t k = 0; k < p->k; k += DEPTH) {
            const int64_t depth = p->k - k < DEPTH ? p->k - k : DEPTH;
            to.first = term == 0 && k == 0;
            to.complete = term == p->terms - 1 && k + depth == p->k;
            multiply_block(p, rows, depth, a + k * p->a_column, b + k * p->b_row, &to);
        }
    }
}

static ttt_status small_run(const ttt_launch *launch)
{
    const ttt_product p = ttt_product_of(launch);
    const int64_t tiles = (p.m + TTT_PANEL_ROWS - 1) / TTT_PANEL_ROWS;
    int64_t blocks = ((int64_t)TASKS_PER_THREAD * launch->threads + p.batches - 1) / p.batches;
    blocks = blocks > tiles ? tiles : blocks;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t task = 0; task < p.batches * blocks; task++) {
        int64_t batch = task / blocks, block = task % blocks;
        int64_t first = tiles * block / blocks * TTT_PANEL_ROWS;
        int64_t end = tiles * (block + 1) / blocks * TTT_PANEL_ROWS;
        multiply_rows(launch, &p, batch, first, (end > p.m ? p.m : end) - first);
    }
    return TTT_OK;
}

const ttt_implementation ttt_matmul_small = {
    .name = "small",
    .device = TTT_CPU,
    .supports = small_supports,
    .run = small_run,
};
