/* y = a b + c d, batched. */
#include "ttt/ops/matmul_pair/matmul_pair.h"

#include "tests/ttt/oracle/oracle.h"

static const struct op_case cases[] = {
    {"large", {{{2, {129, 65}}}, {{2, {65, 131}}}, {{2, {129, 65}}}, {{2, {65, 131}}}}},
    {"two depths", {{{2, {72, 40}}}, {{2, {40, 88}}}, {{2, {72, 264}}}, {{2, {264, 88}}}}},
    {"transposed",
     {{{2, {80, 24}}, TRANSPOSED}, {{2, {24, 96}}}, {{2, {80, 24}}}, {{2, {24, 96}}, TRANSPOSED}}},
    {"batch, large", {{{3, {3, 136, 72}}}, {{3, {3, 72, 152}}}, {{3, {3, 136, 72}}}, {{3, {3, 72, 152}}}}},
    {"many",
     {{{3, {16, 248, 72}}}, {{3, {16, 72, 760}}}, {{3, {16, 248, 72}}}, {{3, {16, 72, 760}}}},
     .gpu_only = true},
    {"many rows, narrow",
     {{{2, {16000, 136}}}, {{2, {136, 120}}}, {{2, {16000, 136}}}, {{2, {136, 120}}}},
     .gpu_only = true},
    {"many, of wider rows",
     {{{3, {16, 248, 72}}, CUT}, {{3, {16, 72, 504}}, CUT}, {{3, {16, 248, 72}}}, {{3, {16, 72, 504}}}},
     .gpu_only = true},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)c;
    out[0] = ttt_matmul_pair(g, in[0], in[1], in[2], in[3]);
    return 1;
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const ttt_shape *a = &c->in[0].shape, *b = &c->in[1].shape;
    const int64_t m = a->size[a->rank - 2], n = b->size[b->rank - 1],
                  batches = ttt_shape_elements(*a) / (m * a->size[a->rank - 1]);
    for (int64_t i = 0; i < batches * m * n; i++)
        out[0][i] = 0;
    for (int p = 0; p < 2; p++) {
        const ttt_shape *left = &c->in[2 * p].shape;
        const int64_t k = left->size[left->rank - 1];
        for (int64_t row = 0; row < batches * m; row++)
            for (int64_t l = 0; l < k; l++)
                for (int64_t column = 0; column < n; column++)
                    out[0][row * n + column] +=
                        in[2 * p][row * k + l] * in[2 * p + 1][(row / m * k + l) * n + column];
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    const ttt_tensor a = ttt_input(g, "a", TTT_F32, ttt_dims(3, 5)),
                     b = ttt_input(g, "b", TTT_F32, ttt_dims(5, 4)),
                     c = ttt_input(g, "c", TTT_F32, ttt_dims(2, 5));
    if (i > 0)
        return false;
    *out = ttt_matmul_pair(g, a, b, c, b);
    text[0] = "(3, 4)";
    text[1] = "(2, 4)";
    return true;
}

const struct op_test oracle_matmul_pair = {
    .op = "matmul_pair",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .no_gradient = true,
    .cuda_only = true,
    .refused = refused,
};
