/* Cross-entropy with soft targets, and its gradient in closed form. */
#include "ttt/ops/cross_entropy/cross_entropy.h"

#include <math.h>

#include "tests/ttt/oracle/oracle.h"

/* Inputs: logits, target. */
static const struct op_case cases[] = {
    {"two classes", {{{2, {1, 2}}}, {{2, {1, 2}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"odd", {{{2, {3, 7}}}, {{2, {3, 7}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"wide logits", {{{2, {5, 10}}, CONTIGUOUS, WIDE}, {{2, {5, 10}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"large logits",
     {{{2, {2, 3}}, CONTIGUOUS, CONSTANT, 300}, {{2, {2, 3}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"vector + 1", {{{2, {16, 33}}}, {{2, {16, 33}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"fours - 1", {{{2, {5, 127}}}, {{2, {5, 127}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"fours", {{{2, {5, 128}}}, {{2, {5, 128}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"fours, one run more",
     {{{2, {5, 132}}, CONTIGUOUS, WIDE}, {{2, {5, 132}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"cut", {{{2, {4, 12}}, CUT}, {{2, {4, 12}}, CUT, POSITIVE, .fixed = true}}},
    {"1000 classes", {{{2, {9, 1000}}}, {{2, {9, 1000}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
    {"many rows", {{{2, {1025, 10}}}, {{2, {1025, 10}}, CONTIGUOUS, POSITIVE, .fixed = true}}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)c;
    out[0] = ttt_cross_entropy(g, in[0], in[1]);
    return 1;
}

static double log_sum_exp(const double *x, int64_t count)
{
    double largest = x[0], sum = 0;
    for (int64_t i = 1; i < count; i++)
        largest = fmax(largest, x[i]);
    for (int64_t i = 0; i < count; i++)
        sum += exp(x[i] - largest);
    return largest + log(sum);
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t rows = c->in[0].shape.size[0], classes = c->in[0].shape.size[1];
    out[0][0] = 0;
    for (int64_t r = 0; r < rows; r++) {
        double log_sum = log_sum_exp(in[0] + r * classes, classes);
        for (int64_t k = r * classes; k < (r + 1) * classes; k++)
            out[0][0] += in[1][k] * (log_sum - in[0][k]) / (double)rows;
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(4, 10)),
               t = ttt_input(g, "t", TTT_F32, ttt_dims(4, 9));
    *out = ttt_cross_entropy(g, x, t);
    text[0] = "(4, 10)";
    text[1] = "(4, 9)";
    return true;
}

const struct op_test oracle_cross_entropy = {
    .op = "cross_entropy",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

/* The backward operator has a third input, the cotangent of the loss. */
static struct op_case backward_at(int i)
{
    struct op_case c = cases[i];
    c.in[2] = (struct op_input){.shape = {1, {1}}};
    return c;
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)c;
    ttt_gradient_from(g, ttt_cross_entropy(g, in[0], in[1]), in[2], in, 1, out);
    return 1;
}

static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t rows = c->in[0].shape.size[0], classes = c->in[0].shape.size[1];
    for (int64_t r = 0; r < rows; r++) {
        double log_sum = log_sum_exp(in[0] + r * classes, classes), mass = 0;
        for (int64_t k = r * classes; k < (r + 1) * classes; k++)
            mass += in[1][k];
        for (int64_t k = r * classes; k < (r + 1) * classes; k++)
            out[0][k] = in[2][0] / (double)rows * (mass * exp(in[0][k] - log_sum) - in[1][k]);
    }
}

const struct op_test oracle_cross_entropy_backward = {
    .op = "cross_entropy_backward",
    .n_cases = sizeof cases / sizeof *cases,
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
};
