/* Root-mean-square normalisation, and its gradient in closed form. */
#include "ttt/ops/rmsnorm/rmsnorm.h"

#include <math.h>
#include <string.h>

#include "tests/ttt/oracle/oracle.h"

/* value[0]: eps.  Inputs: x, gain. */
static const struct op_case cases[] = {
    {"one row", {{{1, {8}}}, {{1, {8}}}}, .value = {1e-5}},
    {"rows of 1", {{{2, {5, 1}}}, {{1, {1}}}}, .value = {1}},
    {"rows of 3, no gain", {{{2, {4, 3}}}}, .value = {1e-2}},
    {"eps of the type", {{{2, {7, 19}}}, {{1, {19}}}}, .value = {TTT_EPS_OF_TYPE}},
    {"far from 0", {{{2, {9, 31}}, CONTIGUOUS, OFFSET}, {{1, {31}}}}, .value = {1e-6}},
    {"cut", {{{3, {3, 5, 16}}, CUT}, {{1, {16}}}}, .value = {1e-6}},
    {"transposed", {{{2, {12, 17}}, TRANSPOSED}, {{1, {17}}}}, .value = {1e-6}},
    {"reversed", {{{4, {2, 3, 5, 4}}, REVERSED}, {{1, {4}}}}, .value = {1e-6}},
    {"repeated", {{{3, {3, 4, 9}}, REPEATED}, {{1, {9}}}}, .value = {1e-6}},
    {"width 64", {{{4, {2, 3, 50, 64}}, CUT_FIRST}, {{1, {64}}}}, .value = {TTT_EPS_OF_TYPE}},
    {"width 64, by heads", {{{4, {2, 3, 43, 64}}, HEADS}, {{1, {64}}}}, .value = {1e-6}},
    {"width 64, 65 rows", {{{2, {65, 64}}}, {{1, {64}}}}, .value = {1e-6}},
    {"width 64, 63 rows", {{{2, {63, 64}}}, {{1, {64}}}}, .value = {1e-6}},
    {"width 128", {{{3, {5, 7, 128}}}, {{1, {128}}}}, .value = {1e-6}},
    {"width 384", {{{3, {3, 11, 384}}, CUT_FIRST}, {{1, {384}}}}, .value = {1e-6}},
    {"width 768, no gain", {{{2, {35, 768}}}}, .value = {1e-5}},
    {"width 1024", {{{2, {9, 1024}}}, {{1, {1024}}}}, .value = {1e-5}},
    {"many rows", {{{2, {1030, 20}}}, {{1, {20}}}}, .value = {1e-6}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_rmsnorm(g, in[0], in[1], (float)c->value[0]);
    return 1;
}

/* 1 / the root of the mean square. */
static double scale_of(const struct op_case *c, const double *x, int64_t width)
{
    double square = 0, eps = c->value[0] < 0 ? 0x1p-23 : (float)c->value[0];
    for (int64_t i = 0; i < width; i++)
        square += x[i] * x[i] / (double)width;
    return 1 / sqrt(square + eps);
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t width = c->in[0].shape.size[c->in[0].shape.rank - 1], count = op_elements(&c->in[0]);
    for (int64_t row = 0; row < count; row += width) {
        double scale = scale_of(c, in[0] + row, width);
        for (int64_t i = 0; i < width; i++)
            out[0][row + i] = in[0][row + i] * scale * (in[1] ? in[1][i] : 1);
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(2, 8)), p = ttt_input(g, "p", TTT_F32, ttt_dims(7));
    *out = ttt_rmsnorm(g, x, p, TTT_EPS_OF_TYPE);
    text[0] = "(7)";
    text[1] = "(2, 8)";
    return true;
}

const struct op_test oracle_rmsnorm = {
    .op = "rmsnorm",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

/* The backward operator has a third input, the cotangent, shaped as x and laid out likewise. */
static struct op_case backward_at(int i)
{
    struct op_case c = cases[i];
    c.in[2] = (struct op_input){.shape = c.in[0].shape, .layout = c.in[0].layout};
    return c;
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    const int count = c->in[1].shape.rank ? 2 : 1;
    ttt_tensor y = ttt_rmsnorm(g, in[0], in[1], (float)c->value[0]);
    ttt_gradient_from(g, y, in[2], in, count, out);
    return count;
}

static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t width = c->in[0].shape.size[c->in[0].shape.rank - 1], count = op_elements(&c->in[0]);
    if (in[1])
        memset(out[1], 0, (size_t)width * sizeof **out);
    for (int64_t row = 0; row < count; row += width) {
        const double *x = in[0] + row, *dy = in[2] + row;
        double scale = scale_of(c, x, width), dot = 0;
        for (int64_t i = 0; i < width; i++) {
            dot += dy[i] * (in[1] ? in[1][i] : 1) * x[i] / (double)width;
            if (in[1])
                out[1][i] += dy[i] * x[i] * scale;
        }
        for (int64_t i = 0; i < width; i++)
            out[0][row + i] = scale * dy[i] * (in[1] ? in[1][i] : 1) - pow(scale, 3) * x[i] * dot;
    }
}

const struct op_test oracle_rmsnorm_backward = {
    .op = "rmsnorm_backward",
    .n_cases = sizeof cases / sizeof *cases,
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
};
