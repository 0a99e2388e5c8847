/* "layernorm" and "layernorm_backward" on the CPU.
 *
 * A row is read from memory once: later passes over it, such as that for the variance after the mean, find it
 * in the L1 cache.  Gradients of gain and bias are summed by chunks of 64 rows, then over the chunks in
 * double, whatever the number of threads.
 */
#include <math.h>
#include <string.h>

#include "ttt/ops/layernorm/layernorm_operator.h"
#include "ttt/ops/reduce/rows.h"

enum { PARALLEL_ELEMENTS = 1 << 13 }; /* fewer are done faster than threads are woken */

static int64_t row_length(const ttt_launch *launch)
{
    return launch->in[0].shape.size[launch->in[0].shape.rank - 1];
}

static int threads_for(const ttt_launch *launch)
{
    return ttt_operand_elements(&launch->in[0]) < PARALLEL_ELEMENTS ? 1 : launch->threads;
}

/* The parameter's numbers, or where it is not given, d times `value` at `room`. */
static const float *parameter_or(const ttt_operand *parameter, float value, float *room, int64_t d)
{
    if (parameter->data)
        return parameter->data;
    for (int64_t i = 0; i < d; i++)
        room[i] = value;
    return room;
}

/* Sums over a row run in four quarters, each in a vector of its own: additions need not wait for each other.
 */
static float mean_of(const float *x, int64_t d)
{
    const int64_t quarter = d / 4;
    const float *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
    float a = 0, b = 0, c = 0, e = 0;
#pragma omp simd reduction(+ : a, b, c, e)
    for (int64_t i = 0; i < quarter; i++) {
        a += x[i];
        b += x1[i];
        c += x2[i];
        e += x3[i];
    }
    for (int64_t i = 4 * quarter; i < d; i++)
        a += x[i];
    return ((a + b) + (c + e)) / (float)d;
}

static inline float squared(float x)
{
    return x * x;
}

static float variance_of(const float *x, int64_t d, float mean)
{
    const int64_t quarter = d / 4;
    const float *x1 = x + quarter, *x2 = x1 + quarter, *x3 = x2 + quarter;
    float a = 0, b = 0, c = 0, e = 0;
#pragma omp simd reduction(+ : a, b, c, e)
    for (int64_t i = 0; i < quarter; i++) {
        a += squared(x[i] - mean);
        b += squared(x1[i] - mean);
        c += squared(x2[i] - mean);
        e += squared(x3[i] - mean);
    }
    for (int64_t i = 4 * quarter; i < d; i++)
        a += squared(x[i] - mean);
    return ((a + b) + (c + e)) / (float)d;
}

static void normalise(const float *x, const float *gain, const float *bias, float mean, float rstd, float *y,
                      int64_t d)
{
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        y[i] = (x[i] - mean) * rstd * gain[i] + bias[i];
}

static size_t forward_workspace(const ttt_launch *launch)
{
    return (size_t)(2 * row_length(launch)) * sizeof(float);
}

static ttt_status forward(const ttt_launch *launch)
{
    const struct ttt_layernorm_attributes *attributes = launch->attributes;
    const int64_t d = row_length(launch), rows = ttt_operand_elements(&launch->in[0]) / d;
    float *ones = launch->workspace, *zeros = ones + d;
    const float *x = launch->in[0].data, eps = attributes->eps;
    const float *gain = parameter_or(&launch->in[1], 1, ones, d);
    const float *bias = parameter_or(&launch->in[2], 0, zeros, d);
    float *y = launch->out[0].data, *means = launch->out[1].data, *rstds = launch->out[2].data;
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t r = 0; r < rows; r++) {
        float mean = mean_of(x + r * d, d);
        float rstd = 1 / sqrtf(variance_of(x + r * d, d, mean) + eps);
        normalise(x + r * d, gain, bias, mean, rstd, y + r * d, d);
        if (means)
            means[r] = mean;
        if (rstds)
            rstds[r] = rstd;
    }
    return TTT_OK;
}

/* One row of dx, with c added unless that is NULL; adds the row's part to dgain and dbias.  dx may be any of
 * dy, x and c. */
static void backward_row(const float *x, const float *gain, float mean, float rstd, const float *dy,
                         const float *c, float *dx, float *dgain, float *dbias, int64_t d)
{
    float s_sum = 0, sh_sum = 0;
#pragma omp simd reduction(+ : s_sum, sh_sum)
    for (int64_t i = 0; i < d; i++) {
        float h = (x[i] - mean) * rstd, s = dy[i] * gain[i];
        s_sum += s;
        sh_sum += s * h;
        dgain[i] += dy[i] * h;
        dbias[i] += dy[i];
    }
    const float s_mean = s_sum / (float)d, sh_mean = sh_sum / (float)d;
    if (!c) {
#pragma omp simd
        for (int64_t i = 0; i < d; i++)
            dx[i] = rstd * (dy[i] * gain[i] - s_mean - (x[i] - mean) * rstd * sh_mean);
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        dx[i] = c[i] + rstd * (dy[i] * gain[i] - s_mean - (x[i] - mean) * rstd * sh_mean);
}

static int64_t chunks_of(int64_t rows)
{
    return (rows + TTT_ROWS_PER_CHUNK - 1) / TTT_ROWS_PER_CHUNK;
}

/* Ones for a missing gain (d), then for each chunk dgain (d) and dbias (d). */
static size_t backward_workspace(const ttt_launch *launch)
{
    const int64_t d = row_length(launch), rows = ttt_operand_elements(&launch->in[0]) / d;
    return (size_t)((1 + 2 * chunks_of(rows)) * d) * sizeof(float);
}

static ttt_status backward(const ttt_launch *launch)
{
    const int64_t d = row_length(launch), rows = ttt_operand_elements(&launch->in[0]) / d;
    const int64_t chunks = chunks_of(rows);
    float *ones = launch->workspace, *partials = ones + d; /* partials: (chunks, 2, d) */
    const float *x = launch->in[0].data, *gain = parameter_or(&launch->in[1], 1, ones, d);
    const float *mean = launch->in[2].data, *rstd = launch->in[3].data, *dy = launch->in[4].data;
    const float *c = launch->in[5].data;
    float *dx = launch->out[0].data, *dgain = launch->out[1].data, *dbias = launch->out[2].data;
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        const int64_t start = chunk * TTT_ROWS_PER_CHUNK;
        const int64_t end = start + TTT_ROWS_PER_CHUNK < rows ? start + TTT_ROWS_PER_CHUNK : rows;
        float *partial = partials + chunk * 2 * d;
        memset(partial, 0, (size_t)(2 * d) * sizeof *partial);
        for (int64_t r = start; r < end; r++)
            backward_row(x + r * d, gain, mean[r], rstd[r], dy + r * d, c ? c + r * d : NULL, dx + r * d,
                         partial, partial + d, d);
    }
    if (dgain)
        ttt_sum_rows(partials, chunks, 2 * d, d, 1, dgain, 1);
    if (dbias)
        ttt_sum_rows(partials + d, chunks, 2 * d, d, 1, dbias, 1);
    return TTT_OK;
}

const ttt_implementation ttt_layernorm_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = forward_workspace,
    .run = forward,
};

const ttt_implementation ttt_layernorm_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = backward_workspace,
    .run = backward,
};
