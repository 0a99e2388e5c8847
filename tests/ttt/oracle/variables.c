/* What writes variables: accumulation, clearing. */
#include <string.h>

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/optimiser/optimiser.h"

#define WRITTEN .variable = true, .written = true

/* Inputs: two sums, two terms.  option[0]: the sums start anew. */
static const struct op_case sum_cases[] = {
    {"anew, small", {{{1, {1}}, WRITTEN}, {{2, {3, 5}}, WRITTEN}, {{1, {1}}}, {{2, {3, 5}}}}, {1}},
    {"anew, large", {{{2, {129, 257}}, WRITTEN}, {{1, {9}}, WRITTEN}, {{2, {129, 257}}}, {{1, {9}}}}, {1}},
    {"small", {{{1, {1}}, WRITTEN}, {{2, {3, 5}}, WRITTEN}, {{1, {1}}}, {{2, {3, 5}}}}},
    {"large", {{{2, {129, 257}}, WRITTEN}, {{1, {9}}, WRITTEN}, {{2, {129, 257}}}, {{1, {9}}}}},
};

static struct op_case sum_at(int i)
{
    return sum_cases[i];
}

static int build_sum(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)out;
    if (c->option[0])
        ttt_assign(g, in, in + 2, 2);
    else
        ttt_accumulate(g, in, in + 2, 2);
    return 0;
}

static void sum(const struct op_case *c, const double *const *in, double *const *out)
{
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < op_elements(&c->in[k]); i++)
            out[k][i] = (c->option[0] ? 0 : in[k][i]) + in[k + 2][i];
}

const struct op_test oracle_accumulate = {
    .op = "accumulate",
    .n_cases = sizeof sum_cases / sizeof *sum_cases,
    .at = sum_at,
    .build = build_sum,
    .forward = sum,
    .no_gradient = true,
    .any_threads = true,
};

static const struct op_case clear_cases[] = {
    {"two", {{{1, {1}}, WRITTEN}, {{3, {3, 5, 7}}, WRITTEN}}},
    {"large", {{{2, {129, 257}}, WRITTEN}, {{1, {9}}, WRITTEN}}},
};

static struct op_case clear_at(int i)
{
    return clear_cases[i];
}

static int build_clear(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)c;
    (void)out;
    ttt_clear(g, in, 2);
    return 0;
}

static void clear(const struct op_case *c, const double *const *in, double *const *out)
{
    (void)in;
    for (int k = 0; k < 2; k++)
        memset(out[k], 0, (size_t)op_elements(&c->in[k]) * sizeof(double));
}

const struct op_test oracle_clear = {
    .op = "clear",
    .n_cases = sizeof clear_cases / sizeof *clear_cases,
    .at = clear_at,
    .build = build_clear,
    .forward = clear,
    .no_gradient = true,
    .any_threads = true,
};
