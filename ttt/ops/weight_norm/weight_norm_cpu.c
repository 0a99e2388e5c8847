/* "weight_norm" and "weight_norm_backward" on the CPU: strips of columns, whole rows where there are matrices
 * enough for the threads.  64 rows are summed in f32, then on in double, whatever the strips.
 */
#include <math.h>
#include <string.h>

#include "ttt/ops/reduce/rows.h"
#include "ttt/ops/weight_norm/weight_norm_operator.h"

enum {
    NARROW = 64, /* columns: whole rows of memory are read twice as fast as these */
    COLUMNS = 1024,
    PARALLEL_ELEMENTS = 1 << 14 /* fewer are done faster than threads are woken */
};

/* Columns of one matrix of many: its elements, and what there is by column, begin at these offsets. */
struct strip {
    int64_t rows, width, stride; /* from row to row */
    int64_t matrix, column;
};

/* How matrices are cut into strips for the threads. */
struct cut {
    struct ttt_matrices of;
    int64_t width, count; /* columns of a strip, strips in all */
    int threads;
};

static struct cut cut_of(const ttt_launch *launch)
{
    struct cut cut = {.of = ttt_weight_norm_matrices(launch), .threads = launch->threads};
    if (ttt_operand_elements(&launch->in[0]) < PARALLEL_ELEMENTS)
        cut.threads = 1;
    const int64_t share = cut.of.columns * cut.of.count / cut.threads / NARROW * NARROW;
    cut.width = share < NARROW ? NARROW : share < COLUMNS ? share : COLUMNS;
    cut.count = cut.of.count * ((cut.of.columns + cut.width - 1) / cut.width);
    return cut;
}

static struct strip strip_at(const struct cut *cut, int64_t i)
{
    const struct ttt_matrices *of = &cut->of;
    struct strip s = {.rows = of->rows, .stride = of->columns, .matrix = i % of->count};
    s.column = i / of->count * cut->width;
    s.width = of->columns - s.column < cut->width ? of->columns - s.column : cut->width;
    return s;
}

/* The strip's place among operands of (count, n, m), and of (count, m). */
static int64_t element_of(const struct strip *s, int64_t count)
{
    return s->matrix % count * s->rows * s->stride + s->column;
}

static int64_t column_of(const struct strip *s, int64_t count)
{
    return s->matrix % count * s->stride + s->column;
}

/* Of each column, the sum of (a + sign b)^2, or of a b. */
enum terms { SQUARES, PRODUCTS };

static inline void add_row(enum terms terms, const float *a, const float *b, float sign, int64_t width,
                           float *sum)
{
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
        sum[c] += terms == SQUARES ? (a[c] + sign * b[c]) * (a[c] + sign * b[c]) : a[c] * b[c];
}

static void sum_columns(const struct strip *s, enum terms terms, const float *a, const float *b, float sign,
                        double *total)
{
    memset(total, 0, COLUMNS * sizeof *total);
    for (int64_t row = 0; row < s->rows;) {
        float sum[COLUMNS] = {0};
        const int64_t end = row + TTT_ROWS_PER_CHUNK < s->rows ? row + TTT_ROWS_PER_CHUNK : s->rows;
        for (; row < end; row++)
            add_row(terms, a + row * s->stride, b + row * s->stride, sign, s->width, sum);
        for (int64_t c = 0; c < s->width; c++)
            total[c] += (double)sum[c];
    }
}

static void forward_strip(const struct strip *s, const struct ttt_weight_norm_attributes *attributes,
                          const float *w, const float *step, const float *norm, float *y, float *was)
{
    const float sign = attributes->sign;
    double total[COLUMNS];
    float scale[COLUMNS];
    sum_columns(s, SQUARES, w, step, sign, total);
    for (int64_t c = 0; c < s->width; c++) {
        const float length = (float)sqrt(total[c]);
        scale[c] = norm[c] / (length + attributes->eps);
        if (was)
            was[c] = length;
    }
    for (int64_t row = 0; row < s->rows; row++) {
        const float *a = w + row * s->stride, *b = step + row * s->stride;
        float *to = y + row * s->stride;
#pragma omp simd
        for (int64_t c = 0; c < s->width; c++)
            to[c] = (a[c] + sign * b[c]) * scale[c];
    }
}

/* A transposed step as it is read: the whole of it, each strip by itself. */
static size_t workspace(const ttt_launch *launch)
{
    return ttt_weight_norm_is_transposed(&launch->in[0]) ? (size_t)ttt_operand_bytes(&launch->in[0]) : 0;
}

/* 16 rows are a line of the cache. */
static void transpose_strip(const struct strip *s, const float *transposed, float *step)
{
    enum { LINE = 16 };
    const float *from = transposed + s->matrix * s->rows * s->stride + s->column * s->rows;
    for (int64_t first = 0; first < s->rows; first += LINE)
        for (int64_t c = 0; c < s->width; c++)
            for (int64_t row = first; row < s->rows && row < first + LINE; row++)
                step[row * s->stride + c] = from[c * s->rows + row];
}

static ttt_status forward(const ttt_launch *launch)
{
    const struct cut cut = cut_of(launch);
    const struct ttt_matrices of = cut.of;
    const bool transposed = ttt_weight_norm_is_transposed(&launch->in[0]);
    float *step = transposed ? launch->workspace : launch->in[0].data;
    const float *w = launch->in[1].data, *norm = launch->in[2].data;
    const int64_t w_count = ttt_operand_elements(&launch->in[1]) / (of.rows * of.columns);
    const int64_t norm_count = ttt_operand_elements(&launch->in[2]) / of.columns;
    float *y = launch->out[0].data, *was = launch->out[1].data;
#pragma omp parallel for schedule(static) num_threads(cut.threads)
    for (int64_t i = 0; i < cut.count; i++) {
        const struct strip s = strip_at(&cut, i);
        const int64_t at = element_of(&s, of.count);
        if (transposed)
            transpose_strip(&s, launch->in[0].data, step + at);
        forward_strip(&s, launch->attributes, w + element_of(&s, w_count), step + at,
                      norm + column_of(&s, norm_count), y + at, was ? was + column_of(&s, of.count) : NULL);
    }
    return TTT_OK;
}

static void backward_strip(const struct strip *s, const struct ttt_weight_norm_attributes *attributes,
                           const float *y, const float *was, const float *norm, const float *dy, float *dstep)
{
    double total[COLUMNS];
    float scale[COLUMNS], along[COLUMNS];
    sum_columns(s, PRODUCTS, y, dy, 1, total);
    for (int64_t c = 0; c < s->width; c++) {
        const bool some = was[c] > 0 && norm[c] != 0;
        scale[c] = attributes->sign * norm[c] / (was[c] + attributes->eps);
        along[c] = some ? attributes->sign * (float)total[c] / norm[c] / was[c] : 0;
    }
    for (int64_t row = 0; row < s->rows; row++) {
        const float *a = y + row * s->stride, *b = dy + row * s->stride;
        float *to = dstep + row * s->stride;
#pragma omp simd
        for (int64_t c = 0; c < s->width; c++)
            to[c] = b[c] * scale[c] - a[c] * along[c];
    }
}

static ttt_status backward(const ttt_launch *launch)
{
    const struct cut cut = cut_of(launch);
    const struct ttt_matrices of = cut.of;
    const float *y = launch->in[0].data, *was = launch->in[1].data, *norm = launch->in[2].data;
    const int64_t norm_count = ttt_operand_elements(&launch->in[2]) / of.columns;
    const float *dy = launch->in[3].data;
    float *dstep = launch->out[0].data;
#pragma omp parallel for schedule(static) num_threads(cut.threads)
    for (int64_t i = 0; i < cut.count; i++) {
        const struct strip s = strip_at(&cut, i);
        const int64_t at = element_of(&s, of.count);
        backward_strip(&s, launch->attributes, y + at, was + column_of(&s, of.count),
                       norm + column_of(&s, norm_count), dy + at, dstep + at);
    }
    return TTT_OK;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    return ttt_all_f32(launch, why) && ttt_weight_norm_laid_out(launch, why);
}

const ttt_implementation ttt_weight_norm_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = supports,
    .workspace = workspace,
    .run = forward,
};

const ttt_implementation ttt_weight_norm_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_contiguous_f32,
    .run = backward,
};
