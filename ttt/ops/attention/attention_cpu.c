/* "attention" on the CPU: a block of queries goes over the keys block by block.
 *
 * Exponentials are taken relative to the largest score of the query so far; when a later block has a larger
 * one, what was summed is scaled down.  So nothing overflows, and one pass over the keys is enough.
 */
#include <math.h>
#include <omp.h>

#include "ttt/ops/attention/attention_operator.h"
#include "ttt/ops/attention/block.h"
#include "ttt/ops/pointwise/math.h"
#include "ttt/ops/reduce/lanes.h"

enum { QUERIES = TTT_ATTENTION_QUERIES, KEYS = TTT_ATTENTION_KEYS };

/* What a thread needs for itself. */
struct scratch {
    float *scores; /* (QUERIES, KEYS) */
    float *largest, *sum;
    float *panel;
};

static int64_t scratch_elements(int64_t d)
{
    return QUERIES * KEYS + 2 * QUERIES + attention_panel(d);
}

static struct scratch scratch_of(const ttt_launch *launch, int thread)
{
    const int64_t d = launch->in[0].shape.size[3];
    float *at = (float *)launch->workspace + thread * scratch_elements(d);
    return (struct scratch){at, at + QUERIES * KEYS, at + QUERIES * KEYS + QUERIES,
                            at + QUERIES * KEYS + 2 * QUERIES};
}

static size_t forward_workspace(const ttt_launch *launch)
{
    return (size_t)(launch->threads * scratch_elements(launch->in[0].shape.size[3])) * sizeof(float);
}

static float largest_of(const float *x, int64_t count)
{
    float most = x[0];
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < count; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

/* scores = exp(scale scores - most); returns their sum. */
static float exponentials(float *scores, float scale, float most, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        scores[i] = ttt_fast_exp(scores[i] * scale - most);
    return ttt_row_sum(scores, count);
}

static void scale_row(float *y, float factor, int64_t d)
{
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        y[i] *= factor;
}

/* Turns one query's scores into exponentials; brings its sum and y in line with a new largest score. */
static void admit_scores(const struct scratch *s, int64_t query, int64_t keys, bool first, float scale,
                         float *y, int64_t d)
{
    float *scores = s->scores + query * KEYS;
    const float most = scale * largest_of(scores, keys), before = s->largest[query];
    if (first) {
        s->largest[query] = most;
        s->sum[query] = 0;
    } else if (!(most <= before)) {
        const float factor = ttt_fast_exp(before - most);
        s->largest[query] = most;
        s->sum[query] *= factor;
        scale_row(y, factor, d);
    }
    s->sum[query] += exponentials(scores, scale, s->largest[query], keys);
}

/* A task: queries first ... first + count of head i. */
struct task {
    int64_t i, first, count;
};

static int64_t blocks_of(const ttt_launch *launch)
{
    return (launch->in[0].shape.size[2] + QUERIES - 1) / QUERIES;
}

static struct task task_of(const ttt_launch *launch, int64_t index)
{
    const int64_t blocks = blocks_of(launch), first = index % blocks * QUERIES;
    const int64_t left = launch->in[0].shape.size[2] - first;
    return (struct task){index / blocks, first, left < QUERIES ? left : QUERIES};
}

/* What a task reads first, and what it writes. */
static struct attention_ahead ahead_of(const ttt_launch *launch, const struct task *task)
{
    const ttt_shape shape = launch->in[0].shape;
    const int64_t heads = shape.size[1], d = shape.size[3], all_keys = launch->in[1].shape.size[2];
    const int64_t keys = all_keys < KEYS ? all_keys : KEYS;
    const int64_t tiles = attention_tiles(task->count, keys) + attention_tiles(task->count, d);
    struct attention_ahead ahead = {0};
    if (task->i == shape.size[0] * heads)
        return ahead;
    attention_ask(&ahead, attention_head(&launch->in[0], false, heads, task->i, task->first), task->count, d,
                  tiles);
    attention_ask(&ahead, attention_head(&launch->in[1], false, heads, task->i, 0), keys, d, tiles);
    attention_ask(&ahead, attention_head(&launch->in[2], false, heads, task->i, 0), keys, d, tiles);
    attention_ask(&ahead, attention_head(&launch->out[0], true, heads, task->i, task->first), task->count, d,
                  tiles);
    return ahead;
}

static void attend(const ttt_launch *launch, const struct scratch *s, const struct task *task,
                   struct attention_ahead *ahead)
{
    const int64_t i = task->i, first = task->first, count = task->count;
    const ttt_shape shape = launch->in[0].shape;
    const int64_t heads = shape.size[1], d = shape.size[3], all_keys = launch->in[1].shape.size[2];
    const float scale = 1 / sqrtf((float)d);
    const struct attention_matrix scores = {s->scores, KEYS, 1};
    const struct attention_matrix q = attention_head(&launch->in[0], false, heads, i, first);
    const struct attention_matrix y = attention_head(&launch->out[0], true, heads, i, first);
    for (int64_t key = 0; key < all_keys; key += KEYS) {
        const int64_t keys = all_keys - key < KEYS ? all_keys - key : KEYS;
        const struct attention_matrix k = attention_head(&launch->in[1], false, heads, i, key);
        const struct attention_matrix v = attention_head(&launch->in[2], false, heads, i, key);
        attention_multiply(count, keys, d, q, attention_transposed(k), scores, false, s->panel, ahead);
        for (int64_t r = 0; r < count; r++)
            admit_scores(s, r, keys, key == 0, scale, y.at + r * y.row, d);
        attention_multiply(count, d, keys, scores, v, y, key > 0, s->panel, ahead);
    }
    float *log_sum = launch->out[1].data;
    for (int64_t r = 0; r < count; r++) {
        scale_row(y.at + r * y.row, 1 / s->sum[r], d);
        if (log_sum)
            log_sum[i * shape.size[2] + first + r] = s->largest[r] + logf(s->sum[r]);
    }
}

static ttt_status forward(const ttt_launch *launch)
{
    const ttt_shape shape = launch->in[0].shape;
    const int64_t tasks = shape.size[0] * shape.size[1] * blocks_of(launch);
#pragma omp parallel for schedule(static) num_threads(launch->threads)
    for (int64_t index = 0; index < tasks; index++) {
        const struct scratch s = scratch_of(launch, omp_get_thread_num());
        const struct task task = task_of(launch, index), next = task_of(launch, index + 1);
        struct attention_ahead ahead = ahead_of(launch, &next);
        attend(launch, &s, &task, &ahead);
    }
    return TTT_OK;
}

const ttt_implementation ttt_attention_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = forward_workspace,
    .run = forward,
};
