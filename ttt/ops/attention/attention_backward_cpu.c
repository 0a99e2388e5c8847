/* "attention_backward" on the CPU: blocks of scores are computed once more; a head belongs to one thread. */
#include <math.h>
#include <omp.h>

#include "ttt/ops/attention/attention_operator.h"
#include "ttt/ops/attention/block.h"
#include "ttt/ops/pointwise/math.h"

enum { QUERIES = TTT_ATTENTION_QUERIES, KEYS = TTT_ATTENTION_KEYS };

enum { Q, K, V, Y, LOG_SUM, DY }; /* inputs */

/* What a thread needs for itself. */
struct scratch {
    float *weights; /* (QUERIES, KEYS): the softmax */
    float *slopes;  /* (QUERIES, KEYS): dy v^T, then the gradient of q . k */
    float *shared;  /* (QUERIES): sum over d of (dy y) */
    float *panel;
};

static int64_t scratch_elements(int64_t d)
{
    return 2 * QUERIES * KEYS + QUERIES + attention_panel(d);
}

static struct scratch scratch_of(const ttt_launch *launch, int thread)
{
    float *at = (float *)launch->workspace + thread * scratch_elements(launch->in[Q].shape.size[3]);
    float *shared = at + 2 * QUERIES * KEYS;
    return (struct scratch){at, at + QUERIES * KEYS, shared, shared + QUERIES};
}

static size_t backward_workspace(const ttt_launch *launch)
{
    return (size_t)(launch->threads * scratch_elements(launch->in[Q].shape.size[3])) * sizeof(float);
}

static float dot(const float *x, const float *y, int64_t d)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < d; i++)
        sum += x[i] * y[i];
    return sum;
}

static void softmax_row(float *weights, float scale, float log_sum, int64_t keys)
{
#pragma omp simd
    for (int64_t i = 0; i < keys; i++)
        weights[i] = ttt_fast_exp(weights[i] * scale - log_sum);
}

static void slope_row(const float *weights, float *slopes, float shared, float scale, int64_t keys)
{
#pragma omp simd
    for (int64_t i = 0; i < keys; i++)
        slopes[i] = weights[i] * (slopes[i] - shared) * scale;
}

/* One head. */
struct head {
    const ttt_launch *launch;
    int64_t i, heads, d;
};

static struct attention_matrix rows_of(const struct head *h, int input, int64_t first)
{
    return attention_head(&h->launch->in[input], input == Y || input == DY, h->heads, h->i, first);
}

static struct attention_matrix gradient_rows(const struct head *h, int output, int64_t first)
{
    return attention_head(&h->launch->out[output], true, h->heads, h->i, first);
}

/* The block of `queries` from `query` by `keys` from `key`: its part of all three gradients. */
static void block_gradient(const struct head *h, const struct scratch *s, int64_t query, int64_t queries,
                           int64_t key, int64_t keys, struct attention_ahead *ahead)
{
    const float scale = 1 / sqrtf((float)h->d);
    const int64_t all_queries = h->launch->in[Q].shape.size[2];
    const float *log_sum = (const float *)h->launch->in[LOG_SUM].data + h->i * all_queries + query;
    const struct attention_matrix q = rows_of(h, Q, query), k = rows_of(h, K, key),
                                  dy = rows_of(h, DY, query);
    const struct attention_matrix weights = {s->weights, KEYS, 1}, slopes = {s->slopes, KEYS, 1};
    attention_multiply(queries, keys, h->d, q, attention_transposed(k), weights, false, s->panel, ahead);
    for (int64_t r = 0; r < queries; r++)
        softmax_row(s->weights + r * KEYS, scale, log_sum[r], keys);
    if (h->launch->out[V].data)
        attention_multiply(keys, h->d, queries, attention_transposed(weights), dy, gradient_rows(h, V, key),
                           query > 0, s->panel, ahead);
    attention_multiply(queries, keys, h->d, dy, attention_transposed(rows_of(h, V, key)), slopes, false,
                       s->panel, ahead);
    for (int64_t r = 0; r < queries; r++)
        slope_row(s->weights + r * KEYS, s->slopes + r * KEYS, s->shared[r], scale, keys);
    attention_multiply(queries, h->d, keys, slopes, k, gradient_rows(h, Q, query), key > 0, s->panel, ahead);
    if (h->launch->out[K].data)
        attention_multiply(keys, h->d, queries, attention_transposed(slopes), q, gradient_rows(h, K, key),
                           query > 0, s->panel, ahead);
}

/* What a head reads first, and what it writes. */
static struct attention_ahead ahead_of(const struct head *h)
{
    const ttt_operand *in = h->launch->in;
    const int64_t all_queries = in[Q].shape.size[2], all_keys = in[K].shape.size[2];
    const int64_t queries = all_queries < QUERIES ? all_queries : QUERIES,
                  keys = all_keys < KEYS ? all_keys : KEYS;
    const int64_t tiles =
        2 * attention_tiles(queries, keys) + attention_tiles(queries, h->d) + 2 * attention_tiles(keys, h->d);
    struct attention_ahead ahead = {0};
    if (h->i == in[Q].shape.size[0] * h->heads)
        return ahead;
    attention_ask(&ahead, rows_of(h, Q, 0), queries, h->d, tiles);
    attention_ask(&ahead, rows_of(h, K, 0), keys, h->d, tiles);
    attention_ask(&ahead, rows_of(h, V, 0), keys, h->d, tiles);
    attention_ask(&ahead, rows_of(h, Y, 0), queries, h->d, tiles);
    attention_ask(&ahead, rows_of(h, DY, 0), queries, h->d, tiles);
    attention_ask(&ahead, gradient_rows(h, Q, 0), queries, h->d, tiles);
    if (h->launch->out[K].data)
        attention_ask(&ahead, gradient_rows(h, K, 0), keys, h->d, tiles);
    if (h->launch->out[V].data)
        attention_ask(&ahead, gradient_rows(h, V, 0), keys, h->d, tiles);
    return ahead;
}

static void head_gradient(const struct head *h, const struct scratch *s, struct attention_ahead *ahead)
{
    const int64_t all_queries = h->launch->in[Q].shape.size[2], all_keys = h->launch->in[K].shape.size[2];
    for (int64_t query = 0; query < all_queries; query += QUERIES) {
        const int64_t queries = all_queries - query < QUERIES ? all_queries - query : QUERIES;
        const struct attention_matrix y = rows_of(h, Y, query), dy = rows_of(h, DY, query);
        for (int64_t r = 0; r < queries; r++)
            s->shared[r] = dot(y.at + r * y.row, dy.at + r * dy.row, h->d);
        for (int64_t key = 0; key < all_keys; key += KEYS)
            block_gradient(h, s, query, queries, key, all_keys - key < KEYS ? all_keys - key : KEYS, ahead);
    }
}

static ttt_status backward(const ttt_launch *launch)
{
    const ttt_shape shape = launch->in[Q].shape;
#pragma omp parallel for schedule(static) num_threads(launch->threads)
    for (int64_t i = 0; i < shape.size[0] * shape.size[1]; i++) {
        const struct scratch s = scratch_of(launch, omp_get_thread_num());
        const struct head head = {launch, i, shape.size[1], shape.size[3]},
                          next = {launch, i + 1, shape.size[1], shape.size[3]};
        struct attention_ahead ahead = ahead_of(&next);
        head_gradient(&head, &s, &ahead);
    }
    return TTT_OK;
}

const ttt_implementation ttt_attention_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = backward_workspace,
    .run = backward,
};
