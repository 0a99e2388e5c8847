/* y = activation(x weight^T + bias) + c, of which c is an addition that the planner takes in. */
#include "ttt/ops/linear/linear.h"

#include <math.h>

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/pointwise/pointwise.h"

/* option[0]: the activation; inputs: x, weight, bias, c.  Where an activation follows long sums, the steps of
 * second differences move these too far: first gradients only. */
static const struct op_case cases[] = {
    {"1 to 1", {{{2, {1, 1}}}, {{2, {1, 1}}}, {{1, {1}}}}},
    {"1 to 1, no bias, SiLU", {{{2, {1, 1}}}, {{2, {1, 1}}}}, {TTT_SILU}},
    {"odd", {{{2, {5, 7}}}, {{2, {3, 7}}}, {{1, {3}}}}},
    {"odd, no bias", {{{3, {2, 5, 7}}}, {{2, {3, 7}}}}},
    {"GELU", {{{2, {9, 11}}}, {{2, {13, 11}}}, {{1, {13}}}}, {TTT_GELU}},
    {"GELU, no bias", {{{2, {9, 11}}}, {{2, {13, 11}}}}, {TTT_GELU}},
    {"GELU, no bias, aligned", {{{2, {9, 16}}}, {{2, {16, 16}}}}, {TTT_GELU}},
    {"SiLU", {{{2, {9, 11}}}, {{2, {13, 11}}}, {{1, {13}}}}, {TTT_SILU}},
    {"SiLU, no bias", {{{2, {9, 11}}}, {{2, {13, 11}}}}, {TTT_SILU}},
    {"one row", {{{1, {20}}}, {{2, {10, 20}}}, {{1, {10}}}}},
    {"four dimensions", {{{4, {2, 3, 4, 16}}}, {{2, {24, 16}}}, {{1, {24}}}}, {TTT_GELU}},
    {"few outputs", {{{2, {70, 264}}}, {{2, {3, 264}}}, {{1, {3}}}}},
    {"few outputs, 2 blocks", {{{2, {33, 384}}}, {{2, {3, 384}}}, {{1, {3}}}}},
    {"few outputs, 3 batches and 8", {{{2, {15, 392}}}, {{2, {5, 392}}}, {{1, {5}}}}},
    {"few outputs, 6 batches less 8", {{{2, {5, 760}}, CUT}, {{2, {8, 760}}}}},
    {"eight outputs, odd", {{{2, {17, 35}}}, {{2, {8, 35}}}}},
    {"nine outputs", {{{2, {17, 40}}}, {{2, {9, 40}}}, {{1, {9}}}}},
    {"tile - 1", {{{2, {31, 63}}}, {{2, {15, 63}}}, {{1, {15}}}}},
    {"tile + 1", {{{2, {33, 65}}}, {{2, {17, 65}}}, {{1, {17}}}}, {TTT_SILU}, .first_only = true},
    {"cut columns", {{{2, {12, 16}}, CUT}, {{2, {8, 16}}}, {{1, {8}}}}, {TTT_GELU}},
    {"cut rows of a batch", {{{3, {3, 12, 16}}, CUT_FIRST}, {{2, {8, 16}}}, {{1, {8}}}}},
    {"transposed", {{{2, {12, 16}}, TRANSPOSED}, {{2, {8, 16}}}, {{1, {8}}}}},
    {"repeated", {{{3, {3, 4, 16}}, REPEATED}, {{2, {8, 16}}}, {{1, {8}}}}},
    {"large", {{{2, {196, 96}}}, {{2, {129, 96}}}, {{1, {129}}}}, {TTT_GELU}, .first_only = true},
    {"residual", {{{2, {33, 24}}}, {{2, {40, 24}}}, {{1, {40}}}, {{2, {33, 40}}}}},
    {"residual, odd, no bias", {{{2, {5, 7}}}, {{2, {3, 7}}}, {{0}}, {{2, {5, 3}}}}},
    {"many rows, no bias",
     {{{2, {5624, 24}}, CUT_FIRST, .fixed = true}, {{2, {2296, 24}}, .fixed = true}},
     .gpu_only = true,
     .first_only = true},
    {"many rows, residual",
     {{{2, {13300, 24}}, .fixed = true},
      {{2, {1144, 24}}, .fixed = true},
      {{1, {1144}}, .fixed = true},
      {{2, {13300, 1144}}, .fixed = true}},
     .gpu_only = true,
     .first_only = true},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_linear(g, in[0], in[1], in[2], (ttt_activation)c->option[0]);
    if (c->in[3].shape.rank)
        out[0] = ttt_add(g, out[0], in[3]);
    return 1;
}

static double activate(int64_t activation, double x)
{
    switch (activation) {
    case TTT_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    case TTT_SILU:
        return x / (1 + exp(-x));
    default:
        return x;
    }
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t n_out = c->in[1].shape.size[0], n_in = c->in[1].shape.size[1];
    int64_t rows = op_elements(&c->in[0]) / n_in;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < n_out; o++) {
            double sum = in[2] ? in[2][o] : 0;
            for (int64_t i = 0; i < n_in; i++)
                sum += in[0][r * n_in + i] * in[1][o * n_in + i];
            out[0][r * n_out + o] = activate(c->option[0], sum) + (in[3] ? in[3][r * n_out + o] : 0);
        }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(4, 6));
    ttt_tensor weight = ttt_input(g, "w", TTT_F32, i == 0 ? ttt_dims(3, 5) : ttt_dims(3, 6));
    if (i > 1)
        return false;
    ttt_tensor bias = i == 0 ? TTT_NONE : ttt_input(g, "b", TTT_F32, ttt_dims(4));
    *out = ttt_linear(g, x, weight, bias, TTT_IDENTITY);
    text[0] = i == 0 ? "(4, 6)" : "(3, 6)";
    text[1] = i == 0 ? "(3, 5)" : "(4)";
    return true;
}

const struct op_test oracle_linear = {
    .op = "linear",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .refused = refused,
};
