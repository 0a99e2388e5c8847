/* "l2norm" and "l2norm_backward" on the CPU.
 *
 * Long groups are cut into parts for the threads.  The parts depend on the shape alone, and are added in
 * double in order: so do results.
 */
#include <math.h>

#include "ttt/ops/l2norm/l2norm_operator.h"

enum {
    SEGMENT = 1024, /* elements that are summed in f32 */
    PART = 16 * SEGMENT,
    PARALLEL_ELEMENTS = 1 << 15 /* fewer are done faster than threads are woken */
};

/* Groups of `length` elements, each in `parts` parts, whose sums are in partials (groups, parts). */
struct groups {
    int64_t count, length, parts;
    double *partials;
    int threads;
};

static struct groups groups_of(const ttt_launch *launch)
{
    struct groups s = {.length = ttt_l2norm_length(launch), .partials = launch->workspace};
    const int64_t elements = ttt_operand_elements(&launch->in[0]);
    s.count = elements / s.length;
    s.parts = (s.length + PART - 1) / PART;
    s.threads = elements < PARALLEL_ELEMENTS ? 1 : launch->threads;
    return s;
}

/* The elements from..to - 1 of all groups that are part i. */
struct span {
    int64_t group, from, to;
};

static struct span span_of(const struct groups *s, int64_t i)
{
    const int64_t group = i / s->parts, from = i % s->parts * PART;
    const int64_t to = from + PART < s->length ? from + PART : s->length;
    return (struct span){group, group * s->length + from, group * s->length + to};
}

/* In four quarters, each in a vector of its own: additions need not wait for each other. */
static float dot_segment(const float *x, const float *y, int64_t n)
{
    const int64_t quarter = n / 4;
    const float *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
    const float *y1 = y + quarter, *y2 = y1 + quarter, *y3 = y2 + quarter;
    float a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
    for (int64_t i = 0; i < quarter; i++) {
        a += x[i] * y[i];
        b += x1[i] * y1[i];
        c += x2[i] * y2[i];
        d += x3[i] * y3[i];
    }
    for (int64_t i = 4 * quarter; i < n; i++)
        a += x[i] * y[i];
    return (a + b) + (c + d);
}

/* The products of x and y, summed part by part. */
static void sum_products(const struct groups *s, const float *x, const float *y)
{
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int64_t i = 0; i < s->count * s->parts; i++) {
        const struct span span = span_of(s, i);
        double sum = 0;
        for (int64_t at = span.from; at < span.to; at += SEGMENT)
            sum += (double)dot_segment(x + at, y + at, span.to - at < SEGMENT ? span.to - at : SEGMENT);
        s->partials[i] = sum;
    }
}

static double total_of(const struct groups *s, int64_t group)
{
    double total = 0;
    for (int64_t part = 0; part < s->parts; part++)
        total += s->partials[group * s->parts + part];
    return total;
}

static size_t workspace(const ttt_launch *launch)
{
    const struct groups s = groups_of(launch);
    return (size_t)(s.count * s.parts) * sizeof(double);
}

static ttt_status forward(const ttt_launch *launch)
{
    const struct ttt_l2norm_attributes *attributes = launch->attributes;
    const struct groups s = groups_of(launch);
    const float *x = launch->in[0].data;
    float *y = launch->out[0].data, *norms = launch->out[1].data;
    sum_products(&s, x, x);
#pragma omp parallel for schedule(static) num_threads(s.threads)
    for (int64_t i = 0; i < s.count * s.parts; i++) {
        const struct span span = span_of(&s, i);
        const float norm = (float)sqrt(total_of(&s, span.group)), scale = 1 / (norm + attributes->eps);
#pragma omp simd
        for (int64_t k = span.from; k < span.to; k++)
            y[k] = x[k] * scale;
        if (norms && i % s.parts == 0)
            norms[span.group] = norm;
    }
    return TTT_OK;
}

static ttt_status backward(const ttt_launch *launch)
{
    const struct ttt_l2norm_attributes *attributes = launch->attributes;
    const struct groups s = groups_of(launch);
    const float *y = launch->in[0].data, *norms = launch->in[1].data, *dy = launch->in[2].data;
    float *dx = launch->out[0].data;
    sum_products(&s, y, dy);
#pragma omp parallel for schedule(static) num_threads(s.threads)
    for (int64_t i = 0; i < s.count * s.parts; i++) {
        const struct span span = span_of(&s, i);
        const float norm = norms[span.group], scale = 1 / (norm + attributes->eps);
        const float along = norm > 0 ? (float)total_of(&s, span.group) / norm : 0;
#pragma omp simd
        for (int64_t k = span.from; k < span.to; k++)
            dx[k] = dy[k] * scale - y[k] * along;
    }
    return TTT_OK;
}

const ttt_implementation ttt_l2norm_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_contiguous_f32,
    .workspace = workspace,
    .run = forward,
};

const ttt_implementation ttt_l2norm_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_contiguous_f32,
    .workspace = workspace,
    .run = backward,
};
