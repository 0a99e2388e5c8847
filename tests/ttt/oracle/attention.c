/* Softmax attention, and its gradient in closed form. */
#include "ttt/ops/attention/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/concat/concat.h"

/* Options: whether q, k and v are cut from one tensor, so that their gradients are joined into its own. */
enum { CUT_FROM_ONE };

/* Inputs: q, k, v. */
static const struct op_case cases[] = {
    {"one token", {{{4, {1, 1, 1, 1}}}, {{4, {1, 1, 1, 1}}}, {{4, {1, 1, 1, 1}}}}},
    {"one key", {{{4, {2, 1, 3, 4}}}, {{4, {2, 1, 1, 4}}}, {{4, {2, 1, 1, 4}}}}},
    {"odd", {{{4, {2, 3, 5, 7}}}, {{4, {2, 3, 5, 7}}}, {{4, {2, 3, 5, 7}}}}},
    {"more keys", {{{4, {1, 2, 3, 8}}}, {{4, {1, 2, 17, 8}}}, {{4, {1, 2, 17, 8}}}}},
    {"strided",
     {{{4, {2, 2, 9, 16}}, CUT}, {{4, {2, 2, 9, 16}}, TRANSPOSED}, {{4, {2, 2, 9, 16}}, CUT_FIRST}}},
    {"repeated", {{{4, {2, 2, 6, 5}}, REPEATED}, {{4, {2, 2, 6, 5}}}, {{4, {2, 2, 6, 5}}, REVERSED}}},
    {"sharp", {{{4, {1, 2, 13, 8}}, CONTIGUOUS, WIDE}, {{4, {1, 2, 13, 8}}}, {{4, {1, 2, 13, 8}}}}},
    {"block", {{{4, {1, 1, 96, 16}}}, {{4, {1, 1, 128, 16}}}, {{4, {1, 1, 128, 16}}}}},
    {"block + 1", {{{4, {1, 1, 97, 17}}}, {{4, {1, 1, 129, 17}}}, {{4, {1, 1, 129, 17}}}}},
    {"block - 1", {{{4, {1, 2, 95, 15}}}, {{4, {1, 2, 127, 15}}}, {{4, {1, 2, 127, 15}}}}},
    {"wide heads", {{{4, {1, 1, 10, 200}}}, {{4, {1, 1, 10, 200}}}, {{4, {1, 1, 10, 200}}}}},
    {"256 tokens, width 64", {{{4, {1, 2, 256, 64}}}, {{4, {1, 2, 256, 64}}}, {{4, {1, 2, 256, 64}}}}},
    {"tiles - 1, width 32", {{{4, {1, 2, 127, 32}}}, {{4, {1, 2, 63, 32}}}, {{4, {1, 2, 63, 32}}}}},
    {"tiles + 1, width 64",
     {{{4, {1, 2, 129, 64}}, TRANSPOSED}, {{4, {1, 2, 65, 64}}, TRANSPOSED}, {{4, {1, 2, 65, 64}}, CUT}}},
    {"many heads of 256 keys", {{{4, {3, 3, 64, 64}}}, {{4, {3, 3, 256, 64}}}, {{4, {3, 3, 256, 64}}}}},
    {"256 keys - 1, tiles + 1",
     {{{4, {2, 3, 65, 64}}, TRANSPOSED}, {{4, {2, 3, 255, 64}}, TRANSPOSED}, {{4, {2, 3, 255, 64}}, CUT}}},
    {"129 keys, width 40", {{{4, {5, 1, 193, 40}}}, {{4, {5, 1, 129, 40}}}, {{4, {5, 1, 129, 40}}}}},
    {"145 keys, width 51", {{{4, {1, 2, 130, 51}}}, {{4, {1, 2, 145, 51}}, CUT}, {{4, {1, 2, 145, 51}}}}},
    {"heads of tokens",
     {{{4, {2, 3, 66, 64}}, HEADS}, {{4, {2, 3, 130, 64}}, HEADS}, {{4, {2, 3, 130, 64}}, HEADS}}},
    {"cut from one", {{{4, {2, 3, 127, 64}}}, {{4, {2, 3, 127, 64}}}, {{4, {2, 3, 127, 64}}}}, {true}},
    {"cut from one, 321 keys",
     {{{4, {1, 2, 321, 64}}}, {{4, {1, 2, 321, 64}}}, {{4, {1, 2, 321, 64}}}},
     {true}},
    {"cut from one, odd", {{{4, {2, 2, 11, 13}}}, {{4, {2, 2, 11, 13}}}, {{4, {2, 2, 11, 13}}}}, {true}},
    {"width 128", {{{4, {1, 1, 18, 128}}, CUT}, {{4, {1, 1, 130, 128}}}, {{4, {1, 1, 130, 128}}}}},
    {"many keys, odd",
     {{{4, {12, 11, 67, 64}}}, {{4, {12, 11, 600, 64}}}, {{4, {12, 11, 600, 64}}}},
     .gpu_only = true},
    {"cut from one, many keys",
     {{{4, {2, 22, 513, 64}}}, {{4, {2, 22, 513, 64}}}, {{4, {2, 22, 513, 64}}}},
     {true},
     .gpu_only = true},
    /* One key wins: gradients of q and k are next to nothing, so only their size could be checked. */
    {"large scores",
     {{{4, {1, 1, 6, 4}}, CONTIGUOUS, CONSTANT, 300, .fixed = true},
      {{4, {1, 1, 6, 4}}, .fixed = true},
      {{4, {1, 1, 6, 4}}}}},
};

static struct op_case at(int i)
{
    return cases[i];
}

/* Tensors (B, H, M, d) from one of (B, M, 3 H, d), as a model's linear layer gives them. */
static void cut(ttt_graph *g, ttt_tensor whole, ttt_tensor part[3])
{
    const int64_t heads = ttt_shape_of(g, whole).size[2] / 3;
    ttt_split(g, whole, 2, 3, (int64_t[]){heads, heads, heads}, part);
    for (int i = 0; i < 3; i++)
        part[i] = ttt_transpose(g, part[i], 1, 2);
}

/* The opposite. */
static ttt_tensor join(ttt_graph *g, const ttt_tensor part[3])
{
    ttt_tensor transposed[3];
    for (int i = 0; i < 3; i++)
        transposed[i] = ttt_transpose(g, part[i], 1, 2);
    return ttt_concat(g, transposed, 3, 2);
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_tensor part[3] = {in[0], in[1], in[2]};
    if (c->option[CUT_FROM_ONE])
        cut(g, join(g, in), part);
    out[0] = ttt_attention(g, part[0], part[1], part[2]);
    return 1;
}

/* weights = softmax of q's products with all keys. */
static void softmax(const double *q, const double *k, int64_t keys, int64_t d, double *weights)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < keys; j++) {
        weights[j] = 0;
        for (int64_t i = 0; i < d; i++)
            weights[j] += q[i] * k[j * d + i];
        weights[j] /= sqrt((double)d);
        largest = fmax(largest, weights[j]);
    }
    for (int64_t j = 0; j < keys; j++)
        sum += weights[j] = exp(weights[j] - largest);
    for (int64_t j = 0; j < keys; j++)
        weights[j] /= sum;
}

/* y = the mean of v's rows by the weights of one query. */
static void average(const double *weights, const double *v, int64_t keys, int64_t d, double *y)
{
    memset(y, 0, (size_t)d * sizeof *y);
    for (int64_t j = 0; j < keys; j++)
        for (int64_t i = 0; i < d; i++)
            y[i] += weights[j] * v[j * d + i];
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const int64_t queries = c->in[0].shape.size[2], keys = c->in[1].shape.size[2], d = c->in[0].shape.size[3],
                  rows = op_elements(&c->in[0]) / d;
    double *weights = check_alloc((size_t)(rows * keys), sizeof *weights);
#pragma omp parallel for
    for (int64_t row = 0; row < rows; row++) {
        const int64_t head = row / queries * keys * d;
        softmax(in[0] + row * d, in[1] + head, keys, d, weights + row * keys);
        average(weights + row * keys, in[2] + head, keys, d, out[0] + row * d);
    }
    free(weights);
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    static const ttt_shape wrong[] = {{4, {2, 3, 5, 9}}, {4, {2, 4, 5, 8}}, {3, {2, 5, 8}}};
    ttt_tensor q = ttt_input(g, "q", TTT_F32, ttt_dims(2, 3, 6, 8));
    if (i > 2)
        return false;
    ttt_tensor k = ttt_input(g, "k", TTT_F32, wrong[i]);
    *out = ttt_attention(g, q, k, k);
    text[0] = "(2, 3, 6, 8)";
    text[1] = i == 0 ? "(2, 3, 5, 9)" : i == 1 ? "(2, 4, 5, 8)" : "(2, 5, 8)";
    return true;
}

const struct op_test oracle_attention = {
    .op = "attention",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

/* The backward operator has a fourth input, the cotangent, shaped as q. */
static struct op_case backward_at(int i)
{
    struct op_case c = cases[i];
    c.in[3] = (struct op_input){.shape = c.in[0].shape};
    return c;
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_tensor part[3], whole, gradient;
    if (!c->option[CUT_FROM_ONE]) {
        ttt_gradient_from(g, ttt_attention(g, in[0], in[1], in[2]), in[3], in, 3, out);
        return 3;
    }
    whole = join(g, in);
    cut(g, whole, part);
    ttt_gradient_from(g, ttt_attention(g, part[0], part[1], part[2]), in[3], &whole, 1, &gradient);
    cut(g, gradient, out);
    return 3;
}

/* One query's part: dq is set, dk and dv are added to. */
static void query_gradient(const double *q, const double *k, const double *v, const double *dy, int64_t keys,
                           int64_t d, double *weights, double *const *out)
{
    double mean = 0, *slopes = weights + keys;
    softmax(q, k, keys, d, weights);
    for (int64_t j = 0; j < keys; j++) {
        slopes[j] = 0;
        for (int64_t i = 0; i < d; i++)
            slopes[j] += dy[i] * v[j * d + i];
        mean += weights[j] * slopes[j];
    }
    memset(out[0], 0, (size_t)d * sizeof **out);
    for (int64_t j = 0; j < keys; j++) {
        double slope = weights[j] * (slopes[j] - mean) / sqrt((double)d);
        for (int64_t i = 0; i < d; i++) {
            out[0][i] += slope * k[j * d + i];
            out[1][j * d + i] += slope * q[i];
            out[2][j * d + i] += weights[j] * dy[i];
        }
    }
}

static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t queries = c->in[0].shape.size[2], keys = c->in[1].shape.size[2], d = c->in[0].shape.size[3];
    double *weights = check_alloc((size_t)(2 * keys), sizeof *weights);
    for (int i = 1; i < 3; i++)
        memset(out[i], 0, (size_t)op_elements(&c->in[i]) * sizeof **out);
    for (int64_t row = 0; row < op_elements(&c->in[0]) / d; row++) {
        const int64_t at_key = row / queries * keys * d;
        double *const parts[] = {out[0] + row * d, out[1] + at_key, out[2] + at_key};
        query_gradient(in[0] + row * d, in[1] + at_key, in[2] + at_key, in[3] + row * d, keys, d, weights,
                       parts);
    }
    free(weights);
}

const struct op_test oracle_attention_backward = {
    .op = "attention_backward",
    .n_cases = sizeof cases / sizeof *cases - 1, /* all but large scores */
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
};
