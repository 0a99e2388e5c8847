/* Sums, means and norms over dimensions. */
#include <math.h>
#include <string.h>

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/reduce/reduce.h"

enum form {
    SUM,
    MEAN,
    NORM,
    SUM_TO, /* down to the shape with 1 in every summed dimension */
};

/* option[0]: the form; option[1]: the mask of summed dimensions. */
static const struct op_case cases[] = {
    {"of one element", {{{1, {1}}}}, {SUM, 1}, .absent = true},
    {"no dimension", {{{2, {3, 5}}}}, {SUM, 0}, .absent = true},
    {"all of a vector", {{{1, {1031}}}}, {SUM, 1}},
    {"long",
     {{{
           1,
           {70001},
       },
       CONTIGUOUS,
       OFFSET}},
     {SUM, 1}},
    {"rows", {{{2, {7, 33}}}}, {SUM, 2}},
    {"columns", {{{2, {33, 7}}}}, {SUM, 1}},
    {"many columns", {{{2, {3, 1025}}}}, {SUM, 1}},
    {"many rows", {{{2, {2049, 17}}}}, {SUM, 1}},
    {"middle", {{{3, {3, 19, 16}}}}, {SUM, 2}},
    {"outer and inner", {{{3, {5, 6, 7}}}}, {SUM, 5}},
    {"first two", {{{3, {5, 9, 31}}}}, {SUM, 3}},
    {"all of four", {{{4, {2, 3, 4, 5}}}}, {SUM, 15}},
    {"alternating of four", {{{4, {3, 4, 5, 6}}}}, {SUM, 10}},
    {"transposed", {{{2, {17, 40}}, TRANSPOSED}}, {SUM, 2}},
    {"transposed, columns", {{{2, {17, 40}}, TRANSPOSED}}, {SUM, 1}},
    {"cut", {{{3, {4, 5, 9}}, CUT}}, {SUM, 4}},
    {"reversed", {{{3, {4, 5, 9}}, REVERSED}}, {SUM, 5}},
    {"repeated", {{{2, {8, 5}}, REPEATED}}, {SUM, 1}},
    {"large, middle", {{{3, {9, 65, 65}}}}, {SUM, 2}},
    {"large, outer and inner", {{{3, {9, 65, 65}}}}, {SUM, 5}},
    {"large, transposed", {{{2, {257, 129}}, TRANSPOSED}}, {SUM, 2}},
    {"rows of vectors", {{{2, {70, 64}}}}, {SUM, 2}},
    {"rows of 768", {{{3, {2, 35, 768}}, CUT_FIRST}}, {SUM, 4}},
    {"long rows", {{{2, {3, 4104}}}}, {SUM, 2}},
    {"long rows in parts", {{{2, {2, 20480}}, CONTIGUOUS, OFFSET}}, {SUM, 2}},
    {"runs apart", {{{3, {9, 5, 32}}}}, {SUM, 5}},
    {"runs of heads", {{{4, {3, 2, 17, 16}}, HEADS}}, {SUM, 13}},
    {"columns of vectors", {{{2, {700, 136}}}}, {SUM, 1}},
    {"columns of heads", {{{4, {3, 4, 33, 16}}, HEADS}}, {SUM, 5}},
    {"mean of tokens", {{{3, {3, 49, 24}}}}, {MEAN, 2}},
    {"mean of everything", {{{2, {65, 129}}, CONTIGUOUS, OFFSET}}, {MEAN, 3}},
    {"norm of columns", {{{3, {2, 33, 9}}}}, {NORM, 2}},
    {"norm of rows", {{{2, {5, 64}}}}, {NORM, 2}},
    {"norm, cut", {{{2, {5, 31}}, CUT}}, {NORM, 1}},
    {"down to a vector", {{{3, {2, 9, 33}}}}, {SUM_TO, 3}},
    {"down to the same", {{{2, {4, 6}}}}, {SUM_TO, 0}, .absent = true},
    {"down to a middle", {{{4, {2, 3, 4, 5}}}}, {SUM_TO, 13}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static ttt_shape summed_shape(const struct op_case *c)
{
    ttt_shape shape = c->in[0].shape;
    for (int d = 0; d < shape.rank; d++)
        if (c->option[1] >> d & 1)
            shape.size[d] = 1;
    return shape;
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    unsigned dimensions = (unsigned)c->option[1];
    switch ((enum form)c->option[0]) {
    case SUM:
        out[0] = ttt_sum(g, in[0], dimensions);
        break;
    case MEAN:
        out[0] = ttt_mean(g, in[0], dimensions);
        break;
    case NORM:
        out[0] = ttt_norm(g, in[0], dimensions);
        break;
    case SUM_TO:
        out[0] = ttt_sum_to(g, in[0], summed_shape(c));
        break;
    }
    return 1;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const ttt_shape *x = &c->in[0].shape;
    ttt_shape y = summed_shape(c);
    int64_t n_x = ttt_shape_elements(*x), n_y = 1, index[TTT_MAX_RANK] = {0};
    for (int d = 0; d < y.rank; d++)
        n_y *= y.size[d];
    memset(out[0], 0, (size_t)n_y * sizeof(double));
    for (int64_t i = 0; i < n_x; i++) {
        int64_t to = 0;
        for (int d = 0; d < x->rank; d++)
            to = to * y.size[d] + (y.size[d] == 1 ? 0 : index[d]);
        out[0][to] += c->option[0] == NORM ? in[0][i] * in[0][i] : in[0][i];
        for (int d = x->rank - 1; d >= 0 && ++index[d] == x->size[d]; d--)
            index[d] = 0;
    }
    for (int64_t i = 0; i < n_y; i++)
        if (c->option[0] == NORM)
            out[0][i] = sqrt(out[0][i]);
        else if (c->option[0] == MEAN)
            out[0][i] /= (double)(n_x / n_y);
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    *out = ttt_sum_to(g, ttt_input(g, "x", TTT_F32, ttt_dims(3, 5)), ttt_dims(3, 2));
    text[0] = "(3, 5)";
    text[1] = "(3, 2)";
    return true;
}

const struct op_test oracle_sum = {
    .op = "sum",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .any_threads = true,
    .refused = refused,
};
