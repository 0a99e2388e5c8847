/* "cross_entropy" and "cross_entropy_backward" on the CPU: one thread a row.
 *
 * Logits are taken relative to the row's largest, so no exponential overflows and the sum of them is at
 * least 1. A NaN among the logits makes the loss NaN.
 */
#include <float.h>
#include <math.h>

#include "ttt/ops/cross_entropy/cross_entropy_operator.h"
#include "ttt/ops/pointwise/math.h"

enum { PARALLEL_ELEMENTS = 1 << 13 }; /* fewer are done faster than threads are woken */

static int threads_for(const ttt_launch *launch)
{
    return ttt_operand_elements(&launch->in[0]) < PARALLEL_ELEMENTS ? 1 : launch->threads;
}

/* a - b, but no less than the most negative float: a target of 0 must not meet an infinity. */
static inline float difference(float a, float b)
{
    float d = a - b;
    return d < -FLT_MAX ? -FLT_MAX : d;
}

static float largest(const float *x, int64_t n)
{
    float max = x[0];
#pragma omp simd reduction(max : max)
    for (int64_t k = 0; k < n; k++)
        max = x[k] > max ? x[k] : max;
    return max;
}

/* Returns the sum of exp(x - max), as the terms are; stores them in `terms` unless that is NULL. */
static float sum_exponentials(const float *x, float max, float *terms, int64_t n)
{
    float sum = 0;
    if (!terms) {
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < n; k++)
            sum += ttt_fast_exp(x[k] - max);
        return sum;
    }
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++) {
        float term = ttt_fast_exp(x[k] - max);
        terms[k] = term;
        sum += term;
    }
    return sum;
}

/* One row's loss; its softmax goes to `probabilities` unless that is NULL. */
static double row_loss(const float *x, const float *target, float *probabilities, int64_t n)
{
    const float max = largest(x, n);
    const float sum = sum_exponentials(x, max, probabilities, n), log_sum = logf(sum);
    double loss = 0;
#pragma omp simd reduction(+ : loss)
    for (int64_t k = 0; k < n; k++)
        loss += (double)target[k] * (double)(log_sum - difference(x[k], max));
    if (probabilities) {
        const float scale = 1 / sum;
#pragma omp simd
        for (int64_t k = 0; k < n; k++)
            probabilities[k] *= scale;
    }
    return loss;
}

/* A loss for each row. */
static size_t forward_workspace(const ttt_launch *launch)
{
    return (size_t)launch->in[0].shape.size[0] * sizeof(double);
}

static ttt_status forward(const ttt_launch *launch)
{
    const int64_t rows = launch->in[0].shape.size[0], n = launch->in[0].shape.size[1];
    const float *logits = launch->in[0].data, *target = launch->in[1].data;
    float *loss = launch->out[0].data, *probabilities = launch->out[1].data;
    double *losses = launch->workspace, total = 0;
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t r = 0; r < rows; r++)
        losses[r] = row_loss(logits + r * n, target + r * n, probabilities ? probabilities + r * n : NULL, n);
    for (int64_t r = 0; r < rows; r++)
        total += losses[r];
    *loss = (float)(total / (double)rows);
    return TTT_OK;
}

static ttt_status backward(const ttt_launch *launch)
{
    const int64_t rows = launch->in[0].shape.size[0], n = launch->in[0].shape.size[1];
    const float *probabilities = launch->in[0].data, *targets = launch->in[1].data,
                *dloss = launch->in[2].data;
    const float factor = *dloss / (float)rows;
    float *dlogits = launch->out[0].data;
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t r = 0; r < rows; r++) {
        const float *p = probabilities + r * n, *target = targets + r * n;
        float sum = 0, *dx = dlogits + r * n;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < n; k++)
            sum += target[k];
#pragma omp simd
        for (int64_t k = 0; k < n; k++)
            dx[k] = (p[k] * sum - target[k]) * factor;
    }
    return TTT_OK;
}

const ttt_implementation ttt_cross_entropy_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = forward_workspace,
    .run = forward,
};

const ttt_implementation ttt_cross_entropy_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = backward,
};
