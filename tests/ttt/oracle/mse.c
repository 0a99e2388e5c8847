/* Mean squared error. */
#include "ttt/ops/mse/mse.h"

#include "tests/ttt/oracle/oracle.h"

/* Inputs: x, target. */
static const struct op_case cases[] = {
    {"one element", {{{1, {1}}}, {{1, {1}}}}},
    {"odd", {{{3, {3, 5, 7}}}, {{3, {3, 5, 7}}}}},
    {"fixed target", {{{2, {4, 9}}, CONTIGUOUS, WIDE}, {{2, {4, 9}}, .fixed = true}}},
    {"cut and transposed", {{{2, {6, 10}}, CUT}, {{2, {6, 10}}, TRANSPOSED}}},
    {"chunk", {{{1, {1024}}}, {{1, {1024}}}}},
    {"chunk + 1", {{{2, {5, 205}}}, {{2, {5, 205}}}}},
    {"many chunks", {{{3, {3, 101, 97}}, CONTIGUOUS, OFFSET}, {{3, {3, 101, 97}}}}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)c;
    out[0] = ttt_mse(g, in[0], in[1]);
    return 1;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t count = op_elements(&c->in[0]);
    out[0][0] = 0;
    for (int64_t i = 0; i < count; i++)
        out[0][0] += (in[0][i] - in[1][i]) * (in[0][i] - in[1][i]) / (double)count;
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    *out = ttt_mse(g, ttt_input(g, "x", TTT_F32, ttt_dims(2, 8)), ttt_input(g, "t", TTT_F32, ttt_dims(8, 2)));
    text[0] = "(2, 8)";
    text[1] = "(8, 2)";
    return true;
}

const struct op_test oracle_mse = {
    .op = "mse",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .any_threads = true,
    .refused = refused,
};
