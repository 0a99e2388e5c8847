/* Large products: every thread has a part of c to itself, and packs what it reads of b into panels.
 *
 * Depth is cut into blocks that fit the first-level cache as a panel.  A block of rows of a fits the
 * second-level cache; it is packed as well where its columns have unit stride, because reading those across
 * rows would hit few cache sets.  A panel is packed when the first block of rows needs it.  While one block
 * is multiplied with one panel, memory is asked for the next ones.
 */
#include "ttt/ops/matmul/packed.h"

enum {
    MOST_DEPTH = 192, /* of a panel: 12 KiB, with the next one and six rows of a in the first-level cache */
    BLOCK_ROWS = 96,  /* of a: 72 KiB at that depth */
    CACHED_FLOATS = 160 * 1024, /* of c that stay in the second-level cache, or nearly */
    CHUNK_FLOATS = 1024 * 1024, /* of packed b where c does not */
    DEPTH_UNIT = 8,             /* divides all blocks of depth but the last */
    SUMMED_ROWS = 64,           /* whose sums stay in registers or the first-level cache, */
    SUMMED_TERMS = 8,           /* and take so many terms at a time */
};

/* How a product is cut: c into down * across parts, a thread's each. */
struct cut {
    int64_t panels, tiles; /* of all of c; tiles of TTT_PANEL_ROWS rows */
    int64_t down, across;
    int64_t depth; /* of all blocks but the last */
    int64_t chunk; /* depth of which a part's panels are packed at a time, a multiple of `depth` */
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

/* What the largest part costs, in cycles for each step of depth: six for a tile's product with a panel, and
 * about three and six for packing a panel and a tile. */
static int64_t cost_of(const struct cut *cut)
{
    const int64_t tiles = divide_up(cut->tiles, cut->down), panels = divide_up(cut->panels, cut->across);
    return 6 * tiles * panels + 3 * panels + (cut->packs_rows ? 6 * tiles : 0);
}

static void divide_c(struct cut *cut, int threads)
{
    struct cut tried = *cut;
    cut->down = cut->across = 1;
    for (tried.down = 1; tried.down <= least(threads, cut->tiles); tried.down++) {
        tried.across = least(threads / tried.down, cut->panels);
        if (cost_of(&tried) < cost_of(cut))
            *cut = tried;
    }
}

static struct cut cut_of(const ttt_packed_product *p)
{
    struct cut cut = {
        .panels = divide_up(p->n, TTT_PANEL_WIDTH),
        .tiles = divide_up(p->m, TTT_PANEL_ROWS),
        .packs_rows = p->a_column != 1,
    };
    divide_c(&cut, p->threads);
    cut.depth = divide_up(divide_up(p->k, divide_up(p->k, MOST_DEPTH)), DEPTH_UNIT) * DEPTH_UNIT;
    const int64_t columns = divide_up(cut.panels, cut.across) * TTT_PANEL_WIDTH;
    const int64_t rows = divide_up(cut.tiles, cut.down) * TTT_PANEL_ROWS;
    const int64_t blocks = rows * columns <= CACHED_FLOATS ? 1 : CHUNK_FLOATS / (columns * cut.depth);
    cut.chunk = least((blocks ? blocks : 1) * cut.depth, p->k);
    return cut;
}

/* Elements of workspace of a part: its panels, and a block of packed rows. */
static int64_t panels_room(const struct cut *cut)
{
    return cut->chunk * divide_up(cut->panels, cut->across) * TTT_PANEL_WIDTH;
}
static int64_t part_room(const struct cut *cut)
{
    return panels_room(cut) + (cut->packs_rows ? (BLOCK_ROWS + TTT_PANEL_ROWS) * cut->depth : 0);
}

int64_t ttt_packed_parts(const ttt_packed_product *p)
{
    const struct cut cut = cut_of(p);
    return cut.down * cut.across;
}

size_t ttt_packed_part_workspace(const ttt_packed_product *p)
{
    const struct cut cut = cut_of(p);
    return (size_t)part_room(&cut) * sizeof(float);
}

size_t ttt_packed_workspace(const ttt_packed_product *p)
{
    return (size_t)ttt_packed_parts(p) * ttt_packed_part_workspace(p);
}

/* A part of c, cut into blocks of rows. */
struct part {
    const ttt_packed_product *p;
    const struct cut *cut;
    int64_t tile, tiles, blocks;
    int64_t panel, end;
    float *panels, *packed_rows;
};

static struct part part_of(const ttt_packed_product *p, const struct cut *cut, int64_t index,
                           float *workspace)
{
    const int64_t i = index / cut->across, j = index % cut->across;
    struct part part = {
        .p = p,
        .cut = cut,
        .tile = cut->tiles * i / cut->down,
        .panel = cut->panels * j / cut->across,
        .end = cut->panels * (j + 1) / cut->across,
        .panels = workspace,
    };
    part.tiles = cut->tiles * (i + 1) / cut->down - part.tile;
    part.blocks = divide_up(part.tiles * TTT_PANEL_ROWS, BLOCK_ROWS);
    part.packed_rows = part.panels + panels_room(cut);
    return part;
}

static int64_t width_of(const ttt_packed_product *p, int64_t panel)
{
    return least(p->n - panel * TTT_PANEL_WIDTH, TTT_PANEL_WIDTH);
}

/* Where the part's packed panels of the depth block at k lie. */
static float *panels_at(const struct part *part, int64_t chunk, int64_t k)
{
    return part->panels + (k - chunk) * (part->end - part->panel) * TTT_PANEL_WIDTH;
}

/* A block of a: rows row ... row + rows, columns k ... k + depth. */
struct block {
    int64_t row, rows;
    int64_t k, depth;
    bool packs;     /* the panels, for the blocks below */
    const float *a; /* at row, k */
    const float *b; /* row k */
};

/* Of a product of a and b. */
static struct block block_of(const struct part *part, const float *a, const float *b, int64_t index,
                             int64_t k, int64_t end)
{
    const ttt_packed_product *p = part->p;
    const int64_t first = part->tile + part->tiles * index / part->blocks,
                  last = part->tile + part->tiles * (index + 1) / part->blocks;
    const int64_t row = first * TTT_PANEL_ROWS;
    return (struct block){
        .row = row,
        .rows = least(last * TTT_PANEL_ROWS, p->m) - row,
        .k = k,
        .depth = least(end - k, part->cut->depth),
        .packs = index == 0,
        .a = a + row * p->a_row + k * p->a_column,
        .b = b + k * p->b_row,
    };
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

/* Adds the block's columns to the sums of its rows.  Blocks of depth follow from the shape alone, so these
 * have the same bits for any number of threads. */
static void sum_block(const ttt_packed_product *p, const struct block *block)
{
    for (int64_t i = 0; i < block->rows; i += SUMMED_ROWS) {
        const int64_t rows = least(block->rows - i, SUMMED_ROWS);
        const float *a = block->a + i * p->a_row;
        double *total = p->row_sums + block->row + i;
        float sums[SUMMED_ROWS] = {0};
        if (p->a_row == 1)
            add_terms(rows, block->depth, a, 1, p->a_column, sums);
        else
            add_terms(rows, block->depth, a, p->a_row, p->a_column, sums);
        for (int64_t r = 0; r < rows; r++)
            total[r] = (block->k ? total[r] : 0) + (double)sums[r];
    }
}

/* The next block of a, while one of `rows` rows is multiplied. */
static ttt_panel_ahead block_ahead(const struct part *part, const struct block *next, int64_t rows)
{
    const ttt_packed_product *p = part->p;
    const int64_t tiles = divide_up(rows, TTT_PANEL_ROWS) * (part->end - part->panel);
    if (p->a_column == 1)
        return ttt_panel_ahead_of(next->a, p->a_row, next->rows, next->depth, tiles);
    return ttt_panel_ahead_of(next->a, p->a_column, next->depth, next->rows, tiles);
}

/* Where panel j of a block comes from. */
static const float *panel_source(const ttt_packed_product *p, const struct block *block, int64_t j)
{
    return block->b + j * TTT_PANEL_WIDTH * p->b_column;
}

/* What panel j of a block will be packed from, while one of `rows` rows is multiplied.  Packed panels are in
 * the second-level cache. */
static ttt_panel_ahead panel_ahead(const struct part *part, const struct block *block, int64_t j,
                                   int64_t rows)
{
    const ttt_packed_product *p = part->p;
    const int64_t tiles = divide_up(rows, TTT_PANEL_ROWS);
    if (!block->rows || !block->packs)
        return (ttt_panel_ahead){0};
    const float *at = panel_source(p, block, j);
    if (p->b_column == 1)
        return ttt_panel_ahead_of(at, p->b_row, block->depth, width_of(p, j), tiles);
    return ttt_panel_ahead_of(at, p->b_column, width_of(p, j), block->depth, tiles);
}

/* The panels of a block, one after another. */
static void multiply_panels(const struct part *part, int64_t chunk, const struct block *block,
                            const struct block *next, ttt_panel_product product)
{
    const ttt_packed_product *p = part->p;
    float *panel = panels_at(part, chunk, block->k);
    for (int64_t j = part->panel; j < part->end; j++, panel += block->depth * TTT_PANEL_WIDTH) {
        const int64_t column = j * TTT_PANEL_WIDTH, width = width_of(p, j);
        if (block->packs)
            ttt_panel_pack(block->depth, width, panel_source(p, block, j), p->b_row, p->b_column, panel);
        product.ahead[0] = j + 1 < part->end ? panel_ahead(part, block, j + 1, block->rows)
                                             : panel_ahead(part, next, part->panel, block->rows);
        product.width = width;
        product.panel = panel;
        product.c = p->c + block->row * p->n + column;
        product.column = column;
        product.start = p->start ? p->start + column : NULL;
        product.beside = product.finish && p->beside ? p->beside + block->row * p->n + column : NULL;
        ttt_panel_multiply(&product);
    }
}

static void multiply_block(const struct part *part, int64_t chunk, const struct block *block,
                           const struct block *next)
{
    const ttt_packed_product *p = part->p;
    ttt_panel_ahead ahead[2] = {[1] = block_ahead(part, next, block->rows)};
    ttt_panel_product product = {
        .rows = block->rows,
        .depth = block->depth,
        .a = block->a,
        .a_row = p->a_row,
        .a_column = p->a_column,
        .a_tile = TTT_PANEL_ROWS * p->a_row,
        .panel_row = TTT_PANEL_WIDTH,
        .c_row = p->n,
        .add = p->add || block->k > 0,
        .ahead = ahead,
        .n_ahead = 2,
        .finish = block->k + block->depth == p->k ? p->finish : NULL,
        .context = p->context,
        .row = block->row,
    };
    if (p->row_sums && part->panel == 0)
        sum_block(p, block);
    if (part->cut->packs_rows) {
        ttt_panel_pack_rows(block->rows, block->depth, block->a, p->a_row, p->a_column, part->packed_rows);
        product.a = part->packed_rows;
        product.a_row = 1;
        product.a_column = TTT_PANEL_ROWS;
        product.a_tile = TTT_PANEL_ROWS * block->depth;
    }
    multiply_panels(part, chunk, block, next, product);
}

/* What follows block `index` of depth k in the chunk that ends at `end`; without rows where nothing does. */
static struct block block_after(const struct part *part, int64_t index, int64_t k, int64_t chunk, int64_t end)
{
    const ttt_packed_product *p = part->p;
    const int64_t after = k + part->cut->depth;
    if (after < end)
        return block_of(part, p->a, p->b, index, after, end);
    if (index + 1 < part->blocks)
        return block_of(part, p->a, p->b, index + 1, chunk, end);
    if (end < p->k)
        return block_of(part, p->a, p->b, 0, end, p->k);
    return p->next_a ? block_of(part, p->next_a, p->next_b, 0, 0, p->k) : (struct block){0};
}

/* Depth chunk ... end of the part. */
static void multiply_chunk(const struct part *part, int64_t chunk, int64_t end)
{
    const ttt_packed_product *p = part->p;
    for (int64_t i = 0; i < part->blocks; i++) {
        for (int64_t k = chunk; k < end; k += part->cut->depth) {
            const struct block block = block_of(part, p->a, p->b, i, k, end),
                               next = block_after(part, i, k, chunk, end);
            multiply_block(part, chunk, &block, &next);
        }
    }
}

void ttt_packed_multiply_part(const ttt_packed_product *p, int64_t part, float *workspace)
{
    const struct cut cut = cut_of(p);
    const struct part whole = part_of(p, &cut, part, workspace);
    for (int64_t chunk = 0; chunk < p->k; chunk += cut.chunk)
        multiply_chunk(&whole, chunk, least(chunk + cut.chunk, p->k));
}

void ttt_packed_multiply(const ttt_packed_product *p, float *workspace)
{
    const size_t room = ttt_packed_part_workspace(p) / sizeof(float);
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (int64_t part = 0; part < ttt_packed_parts(p); part++)
        ttt_packed_multiply_part(p, part, workspace + (size_t)part * room);
}
