/* The inner kernel, in the compiler's vector extensions: any instruction set, AVX2 and FMA in mind. */
#include "ttt/ops/matmul/panel.h"

#include <string.h>

enum {
    LANES = TTT_PANEL_WIDTH / 2,
    ROWS = TTT_PANEL_ROWS,
    LINE = 64, /* bytes that memory gives at a time */
    AHEAD =
        12, /* rows that packing asks memory for in advance: their stride defeats the processor's own guess */
};

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef float unaligned_vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* 8 x 8 blocks are transposed in registers. */
typedef float octet __attribute__((vector_size(32)));
typedef float unaligned_octet __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t octet_mask __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *from)
{
    return *(const unaligned_vector *)from;
}

INLINE void store(float *to, vector x)
{
    *(unaligned_vector *)to = x;
}

/* One tile: `rows` rows, a constant once inlined, by two vectors that stay in registers.
 * s0, s1: what each row's sums start from, unless add. */
INLINE void tile(const int rows, int64_t depth, const float *a, int64_t a_row, int64_t a_column,
                 const float *panel, int64_t panel_row, float *c, int64_t c_row, vector s0, vector s1,
                 bool add)
{
    vector sum[ROWS][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        sum[i][0] = add ? load(c + i * c_row) : s0;
        sum[i][1] = add ? load(c + i * c_row + LANES) : s1;
    }
#pragma GCC unroll 4
    for (int64_t k = 0; k < depth; k++) {
        vector b0 = load(panel + k * panel_row), b1 = load(panel + k * panel_row + LANES);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            float x = a[i * a_row + k * a_column];
            sum[i][0] += x * b0;
            sum[i][1] += x * b1;
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        store(c + i * c_row, sum[i][0]);
        store(c + i * c_row + LANES, sum[i][1]);
    }
}

/* The same with a's unit stride known to the compiler, where there is one. */
INLINE void tile_strides(const int rows, const ttt_panel_product *p, const float *a, float *c, int64_t c_row,
                         vector s0, vector s1, bool add)
{
    if (p->a_column == 1)
        tile(rows, p->depth, a, p->a_row, 1, p->panel, p->panel_row, c, c_row, s0, s1, add);
    else if (p->a_row == 1)
        tile(rows, p->depth, a, 1, p->a_column, p->panel, p->panel_row, c, c_row, s0, s1, add);
    else
        tile(rows, p->depth, a, p->a_row, p->a_column, p->panel, p->panel_row, c, c_row, s0, s1, add);
}

static void last_rows(int rows, const ttt_panel_product *p, const float *a, float *c, int64_t c_row,
                      vector s0, vector s1, bool add)
{
    switch (rows) {
    case 1:
        tile_strides(1, p, a, c, c_row, s0, s1, add);
        break;
    case 2:
        tile_strides(2, p, a, c, c_row, s0, s1, add);
        break;
    case 3:
        tile_strides(3, p, a, c, c_row, s0, s1, add);
        break;
    case 4:
        tile_strides(4, p, a, c, c_row, s0, s1, add);
        break;
    case 5:
        tile_strides(5, p, a, c, c_row, s0, s1, add);
        break;
    default:
        break;
    }
}

/* Rows first ... first + rows of c. */
static void finish_tile(const ttt_panel_product *p, int64_t first, int64_t rows)
{
    if (p->finish && rows)
        p->finish(p->context, p->row + first, rows, p->column, p->width);
}

/* A panel that is wider than c: each tile goes through a buffer. */
static void multiply_narrow(const ttt_panel_product *p, vector s0, vector s1)
{
    float buffer[ROWS][TTT_PANEL_WIDTH] = {{0}};
    const size_t bytes = (size_t)p->width * sizeof(float);
    const float *a = p->a;
    for (int64_t i = 0; i < p->rows; i += ROWS, a += p->a_tile) {
        int rows = p->rows - i < ROWS ? (int)(p->rows - i) : ROWS;
        for (int r = 0; p->add && r < rows; r++)
            memcpy(buffer[r], p->c + (i + r) * p->c_row, bytes);
        if (rows == ROWS)
            tile_strides(ROWS, p, a, buffer[0], TTT_PANEL_WIDTH, s0, s1, p->add);
        else
            last_rows(rows, p, a, buffer[0], TTT_PANEL_WIDTH, s0, s1, p->add);
        for (int r = 0; r < rows; r++)
            memcpy(p->c + (i + r) * p->c_row, buffer[r], bytes);
        finish_tile(p, i, rows);
    }
}

ttt_panel_ahead ttt_panel_ahead_of(const float *at, int64_t row_stride, int64_t rows, int64_t columns,
                                   int64_t tiles)
{
    const int64_t row_bytes = row_stride * (int64_t)sizeof(float), bytes = columns * (int64_t)sizeof(float);
    const int64_t before =
        row_bytes % LINE ? LINE - 1 : (int64_t)((uintptr_t)at % LINE); /* of the first line */
    const int64_t lines = (before + bytes + LINE - 1) / LINE;
    /* Rows without gaps are one run; else the longer runs are taken: they cost fewer instructions. */
    const bool joined = row_bytes == lines * LINE, down = !joined && rows > lines;
    const int64_t run = joined ? rows * lines : down ? rows : lines, step = down ? row_bytes : LINE;
    return (ttt_panel_ahead){
        .at = (const char *)at,
        .step = step,
        .next_run = (down ? LINE : row_bytes) - run * step,
        .left = run,
        .run = run,
        .runs = rows > 0 && columns > 0 ? rows * lines / run : 0,
        .each = (rows * lines + tiles - 1) / tiles,
    };
}

/* Few instructions for a line: those before a tile are not hidden behind its arithmetic. */
static void ask(ttt_panel_ahead *ahead)
{
    for (int64_t wanted = ahead->each; wanted > 0 && ahead->runs > 0;) {
        const int64_t lines = wanted < ahead->left ? wanted : ahead->left, step = ahead->step;
        const char *at = ahead->at;
#pragma GCC unroll 4
        for (int64_t i = 0; i < lines; i++, at += step)
            __builtin_prefetch(at, 0, 2);
        wanted -= lines;
        ahead->left -= lines;
        ahead->at = at;
        if (!ahead->left) {
            ahead->at += ahead->next_run;
            ahead->left = ahead->run;
            ahead->runs--;
        }
    }
}

/* At the whole tile that begins at `row`: asks for c under the next one, below or on top of the panel that
 * comes next as a rule, which else would be waited for line by line; for what lies beside it; and for what is
 * read after the product. */
static void ask_ahead(const ttt_panel_product *p, int64_t row)
{
    const bool below = row + 2 * ROWS <= p->rows;
    const int64_t next = below ? (row + ROWS) * p->c_row : TTT_PANEL_WIDTH;
    for (int64_t i = 0; i < ROWS; i++)
        __builtin_prefetch(p->c + next + i * p->c_row, 1);
    for (int64_t i = 0; i < ROWS && p->beside; i++)
        __builtin_prefetch(p->beside + next + i * p->c_row);
    for (int i = 0; i < p->n_ahead; i++)
        ask(&p->ahead[i]);
}

void ttt_panel_multiply(const ttt_panel_product *p)
{
    float first[TTT_PANEL_WIDTH] = {0};
    if (p->start)
        memcpy(first, p->start, (size_t)p->width * sizeof(float));
    vector s0 = load(first), s1 = load(first + LANES);
    if (p->width < TTT_PANEL_WIDTH) {
        multiply_narrow(p, s0, s1);
        return;
    }
    const float *a = p->a;
    int64_t i = 0;
    for (; i + ROWS <= p->rows; i += ROWS, a += p->a_tile) {
        ask_ahead(p, i);
        tile_strides(ROWS, p, a, p->c + i * p->c_row, p->c_row, s0, s1, p->add);
        finish_tile(p, i, ROWS);
    }
    last_rows((int)(p->rows - i), p, a, p->c + i * p->c_row, p->c_row, s0, s1, p->add);
    finish_tile(p, i, p->rows - i);
}

INLINE octet load_octet(const float *from)
{
    return *(const unaligned_octet *)from;
}

/* to[j][i] = from[i][j], 8 x 8; `to` has rows of TTT_PANEL_WIDTH. */
static void transpose_octets(const float *from, int64_t from_row, float *to)
{
    const octet_mask low = {0, 8, 1, 9, 4, 12, 5, 13}, high = {2, 10, 3, 11, 6, 14, 7, 15};
    const octet_mask pair_low = {0, 1, 8, 9, 4, 5, 12, 13}, pair_high = {2, 3, 10, 11, 6, 7, 14, 15};
    const octet_mask half_low = {0, 1, 2, 3, 8, 9, 10, 11}, half_high = {4, 5, 6, 7, 12, 13, 14, 15};
    octet x[8], y[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        octet even = load_octet(from + i * from_row), odd = load_octet(from + (i + 1) * from_row);
        x[i] = __builtin_shuffle(even, odd, low);
        x[i + 1] = __builtin_shuffle(even, odd, high);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        y[i] = __builtin_shuffle(x[i], x[i + 2], pair_low);
        y[i + 1] = __builtin_shuffle(x[i], x[i + 2], pair_high);
        y[i + 2] = __builtin_shuffle(x[i + 1], x[i + 3], pair_low);
        y[i + 3] = __builtin_shuffle(x[i + 1], x[i + 3], pair_high);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        *(unaligned_octet *)(to + j * TTT_PANEL_WIDTH) = __builtin_shuffle(y[j], y[j + 4], half_low);
        *(unaligned_octet *)(to + (j + 4) * TTT_PANEL_WIDTH) = __builtin_shuffle(y[j], y[j + 4], half_high);
    }
}

static void pack_any(int64_t first, int64_t depth, int64_t width, const float *b, int64_t row_stride,
                     int64_t column_stride, float *panel)
{
    for (int64_t k = first; k < depth; k++)
        for (int64_t j = 0; j < TTT_PANEL_WIDTH; j++)
            panel[k * TTT_PANEL_WIDTH + j] = j < width ? b[k * row_stride + j * column_stride] : 0.0f;
}

void ttt_panel_pack(int64_t depth, int64_t width, const float *b, int64_t row_stride, int64_t column_stride,
                    float *panel)
{
    int64_t whole = 0; /* rows packed by one of the fast ways */
    if (width == TTT_PANEL_WIDTH && column_stride == 1) {
        for (; whole < depth; whole++) {
            store(panel + whole * TTT_PANEL_WIDTH, load(b + whole * row_stride));
            store(panel + whole * TTT_PANEL_WIDTH + LANES, load(b + whole * row_stride + LANES));
        }
    } else if (width == TTT_PANEL_WIDTH && row_stride == 1) {
        for (; whole + 8 <= depth; whole += 8)
            for (int j = 0; j < TTT_PANEL_WIDTH; j += 8)
                transpose_octets(b + whole + j * column_stride, column_stride,
                                 panel + whole * TTT_PANEL_WIDTH + j);
    }
    pack_any(whole, depth, width, b, row_stride, column_stride, panel);
}

void ttt_panel_pack_rows(int64_t rows, int64_t depth, const float *a, int64_t row_stride,
                         int64_t column_stride, float *tiles)
{
    const int64_t whole = rows / ROWS * ROWS;
    for (int64_t k = 0; k < depth; k++) {
        const float *column = a + k * column_stride;
        float *to = tiles + k * ROWS;
        if (row_stride == 1) {
            for (int64_t i = 0; i < rows && k + AHEAD < depth; i += 16)
                __builtin_prefetch(column + AHEAD * column_stride + i);
            for (int64_t i = 0; i < whole; i += ROWS)
                memcpy(to + i * depth, column + i, ROWS * sizeof(float));
        } else {
            for (int64_t i = 0; i < whole; i += ROWS)
                for (int64_t r = 0; r < ROWS; r++)
                    to[i * depth + r] = column[(i + r) * row_stride];
        }
        for (int64_t i = whole; i < rows; i++)
            to[whole * depth + i - whole] = column[i * row_stride];
    }
}
