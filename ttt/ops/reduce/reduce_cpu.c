/* "sum" on the CPU.
 *
 * The dimension that is consecutive in memory decides.  Is it summed, each result is a sum of runs, and long
 * ones are cut into parts for the threads; is it kept, whole rows are added, 64 at a time.  Parts and chunks
 * depend on the shape alone, and are added in double in a fixed order: so do results.
 */
#include <string.h>

#include "ttt/ops/reduce/layout.h"
#include "ttt/ops/reduce/reduce_operator.h"
#include "ttt/ops/reduce/rows.h"

enum {
    SEGMENT = 1024,             /* longest run that is summed in f32: 32 additions deep in 32 accumulators */
    FEW_RESULTS = 64,           /* fewer sums of runs than this are cut into parts, */
    MAX_PARTS = 64,             /* so many at most */
    COLUMNS = 1024,             /* columns that are added at a time: 8 rows of them fit the L1 cache */
    ROWS = 8,                   /* rows that are added in registers */
    PARALLEL_ELEMENTS = 1 << 15 /* fewer are added faster than threads are woken */
};

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static float sum_few(const float *x, int64_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* Sum of n <= SEGMENT consecutive numbers: long ones in four quarters side by side, each in a vector of its
 * own, so that additions need not wait for each other. */
static float sum_consecutive(const float *x, int64_t n)
{
    if (n < 128)
        return sum_few(x, n);
    const int64_t quarter = n / 32 * 8;
    const float *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
    float a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
    for (int64_t i = 0; i < quarter; i++) {
        a += x[i];
        b += x1[i];
        c += x2[i];
        d += x3[i];
    }
    return ((a + b) + (c + d)) + sum_few(x3 + quarter, n - 4 * quarter);
}

static double sum_run(const float *x, int64_t n, int64_t stride)
{
    if (stride == 1)
        return (double)sum_consecutive(x, n);
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)x[i * stride];
    return total;
}

/* How runs are shared out. */
struct runs {
    int64_t per_run;  /* segments of a run */
    int64_t segments; /* of a result */
    int64_t parts;    /* of a result */
    int64_t per_part; /* segments */
};

static struct runs share_runs(const struct ttt_sum_layout *layout)
{
    struct runs runs = {.per_run = ceil_div(layout->inner.size, SEGMENT), .parts = 1};
    runs.segments = runs.per_run * layout->summed.elements;
    if (layout->kept.elements < FEW_RESULTS)
        runs.parts = min(runs.segments, MAX_PARTS);
    runs.per_part = ceil_div(runs.segments, runs.parts);
    return runs;
}

static double sum_part(const struct ttt_sum_layout *layout, const struct runs *runs, const float *x,
                       int64_t part)
{
    const int64_t end = min((part + 1) * runs->per_part, runs->segments);
    double total = 0;
    for (int64_t i = part * runs->per_part; i < end; i++) {
        int64_t start = i % runs->per_run * SEGMENT;
        int64_t offset =
            ttt_sum_offset(&layout->summed, i / runs->per_run, NULL) + start * layout->inner.stride;
        total += sum_run(x + offset, min(layout->inner.size - start, SEGMENT), layout->inner.stride);
    }
    return total;
}

/* Many results, each the sum of one short run. */
static void sum_short_runs(const struct ttt_sum_layout *layout, const float *x, float *y, int threads)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < layout->kept.elements; i++) {
        int64_t out, from = ttt_sum_offset(&layout->kept, i, &out);
        y[out] = (float)(sum_run(x + from, layout->inner.size, layout->inner.stride) * layout->factor);
    }
}

/* partials: (results, parts) */
static void sum_runs(const struct ttt_sum_layout *layout, const float *x, float *y, double *partials,
                     int threads)
{
    const struct runs runs = share_runs(layout);
    const int64_t results = layout->kept.elements;
    if (runs.segments == 1) {
        sum_short_runs(layout, x, y, threads);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < results * runs.parts; i++) {
        int64_t out, from = ttt_sum_offset(&layout->kept, i / runs.parts, &out);
        double total = sum_part(layout, &runs, x + from, i % runs.parts);
        if (runs.parts == 1)
            y[out] = (float)(total * layout->factor);
        else
            partials[i] = total;
    }
    for (int64_t i = 0; i < results && runs.parts > 1; i++) {
        double total = 0;
        for (int64_t part = 0; part < runs.parts; part++)
            total += partials[i * runs.parts + part];
        int64_t out;
        ttt_sum_offset(&layout->kept, i, &out);
        y[out] = (float)(total * layout->factor);
    }
}

/* sum += the rows, which start at x + offset[i]. */
static void add_rows(float *sum, const float *x, const int64_t *offset, int64_t rows, int64_t columns,
                     int64_t stride)
{
    if (rows < ROWS || stride != 1) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                sum[c] += x[offset[r] + c * stride];
        return;
    }
    const float *a = x + offset[0], *b = x + offset[1], *c = x + offset[2], *d = x + offset[3];
    const float *e = x + offset[4], *f = x + offset[5], *g = x + offset[6], *h = x + offset[7];
#pragma omp simd
    for (int64_t i = 0; i < columns; i++)
        sum[i] += ((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i]));
}

static void sum_chunk(const struct ttt_sum_layout *layout, const float *x, int64_t chunk, int64_t columns,
                      float *sum)
{
    const int64_t end = min((chunk + 1) * TTT_ROWS_PER_CHUNK, layout->summed.elements);
    memset(sum, 0, (size_t)columns * sizeof *sum);
    for (int64_t row = chunk * TTT_ROWS_PER_CHUNK; row < end; row += ROWS) {
        int64_t offset[ROWS], rows = min(end - row, ROWS);
        for (int64_t i = 0; i < rows; i++)
            offset[i] = ttt_sum_offset(&layout->summed, row + i, NULL);
        add_rows(sum, x, offset, rows, columns, layout->inner.stride);
    }
}

/* partials: (kept, chunks, columns) */
static void sum_rows(const struct ttt_sum_layout *layout, const float *x, float *y, float *partials,
                     int threads)
{
    const struct ttt_sum_dimension inner = layout->inner;
    const int64_t chunks = ceil_div(layout->summed.elements, TTT_ROWS_PER_CHUNK);
    const int64_t blocks = ceil_div(inner.size, COLUMNS), kept = layout->kept.elements;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < kept * chunks * blocks; i++) {
            int64_t column = i % blocks * COLUMNS, chunk = i / blocks % chunks;
            int64_t columns = min(inner.size - column, COLUMNS);
            int64_t from = ttt_sum_offset(&layout->kept, i / blocks / chunks, NULL);
            sum_chunk(layout, x + from + column * inner.stride, chunk, columns,
                      partials + i / blocks * inner.size + column);
        }
#pragma omp for schedule(static)
        for (int64_t i = 0; i < kept * blocks; i++) {
            int64_t column = i % blocks * COLUMNS, columns = min(inner.size - column, COLUMNS), out;
            ttt_sum_offset(&layout->kept, i / blocks, &out);
            ttt_sum_rows(partials + i / blocks * chunks * inner.size + column, chunks, inner.size, columns,
                         layout->factor, y + out + column * inner.out, inner.out);
        }
    }
}

static size_t workspace(const ttt_launch *launch)
{
    const struct ttt_sum_layout layout = ttt_sum_layout_of(launch);
    int64_t chunks = ceil_div(layout.summed.elements, TTT_ROWS_PER_CHUNK);
    if (layout.inner.summed)
        return (size_t)(layout.kept.elements * share_runs(&layout).parts) * sizeof(double);
    return (size_t)(layout.kept.elements * chunks * layout.inner.size) * sizeof(float);
}

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_sum_layout layout = ttt_sum_layout_of(launch);
    const int threads = ttt_operand_elements(&launch->in[0]) < PARALLEL_ELEMENTS ? 1 : launch->threads;
    if (layout.inner.summed)
        sum_runs(&layout, launch->in[0].data, launch->out[0].data, launch->workspace, threads);
    else
        sum_rows(&layout, launch->in[0].data, launch->out[0].data, launch->workspace, threads);
    return TTT_OK;
}

const ttt_implementation ttt_sum_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = workspace,
    .run = run,
};
