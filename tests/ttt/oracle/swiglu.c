/* y = rate silu(x w_gate) (x w_up), with and without its factors. */
#include "ttt/ops/swiglu/swiglu.h"

#include <math.h>

#include "tests/ttt/oracle/oracle.h"

enum reads { ALL, Y, Y_AND_GATE, Y_AND_UP };

/* option[0]: what is read, of the enum above.  Inputs: x, w_gate, w_up, rate.  "Composed": the builder takes
 * products instead, here for the heads of samples that share them. */
#define RATE .fill = POSITIVE
static const struct op_case cases[] = {
    {"one element", {{{2, {1, 1}}}, {{2, {1, 1}}}, {{2, {1, 1}}}}},
    {"odd", {{{2, {7, 5}}}, {{2, {5, 3}}}, {{2, {5, 3}}}}},
    {"y alone", {{{2, {9, 16}}}, {{2, {16, 24}}}, {{2, {16, 24}}}, {{2, {9, 1}}, RATE}}, .option = {Y}},
    {"y and gate", {{{2, {9, 16}}}, {{2, {16, 24}}}, {{2, {16, 24}}}}, .option = {Y_AND_GATE}},
    {"y and up, odd",
     {{{2, {9, 5}}}, {{2, {5, 13}}}, {{2, {5, 13}}}, {{2, {9, 1}}, RATE}},
     .option = {Y_AND_UP}},
    {"samples", {{{3, {3, 17, 16}}}, {{3, {3, 16, 40}}}, {{3, {3, 16, 40}}}, {{3, {3, 17, 1}}, RATE}}},
    {"heads",
     {{{4, {2, 3, 33, 8}}}, {{4, {2, 3, 8, 24}}}, {{4, {2, 3, 8, 24}}}, {{4, {2, 3, 33, 1}}, HEADS, RATE}}},
    {"shared by samples",
     {{{4, {2, 1, 31, 8}}}, {{4, {1, 1, 8, 24}}}, {{4, {1, 1, 8, 24}}}, {{4, {2, 1, 31, 1}}, RATE}}},
    {"shared, of fewer dimensions", {{{3, {4, 9, 8}}}, {{2, {8, 8}}}, {{2, {8, 8}}}}},
    {"heads, shared by samples: composed",
     {{{4, {2, 3, 9, 8}}}, {{4, {1, 3, 8, 16}}}, {{4, {1, 3, 8, 16}}}},
     .absent = true},
    {"strided: composed", {{{3, {2, 9, 8}}, CUT}, {{3, {2, 8, 16}}}, {{3, {2, 8, 16}}}}, .absent = true},
    {"many, y alone",
     {{{3, {3, 1000, 72}}}, {{3, {3, 72, 392}}}, {{3, {3, 72, 392}}}, {{3, {3, 1000, 1}}, RATE}},
     .option = {Y},
     .gpu_only = true},
    {"many",
     {{{4, {2, 2, 520, 136}}},
      {{4, {2, 2, 136, 264}}},
      {{4, {2, 2, 136, 264}}},
      {{4, {2, 2, 520, 1}}, HEADS, RATE}},
     .gpu_only = true},
    {"many, shared, y and up",
     {{{3, {5, 300, 64}}}, {{3, {1, 64, 520}}}, {{3, {1, 64, 520}}}},
     .option = {Y_AND_UP},
     .gpu_only = true},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    const ttt_swiglu of = ttt_swiglu_of(g, in[0], in[1], in[2], in[3]);
    const int64_t read = c->option[0];
    int count = 0;
    out[count++] = of.y;
    if (read == ALL || read == Y_AND_GATE)
        out[count++] = of.gate;
    if (read == ALL || read == Y_AND_UP)
        out[count++] = of.up;
    return count;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const ttt_shape *x = &c->in[0].shape, *w = &c->in[1].shape;
    const int64_t rows = x->size[x->rank - 2], d = x->size[x->rank - 1], m = w->size[w->rank - 1],
                  matrices = ttt_shape_elements(*x) / (rows * d), weights = ttt_shape_elements(*w) / (d * m),
                  read = c->option[0];
    double *of_gate = read == ALL || read == Y_AND_GATE ? out[1] : NULL, *of_up = read == ALL        ? out[2]
                                                                                  : read == Y_AND_UP ? out[1]
                                                                                                     : NULL;
    for (int64_t i = 0; i < matrices * rows * m; i++) {
        const int64_t row = i / m, column = i % m, from = row / rows % weights * d * m + column;
        double gate = 0, up = 0;
        for (int64_t l = 0; l < d; l++) {
            gate += in[0][row * d + l] * in[1][from + l * m];
            up += in[0][row * d + l] * in[2][from + l * m];
        }
        out[0][i] = (in[3] ? in[3][row] : 1) * gate / (1 + exp(-gate)) * up;
        if (of_gate)
            of_gate[i] = gate;
        if (of_up)
            of_up[i] = up;
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    const ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(3, 5)),
                     w = ttt_input(g, "w", TTT_F32, ttt_dims(4, 6));
    *out = ttt_swiglu_of(g, x, w, w, TTT_NONE).y;
    text[0] = "(3, 5)";
    text[1] = "(4, 6)";
    return true;
}

const struct op_test oracle_swiglu = {
    .op = "swiglu",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .cuda_only = true,
    .refused = refused,
};
