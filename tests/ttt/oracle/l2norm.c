/* Division by the L2 norm of the last dimensions, and its gradient in closed form. */
#include "ttt/ops/l2norm/l2norm.h"

#include <math.h>

#include "tests/ttt/oracle/oracle.h"

/* option[0]: how many dimensions the norm is over; value[0]: eps.  Input: x.  The gradient of single elements
 * is the difference that eps makes: it is large there, for bf16 rounds. */
static const struct op_case cases[] = {
    {"one element", {{{1, {1}}}}, {1}, {1}},
    {"a row", {{{1, {37}}}}, {1}, {1e-5}},
    {"rows of 1", {{{2, {5, 1}}}}, {1}, {1}},
    {"rows", {{{3, {2, 9, 24}}}}, {1}, {1e-7}},
    {"rows, cut", {{{2, {6, 31}}, CUT}}, {1}, {1e-7}},
    {"a matrix", {{{2, {3, 5}}}}, {2}, {1e-7}},
    {"matrices", {{{4, {2, 3, 8, 16}}}}, {2}, {1e-7}},
    {"matrices, large eps", {{{3, {3, 7, 11}}, CONTIGUOUS, WIDE}}, {2}, {3}},
    {"matrices, transposed", {{{3, {3, 9, 16}}, TRANSPOSED}}, {2}, {1e-7}},
    {"matrices, repeated", {{{3, {3, 9, 16}}, REPEATED}}, {2}, {1e-7}},
    {"all of three", {{{3, {3, 4, 5}}}}, {3}, {1e-7}},
    {"a part", {{{3, {2, 64, 128}}}}, {2}, {1e-7}},
    {"a part and 8", {{{2, {2, 8200}}, CONTIGUOUS, OFFSET}}, {1}, {1e-7}},
    {"a part less 1", {{{2, {3, 8191}}}}, {1}, {1e-7}},
    {"parts", {{{3, {2, 192, 176}}}}, {2}, {1e-7}},
    {"parts, odd", {{{3, {2, 131, 129}}}}, {2}, {1e-7}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_l2norm(g, in[0], (int)c->option[0], (float)c->value[0]);
    return 1;
}

static int64_t length_of(const struct op_case *c)
{
    const ttt_shape *shape = &c->in[0].shape;
    int64_t length = 1;
    for (int i = 0; i < (int)c->option[0]; i++)
        length *= shape->size[shape->rank - 1 - i];
    return length;
}

static double product_of(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const int64_t n = length_of(c), count = op_elements(&c->in[0]);
    for (int64_t start = 0; start < count; start += n) {
        const double norm = sqrt(product_of(in[0] + start, in[0] + start, n));
        for (int64_t i = start; i < start + n; i++)
            out[0][i] = in[0][i] / (norm + (float)c->value[0]);
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    *out = ttt_l2norm(g, ttt_input(g, "x", TTT_F32, ttt_dims(7)), 2, 1);
    text[0] = "(7)";
    text[1] = "2";
    return true;
}

const struct op_test oracle_l2norm = {
    .op = "l2norm",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

/* The backward operator has a second input, the cotangent, and one case more: where the norm is 0. */
static struct op_case backward_at(int i)
{
    struct op_case c = i < oracle_l2norm.n_cases ? cases[i] : cases[oracle_l2norm.n_cases - 1];
    if (i == oracle_l2norm.n_cases) {
        c.name = "zeros";
        c.in[0].fill = CONSTANT;
    }
    c.in[1] = (struct op_input){.shape = c.in[0].shape, .layout = c.in[0].layout};
    return c;
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_tensor y = ttt_l2norm(g, in[0], (int)c->option[0], (float)c->value[0]);
    ttt_gradient_from(g, y, in[1], in, 1, out);
    return 1;
}

static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    const int64_t n = length_of(c), count = op_elements(&c->in[0]);
    for (int64_t start = 0; start < count; start += n) {
        const double *x = in[0] + start, *dy = in[1] + start, norm = sqrt(product_of(x, x, n));
        const double divisor = norm + (float)c->value[0], dot = product_of(x, dy, n);
        for (int64_t i = 0; i < n; i++)
            out[0][start + i] = dy[i] / divisor - (norm > 0 ? x[i] * dot / (norm * divisor * divisor) : 0);
    }
}

const struct op_test oracle_l2norm_backward = {
    .op = "l2norm_backward",
    .n_cases = sizeof cases / sizeof *cases + 1,
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
};
