/* Large products: b is packed into panels by all threads, then each takes blocks of rows through them.
 *
 * Depth is cut twice: into chunks, of which b's panels fill the workspace, and those into blocks that fit the
 * first-level cache as a panel.  A block of rows of a fits the second-level cache; it is packed as well where
 * its columns have unit stride, because reading those across rows would hit few cache sets.
 */
#include "ttt/ops/matmul/packed.h"

#include <omp.h>

#include "ttt/ops/matmul/panel.h"

enum {
    MOST_DEPTH = 384,               /* of a panel: 24 KiB */
    BLOCK_ROWS = 96,                /* of a: 144 KiB at that depth */
    CHUNK_FLOATS = 2 * 1024 * 1024, /* of packed b */
    TASKS_PER_THREAD = 2,
    SUMMED_ROWS = 64, /* whose sums stay in registers or the first-level cache, */
    SUMMED_TERMS = 8, /* and take so many terms at a time */
};

struct cut {
    int64_t panels;
    int64_t depth;        /* of all blocks but the last */
    int64_t chunk;        /* depth of all chunks but the last, a multiple of `depth` */
    int64_t tiles;        /* of TTT_PANEL_ROWS rows */
    int64_t down, across; /* tasks: blocks of rows, groups of panels */
    bool packs_rows;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static struct cut cut_of(const ttt_packed_product *p)
{
    struct cut cut = {
        .panels = divide_up(p->n, TTT_PANEL_WIDTH),
        .tiles = divide_up(p->m, TTT_PANEL_ROWS),
        .packs_rows = p->a_column != 1,
    };
    cut.depth = divide_up(divide_up(p->k, divide_up(p->k, MOST_DEPTH)), 8) * 8;
    int64_t blocks = CHUNK_FLOATS / (cut.panels * TTT_PANEL_WIDTH * cut.depth);
    cut.chunk = least((blocks ? blocks : 1) * cut.depth, p->k);
    cut.down = least(divide_up(divide_up(p->m, BLOCK_ROWS), p->threads) * p->threads, cut.tiles);
    cut.across = cut.down >= p->threads ? 1 : divide_up(TASKS_PER_THREAD * p->threads, cut.down);
    cut.across = least(cut.across, cut.panels);
    return cut;
}

/* Elements of the packed rows of one thread. */
static int64_t rows_room(const struct cut *cut)
{
    return cut->packs_rows ? divide_up(cut->tiles, cut->down) * TTT_PANEL_ROWS * cut->depth : 0;
}

static int64_t panels_room(const struct cut *cut)
{
    return cut->chunk * cut->panels * TTT_PANEL_WIDTH;
}

size_t ttt_packed_workspace(const ttt_packed_product *p)
{
    struct cut cut = cut_of(p);
    return (size_t)(panels_room(&cut) + p->threads * rows_room(&cut)) * sizeof(float);
}

static int64_t width_of(const ttt_packed_product *p, int64_t panel)
{
    return least(p->n - panel * TTT_PANEL_WIDTH, TTT_PANEL_WIDTH);
}

/* Where panel `panel` of the depth block that begins `k` into its chunk lies. */
static float *panel_at(const struct cut *cut, float *panels, int64_t k, int64_t depth, int64_t panel)
{
    return panels + (k * cut->panels + panel * depth) * TTT_PANEL_WIDTH;
}

static void pack_panel(const ttt_packed_product *p, const struct cut *cut, int64_t chunk, int64_t panel,
                       float *panels)
{
    const int64_t end = least(chunk + cut->chunk, p->k);
    for (int64_t k = chunk; k < end; k += cut->depth) {
        int64_t depth = least(end - k, cut->depth);
        ttt_panel_pack(depth, width_of(p, panel), p->b + k * p->b_row + panel * TTT_PANEL_WIDTH * p->b_column,
                       p->b_row, p->b_column, panel_at(cut, panels, k - chunk, depth, panel));
    }
}

/* A block of rows and a group of panels. */
struct task {
    int64_t row, rows;
    int64_t panel, end;
};

static struct task task_of(const ttt_packed_product *p, const struct cut *cut, int64_t index)
{
    int64_t i = index / cut->across, j = index % cut->across;
    int64_t row = cut->tiles * i / cut->down * TTT_PANEL_ROWS;
    int64_t end = least(cut->tiles * (i + 1) / cut->down * TTT_PANEL_ROWS, p->m);
    return (struct task){row, end - row, cut->panels * j / cut->across, cut->panels * (j + 1) / cut->across};
}

/* sums += `count` terms of each of `rows` rows; a_row: a constant once inlined, where it is 1. */
static inline __attribute__((always_inline)) void add_terms(int64_t rows, int64_t count, const float *a,
                                                            int64_t a_row, int64_t a_column, float *sums)
{
    for (; count >= SUMMED_TERMS; count -= SUMMED_TERMS, a += SUMMED_TERMS * a_column) {
#pragma omp simd
        for (int64_t i = 0; i < rows; i++) {
            const float *x = a + i * a_row;
            sums[i] += ((x[0] + x[a_column]) + (x[2 * a_column] + x[3 * a_column])) +
                       ((x[4 * a_column] + x[5 * a_column]) + (x[6 * a_column] + x[7 * a_column]));
        }
    }
    for (; count > 0; count--, a += a_column)
        for (int64_t i = 0; i < rows; i++)
            sums[i] += a[i * a_row];
}

/* Adds columns k ... k + depth of the task's rows to their sums.  Blocks of depth follow from the shape
 * alone, so these have the same bits for any number of threads. */
static void sum_block(const ttt_packed_product *p, struct task task, int64_t k, int64_t depth)
{
    for (int64_t i = 0; i < task.rows; i += SUMMED_ROWS) {
        const int64_t rows = least(task.rows - i, SUMMED_ROWS);
        const float *a = p->a + (task.row + i) * p->a_row + k * p->a_column;
        double *total = p->row_sums + task.row + i;
        float sums[SUMMED_ROWS] = {0};
        if (p->a_row == 1)
            add_terms(rows, depth, a, 1, p->a_column, sums);
        else
            add_terms(rows, depth, a, p->a_row, p->a_column, sums);
        for (int64_t r = 0; r < rows; r++)
            total[r] = (k ? total[r] : 0) + (double)sums[r];
    }
}

static void multiply_chunk(const ttt_packed_product *p, const struct cut *cut, int64_t chunk,
                           struct task task, float *panels, float *tiles)
{
    const int64_t end = least(chunk + cut->chunk, p->k);
    for (int64_t k = chunk; k < end; k += cut->depth) {
        ttt_panel_product block = {
            .rows = task.rows,
            .depth = least(end - k, cut->depth),
            .a = p->a + task.row * p->a_row + k * p->a_column,
            .a_row = p->a_row,
            .a_column = p->a_column,
            .a_tile = TTT_PANEL_ROWS * p->a_row,
            .panel_row = TTT_PANEL_WIDTH,
            .c_row = p->n,
            .add = p->add || k > 0,
        };
        if (cut->packs_rows) {
            ttt_panel_pack_rows(task.rows, block.depth, block.a, p->a_row, p->a_column, tiles);
            block.a = tiles;
            block.a_row = 1;
            block.a_column = TTT_PANEL_ROWS;
            block.a_tile = TTT_PANEL_ROWS * block.depth;
        }
        if (p->row_sums && task.panel == 0)
            sum_block(p, task, k, block.depth);
        for (int64_t j = task.panel; j < task.end; j++) {
            int64_t column = j * TTT_PANEL_WIDTH;
            block.width = width_of(p, j);
            block.panel = panel_at(cut, panels, k - chunk, block.depth, j);
            block.c = p->c + task.row * p->n + column;
            block.start = p->start ? p->start + column : NULL;
            ttt_panel_multiply(&block);
            if (p->finish && k + block.depth == p->k)
                p->finish(p->context, task.row, task.rows, column, block.width);
        }
    }
}

void ttt_packed_multiply(const ttt_packed_product *p, float *workspace)
{
    const struct cut cut = cut_of(p);
    float *panels = workspace, *tiles = workspace + panels_room(&cut);
#pragma omp parallel num_threads(p->threads)
    for (int64_t chunk = 0; chunk < p->k; chunk += cut.chunk) {
#pragma omp for schedule(static)
        for (int64_t panel = 0; panel < cut.panels; panel++)
            pack_panel(p, &cut, chunk, panel, panels);
#pragma omp for schedule(static)
        for (int64_t index = 0; index < cut.down * cut.across; index++)
            multiply_chunk(p, &cut, chunk, task_of(p, &cut, index), panels,
                           tiles + omp_get_thread_num() * rows_room(&cut));
    }
}
