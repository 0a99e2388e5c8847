/* Copies between two strided layouts: dimensions are merged where both sides allow it, and what is left is
 * cut into tiles of two dimensions, which are runs, repetitions or transposes. */
#include "ttt/ops/copy/strided.h"

#include "ttt/ops/copy/dimensions.h"

enum {
    TILE_ELEMENTS = 8192,       /* 32 KiB: long enough to hide the cost of finding a tile */
    TRANSPOSE_TILE = 64,        /* rows and columns: both sides of a tile stay in the L1 cache */
    PARALLEL_ELEMENTS = 1 << 15 /* fewer are copied faster than threads are woken */
};

struct layout {
    int outer; /* how many of `dimensions` lie outside of the tiled plane */
    struct ttt_copy_dimension dimensions[TTT_MAX_RANK];
    struct ttt_copy_dimension rows, columns; /* the plane; columns are innermost in `to` */
    int64_t tile_rows, tile_columns;
    int64_t row_tiles, column_tiles, tiles; /* in a plane, in a plane, in all */
};

static struct ttt_copy_dimension take(struct layout *layout, int i)
{
    if (layout->outer == 0)
        return (struct ttt_copy_dimension){.size = 1};
    struct ttt_copy_dimension taken = layout->dimensions[i];
    layout->outer--;
    for (int j = i; j < layout->outer; j++)
        layout->dimensions[j] = layout->dimensions[j + 1];
    return taken;
}

/* Which of the outer dimensions to walk as rows: the last one, or where columns are not consecutive in
 * `from`, the one that is closest to being so. */
static int choose_rows(const struct layout *layout)
{
    int best = layout->outer - 1;
    if (layout->columns.from > 1)
        for (int i = layout->outer - 1; i >= 0; i--)
            if (layout->dimensions[i].from > 0 &&
                (layout->dimensions[best].from == 0 ||
                 layout->dimensions[i].from < layout->dimensions[best].from))
                best = i;
    return best;
}

static bool is_transpose(const struct layout *layout)
{
    return layout->columns.to == 1 && layout->columns.from > 1 && layout->rows.from == 1;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct layout plan(ttt_shape shape, const int64_t *to, const int64_t *from)
{
    struct layout layout = {0};
    layout.outer = ttt_copy_merge(shape, to, from, layout.dimensions);
    layout.columns = take(&layout, layout.outer - 1);
    layout.rows = take(&layout, choose_rows(&layout));
    if (is_transpose(&layout)) {
        layout.tile_rows = layout.tile_columns = TRANSPOSE_TILE;
    } else {
        layout.tile_columns = min(layout.columns.size, TILE_ELEMENTS);
        layout.tile_rows = TILE_ELEMENTS / layout.tile_columns;
    }
    layout.row_tiles = (layout.rows.size + layout.tile_rows - 1) / layout.tile_rows;
    layout.column_tiles = (layout.columns.size + layout.tile_columns - 1) / layout.tile_columns;
    layout.tiles = layout.row_tiles * layout.column_tiles;
    for (int i = 0; i < layout.outer; i++)
        layout.tiles *= layout.dimensions[i].size;
    return layout;
}

typedef float lanes __attribute__((vector_size(32), aligned(4), may_alias));

/* to[r * to_stride + c] = from[c * from_stride + r] for r, c in 0..7, by pairs, then fours, then halves. */
static void transpose_8x8(float *to, int64_t to_stride, const float *from, int64_t from_stride)
{
    lanes pairs[8], fours[8];
    for (int i = 0; i < 4; i++) {
        lanes a = *(const lanes *)(from + 2 * i * from_stride);
        lanes b = *(const lanes *)(from + (2 * i + 1) * from_stride);
        pairs[2 * i] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
        pairs[2 * i + 1] = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            lanes a = pairs[i + j], b = pairs[i + j + 2];
            fours[i + 2 * j] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
            fours[i + 2 * j + 1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        lanes a = fours[i], b = fours[i + 4];
        *(lanes *)(to + i * to_stride) = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
        *(lanes *)(to + (i + 4) * to_stride) = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

static void copy_elements(float *to, struct ttt_copy_dimension rows, const float *from,
                          struct ttt_copy_dimension columns)
{
    for (int64_t r = 0; r < rows.size; r++)
        for (int64_t c = 0; c < columns.size; c++)
            to[r * rows.to + c * columns.to] = from[r * rows.from + c * columns.from];
}

static void copy_transposed(float *to, struct ttt_copy_dimension rows, const float *from,
                            struct ttt_copy_dimension columns)
{
    int64_t whole_rows = rows.size & ~INT64_C(7), whole_columns = columns.size & ~INT64_C(7);
    for (int64_t r = 0; r < whole_rows; r += 8)
        for (int64_t c = 0; c < whole_columns; c += 8)
            transpose_8x8(to + r * rows.to + c, rows.to, from + c * columns.from + r, columns.from);

    struct ttt_copy_dimension right = columns, below = rows;
    right.size -= whole_columns;
    below.size -= whole_rows;
    copy_elements(to + whole_columns, rows, from + whole_columns * columns.from, right);
    columns.size = whole_columns;
    copy_elements(to + whole_rows * rows.to, below, from + whole_rows, columns);
}

/* memcpy would do, were it not many times slower on some processors when the low bits of both addresses
 * agree. */
static void copy_run(float *to, const float *from, int64_t n)
{
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
        for (int64_t j = i; j < i + 32; j += 8)
            *(lanes *)(to + j) = *(const lanes *)(from + j);
    for (; i < n; i++)
        to[i] = from[i];
}

static void copy_runs(float *to, struct ttt_copy_dimension rows, const float *from, int64_t columns)
{
    for (int64_t r = 0; r < rows.size; r++)
        copy_run(to + r * rows.to, from + r * rows.from, columns);
}

static void repeat_elements(float *to, struct ttt_copy_dimension rows, const float *from, int64_t columns)
{
    for (int64_t r = 0; r < rows.size; r++) {
        float value = from[r * rows.from], *row = to + r * rows.to;
#pragma omp simd
        for (int64_t c = 0; c < columns; c++)
            row[c] = value;
    }
}

static void copy_tile(const struct layout *layout, float *to, const float *from, int64_t tile)
{
    struct ttt_copy_dimension rows = layout->rows, columns = layout->columns;
    int64_t column = tile % layout->column_tiles * layout->tile_columns;
    tile /= layout->column_tiles;
    int64_t row = tile % layout->row_tiles * layout->tile_rows;
    tile /= layout->row_tiles;
    to += row * rows.to + column * columns.to;
    from += row * rows.from + column * columns.from;
    for (int i = layout->outer - 1; i >= 0; i--) {
        int64_t index = tile % layout->dimensions[i].size;
        tile /= layout->dimensions[i].size;
        to += index * layout->dimensions[i].to;
        from += index * layout->dimensions[i].from;
    }
    rows.size = min(rows.size - row, layout->tile_rows);
    columns.size = min(columns.size - column, layout->tile_columns);

    if (is_transpose(layout))
        copy_transposed(to, rows, from, columns);
    else if (columns.to == 1 && columns.from == 1)
        copy_runs(to, rows, from, columns.size);
    else if (columns.to == 1 && columns.from == 0)
        repeat_elements(to, rows, from, columns.size);
    else
        copy_elements(to, rows, from, columns);
}

void ttt_copy_strided(ttt_shape shape, float *to, const int64_t *to_stride, const float *from,
                      const int64_t *from_stride, int threads)
{
    const struct layout layout = plan(shape, to_stride, from_stride);
    const bool parallel = ttt_shape_elements(shape) >= PARALLEL_ELEMENTS;
#pragma omp parallel for schedule(static) num_threads(threads) if (parallel)
    for (int64_t tile = 0; tile < layout.tiles; tile++)
        copy_tile(&layout, to, from, tile);
}
