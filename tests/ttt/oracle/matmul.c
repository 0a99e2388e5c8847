/* y = a b, batched and broadcast; optionally summed over batch dimensions. */
#include "ttt/ops/matmul/matmul.h"

#include <string.h>

#include "tests/ttt/oracle/oracle.h"

/* option[0]: the product is summed; option[1..2]: the batch dimensions that remain. */
static const struct op_case cases[] = {
    {"1x1x1", {{{2, {1, 1}}}, {{2, {1, 1}}}}},
    {"row by column", {{{2, {1, 37}}}, {{2, {37, 1}}}}},
    {"column by row", {{{2, {33, 1}}}, {{2, {1, 19}}}}},
    {"odd", {{{2, {5, 7}}}, {{2, {7, 3}}}}},
    {"tile - 1", {{{2, {15, 31}}}, {{2, {31, 63}}}}},
    {"tile + 1", {{{2, {17, 33}}}, {{2, {33, 65}}}}},
    {"large", {{{2, {129, 65}}}, {{2, {65, 131}}}}},
    {"many rows", {{{2, {300, 40}}}, {{2, {40, 24}}, TRANSPOSED}}},
    {"deep", {{{2, {5, 700}}}, {{2, {700, 9}}}}},
    {"sums of few", {{{2, {70, 3}}}, {{2, {3, 264}}}}},
    {"sums of few, rows in turns", {{{2, {201, 4}}}, {{2, {4, 264}}}}},
    {"sums of eight, odd", {{{2, {67, 8}}, TRANSPOSED}, {{2, {8, 35}}, TRANSPOSED}}},
    {"a transposed", {{{2, {17, 9}}, TRANSPOSED}, {{2, {9, 12}}}}},
    {"b transposed", {{{2, {17, 9}}}, {{2, {9, 12}}, TRANSPOSED}}},
    {"both transposed", {{{2, {17, 9}}, TRANSPOSED}, {{2, {9, 12}}, TRANSPOSED}}},
    {"cut columns", {{{2, {6, 10}}, CUT}, {{2, {10, 8}}, CUT}}},
    {"batch", {{{3, {3, 5, 8}}}, {{3, {3, 8, 7}}}}},
    {"batch of two dimensions", {{{4, {2, 3, 6, 32}}}, {{4, {2, 3, 32, 5}}}}},
    {"batch reversed", {{{3, {3, 5, 8}}, REVERSED}, {{3, {3, 8, 7}}, REVERSED}}},
    {"b broadcast", {{{4, {2, 3, 9, 4}}}, {{2, {4, 5}}}}},
    {"a broadcast", {{{2, {9, 4}}}, {{3, {5, 4, 6}}}}},
    {"one of two batch dimensions broadcast", {{{4, {3, 2, 9, 4}}}, {{4, {1, 2, 4, 5}}}}},
    {"both broadcast", {{{4, {3, 1, 7, 4}}}, {{4, {1, 2, 4, 5}}}}},
    {"repeated batch", {{{3, {4, 6, 5}}, REPEATED}, {{3, {4, 5, 3}}}}},
    {"many small", {{{4, {4, 6, 32, 50}}}, {{4, {4, 6, 50, 32}}}}},
    {"large, a transposed", {{{2, {64, 300}}, TRANSPOSED}, {{2, {300, 48}}}}},
    {"summed over the first", {{{4, {5, 2, 6, 9}}}, {{4, {5, 2, 9, 7}}}}, {1, 1, 2}},
    {"summed over the second", {{{4, {5, 3, 6, 9}}}, {{4, {5, 3, 9, 7}}}}, {1, 5, 1}},
    {"summed over both",
     {{{
           4,
           {3, 2, 17, 9},
       },
       TRANSPOSED},
      {{4, {3, 2, 9, 7}}}},
     {1, 1, 1}},
    {"small, b shared", {{{4, {3, 2, 20, 16}}}, {{4, {1, 2, 16, 24}}}}},
    {"small, b shared, tile + 1", {{{4, {3, 2, 65, 72}}}, {{4, {1, 2, 72, 136}}}}},
    {"small, b shared, a transposed", {{{4, {3, 2, 24, 19}}, TRANSPOSED}, {{4, {1, 2, 19, 40}}}}},
    {"small, a shared, b transposed", {{{4, {1, 3, 33, 24}}}, {{4, {2, 3, 24, 70}}, TRANSPOSED}}},
    {"small, a shared, both transposed",
     {{{4, {1, 3, 64, 24}}, TRANSPOSED}, {{4, {2, 3, 24, 70}}, TRANSPOSED}}},
    {"small, summed over the first", {{{4, {7, 2, 32, 49}}, TRANSPOSED}, {{4, {7, 2, 49, 40}}}}, {1, 1, 2}},
    {"summed, large", {{{4, {7, 2, 32, 49}}, TRANSPOSED}, {{4, {7, 2, 49, 33}}}}, {1, 1, 2}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = c->option[0] ? ttt_matmul_sum(g, in[0], in[1], ttt_dims(c->option[1], c->option[2]))
                          : ttt_matmul(g, in[0], in[1]);
    return 1;
}

/* Size of batch dimension d (0: outermost of two) of an operand of rank 2 to 4. */
static int64_t batch_size(const ttt_shape *s, int d)
{
    int at = s->rank - 4 + d;
    return at < 0 ? 1 : s->size[at];
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const ttt_shape *a = &c->in[0].shape, *b = &c->in[1].shape;
    int64_t m = a->size[a->rank - 2], k = a->size[a->rank - 1], n = b->size[b->rank - 1];
    int64_t outer_a = batch_size(a, 0), inner_a = batch_size(a, 1);
    int64_t outer_b = batch_size(b, 0), inner_b = batch_size(b, 1);
    int64_t outer = outer_a > outer_b ? outer_a : outer_b, inner = inner_a > inner_b ? inner_a : inner_b;
    int64_t outer_y = c->option[0] ? c->option[1] : outer, inner_y = c->option[0] ? c->option[2] : inner;
    memset(out[0], 0, (size_t)(outer_y * inner_y * m * n) * sizeof(double));
    for (int64_t i = 0; i < outer; i++)
        for (int64_t j = 0; j < inner; j++) {
            const double *x = in[0] + (i % outer_a * inner_a + j % inner_a) * m * k;
            const double *w = in[1] + (i % outer_b * inner_b + j % inner_b) * k * n;
            double *y = out[0] + (i % outer_y * inner_y + j % inner_y) * m * n;
            for (int64_t row = 0; row < m; row++)
                for (int64_t l = 0; l < k; l++)
                    for (int64_t column = 0; column < n; column++)
                        y[row * n + column] += x[row * k + l] * w[l * n + column];
        }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    ttt_tensor a = ttt_input(g, "a", TTT_F32, ttt_dims(2, 3, 5));
    if (i == 0)
        *out = ttt_matmul(g, a, ttt_input(g, "b", TTT_F32, ttt_dims(4, 6)));
    else if (i == 1)
        *out = ttt_matmul(g, a, ttt_input(g, "b", TTT_F32, ttt_dims(4, 5, 6)));
    else if (i == 2)
        *out = ttt_matmul_sum(g, a, ttt_input(g, "b", TTT_F32, ttt_dims(2, 5, 6)), ttt_dims(3));
    else
        return false;
    text[0] = i == 2 ? "(2)" : "(2, 3, 5)";
    text[1] = i == 0 ? "(4, 6)" : i == 1 ? "(4, 5, 6)" : "(3)";
    return true;
}

const struct op_test oracle_matmul = {
    .op = "matmul",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .any_threads = true,
    .refused = refused,
};
