/* Stochastic depth factors, drawn as the header says. */
#include "ttt/ops/drop_path/drop_path.h"

#include "tests/ttt/oracle/oracle.h"
#include "ttt/base/random.h"

/* option: batch, rank, seed, layer; value[0]: the rate.  Input: the step. */
static const struct op_case cases[] = {
    {"one sample", {{{1, {1}}, CONTIGUOUS, CONSTANT, 0, .dtype = TTT_I32}}, {1, 4, 0, 0}, {0.5}},
    {"rate 0", {{{1, {1}}, CONTIGUOUS, CONSTANT, 3, .dtype = TTT_I32}}, {9, 3, 1, 2}, {0}},
    {"rate 0.1", {{{1, {1}}, CONTIGUOUS, CONSTANT, 70000, .dtype = TTT_I32}}, {129, 4, 7, 11}, {0.1}},
    {"rate 0.9", {{{1, {1}}, CONTIGUOUS, CONSTANT, 5, .dtype = TTT_I32}}, {65, 2, 123456789, 1}, {0.9}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_drop_path(g, in[0], c->option[0], (int)c->option[1], (float)c->value[0],
                           (uint64_t)c->option[2], (uint32_t)c->option[3]);
    return 1;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    double rate = (float)c->value[0];
    ttt_random random = ttt_random_start((uint64_t)c->option[2], TTT_RANDOM_DROP_PATH, (uint64_t)in[0][0],
                                         (uint32_t)c->option[3]);
    for (int64_t i = 0; i < c->option[0]; i++)
        out[0][i] = ttt_random_uniform(&random) < rate ? 0 : 1 / (1 - rate);
}

const struct op_test oracle_drop_path = {
    .op = "drop_path",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .no_gradient = true,
    .any_threads = true,
};
