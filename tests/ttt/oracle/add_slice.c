/* A slice added in its place. */
#include "ttt/ops/add_slice/add_slice.h"

#include "tests/ttt/oracle/oracle.h"

/* option: dimension, start.  Inputs: a, b. */
static const struct op_case cases[] = {
    {"one element", {{{1, {1}}}, {{1, {1}}}}, {0, 0}},
    {"all of it", {{{2, {3, 5}}}, {{2, {3, 5}}}}, {1, 0}},
    {"rows in the middle", {{{3, {2, 7, 5}}}, {{3, {2, 3, 5}}}}, {1, 2}},
    {"columns", {{{2, {9, 17}}}, {{2, {9, 4}}}}, {-1, 13}},
    {"first tokens", {{{3, {3, 32, 24}}}, {{3, {3, 8, 24}}}}, {1, 0}},
    {"last tokens", {{{3, {3, 33, 8}}}, {{3, {3, 9, 8}}}}, {1, 24}},
    {"by 8 columns", {{{2, {19, 40}}}, {{2, {19, 16}}}}, {1, 8}},
    {"views", {{{3, {4, 6, 8}}, TRANSPOSED}, {{3, {4, 2, 8}}, CUT}}, {1, 3}},
    {"large", {{{3, {2, 700, 16}}}, {{3, {2, 300, 16}}}}, {1, 200}},
    {"large and odd", {{{3, {2, 701, 15}}}, {{3, {2, 333, 15}}}}, {1, 200}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_add_slice(g, in[0], in[1], (int)c->option[0], c->option[1]);
    return 1;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const ttt_shape a = c->in[0].shape, b = c->in[1].shape;
    const int dimension = (int)c->option[0] < 0 ? (int)c->option[0] + a.rank : (int)c->option[0];
    int64_t after = 1;
    for (int d = dimension + 1; d < a.rank; d++)
        after *= a.size[d];
    for (int64_t i = 0; i < op_elements(&c->in[0]); i++) {
        const int64_t before = i / (after * a.size[dimension]), at = i / after % a.size[dimension];
        const int64_t from = at - c->option[1];
        out[0][i] = in[0][i];
        if (from >= 0 && from < b.size[dimension])
            out[0][i] += in[1][(before * b.size[dimension] + from) * after + i % after];
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    static const ttt_shape parts[] = {{2, {2, 3}}, {2, {3, 2}}};
    static const char *const texts[] = {"(2, 3)", "(3, 2)"};
    if (i >= 2)
        return false;
    ttt_tensor a = ttt_input(g, "a", TTT_F32, ttt_dims(2, 4)), b = ttt_input(g, "b", TTT_F32, parts[i]);
    *out = ttt_add_slice(g, a, b, 1, 2);
    text[0] = texts[i];
    text[1] = "(2, 4)";
    return true;
}

const struct op_test oracle_add_slice = {
    .op = "add_slice",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};
