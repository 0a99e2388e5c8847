/* The inner kernel of our own matrix products: rows of a times a narrow panel of b.
 *
 * A result is one chain of fused multiply-adds over the depth, first to last, however the matrix is cut into
 * row blocks and panels: so products made of these are bit-identical for any number of threads.
 */
#ifndef TTT_OPS_MATMUL_PANEL_H
#define TTT_OPS_MATMUL_PANEL_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the instruction set of this build has registers enough for the kernel, and fused multiply-adds. */
#if defined(__FMA__) || defined(__aarch64__)
#define TTT_PANEL_IS_FAST 1
#else
#define TTT_PANEL_IS_FAST 0
#endif

/* A panel is two vector registers wide. */
#ifdef __AVX512F__
#define TTT_PANEL_WIDTH 32
#else
#define TTT_PANEL_WIDTH 16
#endif

/* Rows that the kernel takes at a time: row blocks had better be multiples. */
#define TTT_PANEL_ROWS 6

/* Copies b (depth x width) into panel[depth][TTT_PANEL_WIDTH], with zeros beyond `width`. */
void ttt_panel_pack(int64_t depth, int64_t width, const float *b, int64_t row_stride, int64_t column_stride,
                    float *panel);

/* Copies a (rows x depth) into tiles[rows / TTT_PANEL_ROWS][depth][TTT_PANEL_ROWS], the last one with fewer
 * rows: strides are then 1 and TTT_PANEL_ROWS, and depth * TTT_PANEL_ROWS from tile to tile. */
void ttt_panel_pack_rows(int64_t rows, int64_t depth, const float *a, int64_t row_stride,
                         int64_t column_stride, float *tiles);

/* Memory that will be read: runs of lines (of a cache) at equal distances, along rows or columns.  The kernel
 * asks for some of them with every tile, so that they come while it computes. */
typedef struct ttt_panel_ahead {
    const char *at;    /* the next line of the run */
    int64_t step;      /* bytes from line to line, */
    int64_t next_run;  /* and from the end of a run to the next one */
    int64_t left, run; /* lines of this run that are left, and of a whole one */
    int64_t runs;      /* left, this one included */
    int64_t each;      /* lines for a tile */
} ttt_panel_ahead;

/* rows x columns elements from `at` on, asked for with the next `tiles` tiles. */
ttt_panel_ahead ttt_panel_ahead_of(const float *at, int64_t row_stride, int64_t rows, int64_t columns,
                                   int64_t tiles);

/* What is done to complete sums while they are in the first-level cache: those of rows row ... row + rows,
 * columns column ... column + columns of the whole product. */
typedef void ttt_panel_finish(const void *context, int64_t row, int64_t rows, int64_t column,
                              int64_t columns);

typedef struct ttt_panel_product {
    int64_t rows, depth;
    int64_t width; /* <= TTT_PANEL_WIDTH: columns of c that are written */
    const float *a;
    int64_t a_row, a_column; /* strides, in elements */
    int64_t a_tile;     /* from one TTT_PANEL_ROWS rows to the next: TTT_PANEL_ROWS * a_row unless packed */
    const float *panel; /* depth rows of TTT_PANEL_WIDTH readable elements */
    int64_t panel_row;
    float *c;
    int64_t c_row;
    const float *start;     /* `width` values that the sums of every row start from; NULL for zeros */
    bool add;               /* the sums start from c instead */
    ttt_panel_ahead *ahead; /* n_ahead of them */
    int n_ahead;
    ttt_panel_finish *finish; /* NULL: nothing is done */
    const void *context;
    int64_t row, column; /* of the whole product, where c begins */
    const float *beside; /* laid out as c: what finish reads or writes besides it; or NULL */
} ttt_panel_product;

/* c = [start or c +] a * panel, rows x width, finished tile by tile. */
void ttt_panel_multiply(const ttt_panel_product *p);

#endif
