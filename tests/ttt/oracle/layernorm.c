/* Layer normalisation, and its gradient in closed form. */
#include "ttt/ops/layernorm/layernorm.h"

#include <math.h>
#include <string.h>

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/pointwise/pointwise.h"

/* value[0]: eps.  Inputs: x, gain, bias. */
static const struct op_case cases[] = {
    {"one row", {{{1, {8}}}, {{1, {8}}}, {{1, {8}}}}, .value = {1e-5}},
    {"rows of 2", {{{2, {5, 2}}}, {{1, {2}}}, {{1, {2}}}}, .value = {1e-2}},
    {"rows of 3, no gain", {{{2, {4, 3}}}, {{0}}, {{1, {3}}}}, .value = {1e-2}},
    {"no bias", {{{2, {7, 19}}}, {{1, {19}}}}, .value = {1e-6}},
    {"neither", {{{3, {2, 3, 33}}}}, .value = {1e-6}},
    {"far from 0", {{{2, {9, 31}}, CONTIGUOUS, OFFSET}, {{1, {31}}}, {{1, {31}}}}, .value = {1e-6}},
    {"cut", {{{3, {3, 5, 16}}, CUT}, {{1, {16}}}, {{1, {16}}}}, .value = {1e-6}},
    {"transposed", {{{2, {12, 17}}, TRANSPOSED}, {{1, {17}}}, {{1, {17}}}}, .value = {1e-6}},
    {"repeated", {{{3, {3, 4, 9}}, REPEATED}, {{1, {9}}}, {{1, {9}}}}, .value = {1e-6}},
    {"width 192", {{{3, {2, 49, 192}}}, {{1, {192}}}, {{1, {192}}}}, .value = {1e-6}},
    {"width 64", {{{2, {131, 64}}}, {{1, {64}}}, {{1, {64}}}}, .value = {1e-6}},
    {"width 200", {{{2, {67, 200}}}, {{1, {200}}}}, .value = {1e-6}},
    {"width 768", {{{2, {67, 768}}, CONTIGUOUS, OFFSET}, {{1, {768}}}, {{1, {768}}}}, .value = {1e-6}},
    {"width 768 - 1", {{{2, {9, 767}}}, {{1, {767}}}, {{1, {767}}}}, .value = {1e-6}},
    {"width 768 + 8", {{{2, {17, 776}}}, {{0}}, {{1, {776}}}}, .value = {1e-6}},
    {"width 1024 + 8", {{{2, {11, 1032}}}, {{1, {1032}}}, {{1, {1032}}}}, .value = {1e-6}},
    {"many rows", {{{2, {1030, 20}}}, {{1, {20}}}, {{1, {20}}}}, .value = {1e-6}},
};

enum { N_CASES = sizeof cases / sizeof *cases };

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_layernorm(g, in[0], in[1], in[2], (float)c->value[0]);
    return 1;
}

struct moments {
    double mean, scale; /* scale: 1 / standard deviation */
};

static struct moments moments_of(const double *x, int64_t width, double eps)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < width; i++)
        mean += x[i] / (double)width;
    for (int64_t i = 0; i < width; i++)
        variance += (x[i] - mean) * (x[i] - mean) / (double)width;
    return (struct moments){mean, 1 / sqrt(variance + (float)eps)};
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t width = c->in[0].shape.size[c->in[0].shape.rank - 1], count = op_elements(&c->in[0]);
    for (int64_t row = 0; row < count; row += width) {
        struct moments m = moments_of(in[0] + row, width, c->value[0]);
        for (int64_t i = 0; i < width; i++)
            out[0][row + i] =
                (in[0][row + i] - m.mean) * m.scale * (in[1] ? in[1][i] : 1) + (in[2] ? in[2][i] : 0);
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(2, 8)), p = ttt_input(g, "p", TTT_F32, ttt_dims(7));
    if (i > 1)
        return false;
    *out = i == 0 ? ttt_layernorm(g, x, p, TTT_NONE, 1e-6F) : ttt_layernorm(g, x, TTT_NONE, p, 1e-6F);
    text[0] = "(7)";
    text[1] = "(2, 8)";
    return true;
}

const struct op_test oracle_layernorm = {
    .op = "layernorm",
    .n_cases = N_CASES,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

/* The backward operator has a fourth input, the cotangent, shaped as x.  In half of its cases it is added to
 * the gradient that flows around the normalisation: x times a fifth input is added to y. */
static struct op_case backward_at(int i)
{
    struct op_case c = cases[i % N_CASES];
    c.in[3] = (struct op_input){.shape = c.in[0].shape};
    if (i >= N_CASES)
        c.in[4] = c.in[3];
    return c;
}

/* x factor, in another shape on the way, which keeps the planner from fusing it with what follows. */
static ttt_tensor times(ttt_graph *g, ttt_tensor x, ttt_tensor factor)
{
    const ttt_shape shape = ttt_shape_of(g, x), column = ttt_dims(ttt_shape_elements(shape), 1);
    return ttt_reshape(g, ttt_mul(g, ttt_reshape(g, x, column), ttt_reshape(g, factor, column)), shape);
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_tensor wanted[3], y = ttt_layernorm(g, in[0], in[1], in[2], (float)c->value[0]);
    int count = 0;
    if (c->in[4].shape.rank)
        y = ttt_add(g, y, times(g, in[0], in[4]));
    for (int i = 0; i < 3; i++)
        if (c->in[i].shape.rank)
            wanted[count++] = in[i];
    ttt_gradient_from(g, y, in[3], wanted, count, out);
    return count;
}

static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t width = c->in[0].shape.size[c->in[0].shape.rank - 1], count = op_elements(&c->in[0]);
    double *gain = in[1] ? out[1] : NULL, *bias = in[2] ? out[in[1] ? 2 : 1] : NULL;
    if (gain)
        memset(gain, 0, (size_t)width * sizeof *gain);
    if (bias)
        memset(bias, 0, (size_t)width * sizeof *bias);
    for (int64_t row = 0; row < count; row += width) {
        const double *x = in[0] + row, *dy = in[3] + row;
        struct moments m = moments_of(x, width, c->value[0]);
        double sum = 0, dot = 0;
        for (int64_t i = 0; i < width; i++) {
            double normal = (x[i] - m.mean) * m.scale, flow = dy[i] * (in[1] ? in[1][i] : 1);
            sum += flow / (double)width;
            dot += flow * normal / (double)width;
            if (gain)
                gain[i] += dy[i] * normal;
            if (bias)
                bias[i] += dy[i];
        }
        for (int64_t i = 0; i < width; i++) {
            double normal = (x[i] - m.mean) * m.scale, flow = dy[i] * (in[1] ? in[1][i] : 1);
            out[0][row + i] = m.scale * (flow - sum - normal * dot) + (in[4] ? dy[i] * in[4][row + i] : 0);
        }
    }
}

const struct op_test oracle_layernorm_backward = {
    .op = "layernorm_backward",
    .n_cases = 2 * N_CASES,
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
};
