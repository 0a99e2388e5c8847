/* d^T x and the sum of d's rows. */
#include <string.h>

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/linear/linear_rows.h"

/* Inputs: d, x; option[0]: only the first or second output is wanted, 1 or 2. */
static const struct op_case cases[] = {
    {"one row", {{{2, {1, 7}}}, {{2, {1, 5}}}}},
    {"1 by 1", {{{2, {9, 1}}}, {{2, {9, 1}}}}},
    {"odd", {{{2, {5, 7}}}, {{2, {5, 3}}}}},
    {"few outputs", {{{2, {530, 3}}}, {{2, {530, 264}}}}},
    {"eight outputs, odd", {{{2, {67, 8}}}, {{2, {67, 35}}}}},
    {"few outputs, cut", {{{2, {70, 4}}, CUT}, {{2, {70, 16}}, CUT}}},
    {"few outputs, weight alone", {{{2, {70, 5}}}, {{2, {70, 16}}}}, {1}},
    {"tile - 1", {{{2, {31, 15}}}, {{2, {31, 63}}}}},
    {"tile + 1", {{{2, {33, 17}}}, {{2, {33, 65}}}}},
    {"deep, sums far from 0", {{{2, {900, 70}}, CONTIGUOUS, OFFSET}, {{2, {900, 9}}}}},
    {"deep, aligned", {{{2, {300, 24}}}, {{2, {300, 16}}}}},
    {"wide", {{{2, {21, 205}}}, {{2, {21, 200}}}}},
    {"cut columns", {{{2, {12, 16}}, CUT}, {{2, {12, 8}}, CUT}}},
    {"transposed", {{{2, {12, 16}}, TRANSPOSED}, {{2, {12, 8}}, TRANSPOSED}}},
    {"repeated", {{{2, {12, 16}}, REPEATED}, {{2, {12, 8}}}}},
    {"weight alone", {{{2, {13, 6}}}, {{2, {13, 4}}}}, {1}},
    {"bias alone", {{{2, {13, 6}}}, {{2, {13, 4}}, .fixed = true}}, {2}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_weight_gradient(g, in[0], in[1], &out[0], &out[1]);
    if (c->option[0] == 2)
        out[0] = out[1];
    return c->option[0] ? 1 : 2;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t rows = c->in[0].shape.size[0], n_out = c->in[0].shape.size[1], n_in = c->in[1].shape.size[1];
    double *weight = c->option[0] == 2 ? NULL : out[0];
    double *bias = c->option[0] == 1 ? NULL : c->option[0] == 2 ? out[0] : out[1];
    for (int64_t o = 0; o < n_out; o++)
        for (int64_t i = 0; i < n_in && weight; i++) {
            double sum = 0;
            for (int64_t r = 0; r < rows; r++)
                sum += in[0][r * n_out + o] * in[1][r * n_in + i];
            weight[o * n_in + i] = sum;
        }
    if (bias)
        memset(bias, 0, (size_t)n_out * sizeof *bias);
    for (int64_t r = 0; r < rows && bias; r++)
        for (int64_t o = 0; o < n_out; o++)
            bias[o] += in[0][r * n_out + o];
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    ttt_tensor d = ttt_input(g, "d", TTT_F32, ttt_dims(4, 6)), x = ttt_input(g, "x", TTT_F32, ttt_dims(5, 3));
    ttt_tensor bias;
    if (i > 0)
        return false;
    ttt_weight_gradient(g, d, x, out, &bias);
    text[0] = "(4, 6)";
    text[1] = "(5, 3)";
    return true;
}

const struct op_test oracle_weight_gradient = {
    .op = "weight_gradient",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .any_threads = true,
    .refused = refused,
};
