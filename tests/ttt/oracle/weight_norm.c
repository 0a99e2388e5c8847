/* Fast weights moved and brought back to a norm, and the gradient of that in closed form. */
#include "ttt/ops/weight_norm/weight_norm.h"

#include <math.h>
#include <string.h>

#include "tests/ttt/op_bf16.h"
#include "tests/ttt/oracle/oracle.h"

/* option[0]: the sign; option[1]: y is read in f32 and in bf16; value[0]: eps.  Inputs: step, w, norm.  The
 * gradient of columns of one element is the difference that eps makes: it is large there, for bf16 rounds. */
#define NORM .fill = POSITIVE, .fixed = true
static const struct op_case cases[] = {
    {"one element", {{{2, {1, 1}}}, {{2, {1, 1}}}, {{2, {1, 1}}, NORM}}, {1}, {1}},
    {"one row", {{{3, {2, 1, 8}}}, {{3, {2, 1, 8}}}, {{3, {2, 1, 8}}, NORM}}, {1}, {1}},
    {"odd", {{{3, {3, 5, 7}}}, {{3, {3, 5, 7}}}, {{3, {3, 1, 7}}, NORM}}, {1}, {1e-5}},
    {"subtracted", {{{2, {19, 24}}}, {{2, {19, 24}}}, {{2, {1, 24}}, NORM}}, {-1}, {1e-5}},
    {"shared w", {{{4, {3, 2, 9, 16}}}, {{4, {1, 2, 9, 16}}}, {{4, {1, 2, 1, 16}}, NORM}}, {1}, {1e-5}},
    {"shared w, subtracted",
     {{{4, {3, 2, 9, 16}}}, {{3, {2, 9, 16}}}, {{4, {1, 2, 1, 16}}, NORM}},
     {-1},
     {1e-5}},
    {"shared norm", {{{4, {3, 1, 9, 31}}}, {{4, {3, 1, 9, 31}}}, {{2, {1, 31}}, NORM}}, {1}, {1e-5}},
    {"large eps", {{{3, {2, 6, 8}}}, {{3, {2, 6, 8}}}, {{3, {2, 1, 8}}, NORM}}, {1}, {3}},
    {"step transposed",
     {{{3, {2, 12, 16}}, TRANSPOSED}, {{3, {1, 12, 16}}, TRANSPOSED}, {{3, {1, 1, 16}}, NORM}},
     {1},
     {1e-5}},
    {"step transposed",
     {{{3, {2, 264, 24}}, TRANSPOSED}, {{3, {1, 264, 24}}}, {{3, {1, 1, 24}}, NORM}},
     {1},
     {1e-5}},
    {"step transposed, 776 rows",
     {{{2, {776, 16}}, TRANSPOSED}, {{2, {776, 16}}}, {{2, {1, 16}}, NORM}},
     {-1},
     {1e-5}},
    {"step transposed, many",
     {{{3, {5, 16, 40}}, TRANSPOSED}, {{3, {5, 16, 40}}}, {{3, {1, 1, 40}}, NORM}},
     {1},
     {1e-5}},
    {"wide, a pass", {{{3, {3, 64, 32}}}, {{3, {1, 64, 32}}}, {{3, {1, 1, 32}}, NORM}}, {1}, {1e-5}},
    {"wide, a pass and 1", {{{3, {3, 65, 40}}}, {{3, {1, 65, 40}}}, {{3, {1, 1, 40}}, NORM}}, {1}, {1e-5}},
    {"wide, a pass less 1", {{{3, {4, 63, 24}}}, {{3, {1, 63, 24}}}, {{3, {1, 1, 24}}, NORM}}, {1}, {1e-5}},
    {"wide, 768 rows", {{{3, {3, 768, 24}}}, {{3, {1, 768, 24}}}, {{3, {1, 1, 24}}, NORM}}, {1}, {1e-5}},
    {"wide, 769 rows", {{{3, {3, 769, 16}}}, {{3, {1, 769, 16}}}, {{3, {1, 1, 16}}, NORM}}, {1}, {1e-5}},
    {"wide, 1537 rows", {{{3, {3, 1537, 8}}}, {{3, {1, 1537, 8}}}, {{3, {1, 1, 8}}, NORM}}, {1}, {1e-5}},
    {"narrow, a pass and 1",
     {{{3, {1, 257, 24}}}, {{3, {1, 257, 24}}}, {{3, {1, 1, 24}}, NORM}},
     {1},
     {1e-5}},
    {"narrow, a pass less 1", {{{3, {2, 255, 8}}}, {{3, {1, 255, 8}}}, {{3, {1, 1, 8}}, NORM}}, {1}, {1e-5}},
    {"narrow, 768 rows", {{{3, {2, 768, 24}}}, {{3, {1, 768, 24}}}, {{3, {1, 1, 24}}, NORM}}, {1}, {1e-5}},
    {"narrow, 769 rows", {{{3, {2, 769, 16}}}, {{3, {1, 769, 16}}}, {{3, {1, 1, 16}}, NORM}}, {1}, {1e-5}},
    {"narrow, 1537 rows", {{{3, {1, 1537, 8}}}, {{3, {1, 1537, 8}}}, {{3, {1, 1, 8}}, NORM}}, {1}, {1e-5}},
    {"3073 rows", {{{3, {1, 3073, 8}}}, {{3, {1, 3073, 8}}}, {{3, {1, 1, 8}}, NORM}}, {1}, {1e-5}},
    {"read in two types", {{{2, {19, 24}}}, {{2, {19, 24}}}, {{2, {1, 24}}, NORM}}, {1, 1}, {1e-5}},
    {"read in two types, odd", {{{2, {19, 23}}}, {{2, {19, 23}}}, {{2, {1, 23}}, NORM}}, {1, 1}, {1e-5}},
    {"many columns", {{{3, {2, 3, 259}}}, {{3, {1, 3, 259}}}, {{3, {1, 1, 259}}, NORM}}, {1}, {1e-5}},
    {"many matrices", {{{3, {67, 24, 16}}}, {{3, {1, 24, 16}}}, {{3, {1, 1, 16}}, NORM}}, {1}, {1e-5}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_weight_norm(g, in[1], in[0], in[2], (int)c->option[0], (float)c->value[0]);
    if (!c->option[1])
        return 1;
    ttt_tensor y = ttt_precise(g, out[0]);
    out[0] = op_from_bf16(g, y, false);
    out[1] = op_as_bf16(g, y);
    return 2;
}

/* A column of step, with what belongs to it. */
struct column {
    int64_t rows, stride;
    int64_t at, w_at, norm_at; /* of its first element, and its norm */
    double sign, eps;
};

static struct column column_of(const struct op_case *c, int64_t i)
{
    const ttt_shape *shape = &c->in[0].shape;
    const int64_t n = shape->size[shape->rank - 2], m = shape->size[shape->rank - 1], matrix = i / m;
    return (struct column){.rows = n,
                           .stride = m,
                           .at = matrix * n * m + i % m,
                           .w_at = (matrix * n * m) % op_elements(&c->in[1]) + i % m,
                           .norm_at = (matrix * m) % op_elements(&c->in[2]) + i % m,
                           .sign = (double)c->option[0],
                           .eps = (float)c->value[0]};
}

static int64_t column_count(const struct op_case *c)
{
    const ttt_shape *shape = &c->in[0].shape;
    return op_elements(&c->in[0]) / shape->size[shape->rank - 2];
}

static double moved(const struct column *c, const double *const *in, int64_t row)
{
    return in[1][c->w_at + row * c->stride] + c->sign * in[0][c->at + row * c->stride];
}

static double norm_of(const struct column *c, const double *const *in)
{
    double sum = 0;
    for (int64_t row = 0; row < c->rows; row++)
        sum += pow(moved(c, in, row), 2);
    return sqrt(sum);
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    for (int64_t i = 0; i < column_count(c); i++) {
        const struct column column = column_of(c, i);
        const double divisor = norm_of(&column, in) + column.eps;
        for (int64_t row = 0; row < column.rows; row++)
            out[0][column.at + row * column.stride] =
                moved(&column, in, row) / divisor * in[2][column.norm_at];
    }
    if (c->option[1])
        memcpy(out[1], out[0], (size_t)op_elements(&c->in[0]) * sizeof *out[1]);
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    static const ttt_shape w[] = {{3, {3, 4, 8}}, {3, {1, 4, 7}}, {3, {1, 4, 8}}, {1, {8}}};
    static const ttt_shape norm[] = {{3, {1, 1, 8}}, {3, {1, 1, 8}}, {3, {1, 4, 8}}, {3, {1, 1, 8}}};
    static const char *const said[][2] = {{"(3, 4, 8)", "(2, 4, 8)"},
                                          {"(1, 4, 7)", "(2, 4, 8)"},
                                          {"(1, 4, 8)", "(2, 4, 8)"},
                                          {"(8)", "(2, 4, 8)"}};
    if (i >= (int)(sizeof w / sizeof *w))
        return false;
    ttt_tensor step = ttt_input(g, "step", TTT_F32, ttt_dims(2, 4, 8));
    *out = ttt_weight_norm(g, ttt_input(g, "w", TTT_F32, w[i]), step, ttt_input(g, "norm", TTT_F32, norm[i]),
                           1, 1);
    text[0] = said[i][0];
    text[1] = said[i][1];
    return true;
}

const struct op_test oracle_weight_norm = {
    .op = "weight_norm",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

/* The backward operator has a fourth input, the cotangent, and one case more: where the norm is 0. */
static struct op_case backward_at(int i)
{
    struct op_case c = cases[i % oracle_weight_norm.n_cases];
    if (i == oracle_weight_norm.n_cases) {
        c.name = "zeros";
        c.in[0].fill = c.in[1].fill = CONSTANT;
    }
    c.in[3] = (struct op_input){.shape = c.in[0].shape, .layout = c.in[0].layout};
    return c;
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_tensor y = ttt_weight_norm(g, in[1], in[0], in[2], (int)c->option[0], (float)c->value[0]);
    ttt_gradient_from(g, y, in[3], in, 2, out);
    return 2;
}

static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    memset(out[1], 0, (size_t)op_elements(&c->in[1]) * sizeof **out);
    for (int64_t i = 0; i < column_count(c); i++) {
        const struct column column = column_of(c, i);
        const double norm = norm_of(&column, in), divisor = norm + column.eps, target = in[2][column.norm_at];
        double dot = 0;
        for (int64_t row = 0; row < column.rows; row++)
            dot += moved(&column, in, row) * in[3][column.at + row * column.stride] * target;
        for (int64_t row = 0; row < column.rows; row++) {
            const double dy = in[3][column.at + row * column.stride], v = moved(&column, in, row);
            const double dv = dy * target / divisor - (norm > 0 ? v * dot / (norm * divisor * divisor) : 0);
            out[0][column.at + row * column.stride] = column.sign * dv;
            out[1][column.w_at + row * column.stride] += dv;
        }
    }
}

const struct op_test oracle_weight_norm_backward = {
    .op = "weight_norm_backward",
    .n_cases = sizeof cases / sizeof *cases + 1,
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
};
