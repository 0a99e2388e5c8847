/* "silu_heads" and "silu_heads_backward" on the CPU: the tokens are shared out. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "ttt/ops/pointwise/math.h"
#include "ttt/ops/reduce/lanes.h"
#include "ttt/ops/silu_heads/silu_heads_operator.h"

enum { PARALLEL_ELEMENTS = 1 << 13 }; /* fewer are done faster than threads are woken */

static int64_t head_width(const ttt_launch *launch)
{
    const struct ttt_silu_heads_attributes *a = launch->attributes;
    return launch->in[0].shape.size[2] / (a->parts * a->heads);
}

static int64_t token_count(const ttt_launch *launch)
{
    return launch->in[0].shape.size[0] * launch->in[0].shape.size[1];
}

static int threads_for(const ttt_launch *launch)
{
    return ttt_operand_elements(&launch->in[0]) < PARALLEL_ELEMENTS ? 1 : launch->threads;
}

/* NULL where the operand has no memory. */
static float *row_of(const ttt_operand *y, int64_t token, int64_t head)
{
    const int64_t length = y->dtype ? y->shape.size[1] : 1;
    return y->data ? (float *)y->data + token / length * y->stride[0] + token % length * y->stride[1] +
                         head * y->stride[2]
                   : NULL;
}

/* y may be x. */
static void forward_row(const float *x, bool unit, float eps, float *y, int64_t d)
{
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        y[i] = x[i] * ttt_fast_sigmoid(x[i]);
    if (!unit)
        return;
    const float scale = 1 / (sqrtf(ttt_row_dot(y, y, d)) + eps);
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        y[i] *= scale;
}

static ttt_status forward(const ttt_launch *launch)
{
    const struct ttt_silu_heads_attributes *a = launch->attributes;
    const int64_t d = head_width(launch), tokens = token_count(launch);
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t token = 0; token < tokens; token++)
        for (int64_t row = 0; row < a->parts * a->heads; row++) {
            const int p = (int)(row / a->heads);
            const float *x = (const float *)launch->in[0].data + (token * a->parts * a->heads + row) * d;
            float *y = row_of(&launch->out[p], token, row % a->heads);
            if (y)
                forward_row(x, p < a->units, a->eps, y, d);
        }
    return TTT_OK;
}

/* dx may be x; s and h have room for d sigmoids and values. */
static void backward_row(const float *x, const float *dy, bool unit, float eps, float *dx, float *s, float *h,
                         int64_t d)
{
#pragma omp simd
    for (int64_t i = 0; i < d; i++) {
        s[i] = ttt_fast_sigmoid(x[i]);
        h[i] = x[i] * s[i];
    }
    const float norm = unit ? sqrtf(ttt_row_dot(h, h, d)) : 0, scale = unit ? 1 / (norm + eps) : 1;
    const float pull = norm > 0 ? ttt_row_dot(h, dy, d) * scale * scale / norm : 0;
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        dx[i] = (dy[i] * scale - h[i] * pull) * ttt_fast_silu_grad(x[i], s[i]);
}

/* A row of sigmoids and one of values for each thread. */
static size_t backward_workspace(const ttt_launch *launch)
{
    return (size_t)(threads_for(launch) * 2 * head_width(launch)) * sizeof(float);
}

static ttt_status backward(const ttt_launch *launch)
{
    const struct ttt_silu_heads_attributes *a = launch->attributes;
    const int64_t d = head_width(launch), tokens = token_count(launch);
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t token = 0; token < tokens; token++)
        for (int64_t row = 0; row < a->parts * a->heads; row++) {
            const int p = (int)(row / a->heads);
            const int64_t at = (token * a->parts * a->heads + row) * d;
            const float *dy = row_of(&launch->in[1 + p], token, row % a->heads);
            float *dx = (float *)launch->out[0].data + at;
            float *room = (float *)launch->workspace + omp_get_thread_num() * 2 * d;
            if (dy)
                backward_row((const float *)launch->in[0].data + at, dy, p < a->units, a->eps, dx, room,
                             room + d, d);
            else
                memset(dx, 0, (size_t)d * sizeof *dx);
        }
    return TTT_OK;
}

const ttt_implementation ttt_silu_heads_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = forward,
};

const ttt_implementation ttt_silu_heads_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = backward_workspace,
    .run = backward,
};
