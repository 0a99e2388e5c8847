/* y = a a^T, or alpha (a b^T + b a^T); also of a symmetric a, and with a multiple of c added. */
#include "ttt/ops/symmetric/symmetric.h"

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/pointwise/pointwise.h"

/* value[0]: alpha; in[1] is b, in[2] is c, which is added times value[1]; value[2]: the shift; option[0]: a
 * is made symmetric, as a + a^T, for the operator to know; option[1]: so is c. */
static const struct op_case cases[] = {
    {"1x1", {{{2, {1, 1}}}}, .value = {1}},
    {"one row", {{{2, {1, 37}}}}, .value = {1}},
    {"one column", {{{2, {19, 1}}}}, .value = {1}},
    {"odd", {{{2, {7, 5}}}}, .value = {1}},
    {"tile - 1", {{{2, {63, 31}}}}, .value = {1}},
    {"tile", {{{2, {64, 64}}}}, .value = {1}},
    {"tile + 1", {{{2, {65, 33}}}}, .value = {1}},
    {"large", {{{2, {200, 40}}}}, .value = {1}},
    {"block + 1, deep", {{{2, {193, 193}}}}, .value = {1}},
    {"scaled and added", {{{2, {33, 17}}}, {{0}}, {{2, {33, 33}}}}, .value = {0.75, -1.5, 2}},
    {"batch", {{{3, {3, 40, 24}}}, {{0}}, {{3, {3, 40, 40}}}}, .value = {1, 2}},
    {"batch of two dimensions, transposed", {{{4, {2, 3, 16, 9}}, TRANSPOSED}}, .value = {1}},
    {"symmetric", {{{3, {2, 24, 24}}}}, .option = {1}, .value = {1, 0, 3}},
    {"two, odd", {{{2, {9, 13}}}, {{2, {9, 13}}}}, .value = {0.5}},
    {"two, tile - 1", {{{2, {63, 16}}}, {{2, {63, 16}}}}, .value = {1}},
    {"two, tile + 1", {{{2, {65, 16}}}, {{2, {65, 16}}}}, .value = {2}},
    {"two, added", {{{3, {2, 72, 40}}}, {{3, {2, 72, 40}}}, {{3, {2, 72, 72}}}}, .value = {1, 0.5}},
    {"two, deep, added", {{{2, {50, 200}}}, {{2, {50, 200}}}, {{2, {50, 50}}}}, .value = {0.25, -1}},
    {"two, large", {{{2, {130, 24}}}, {{2, {130, 24}}, TRANSPOSED}}, .value = {1}},
    {"many", {{{3, {48, 240, 72}}}}, .value = {1}, .gpu_only = true},
    {"many, large",
     {{{3, {16, 448, 24}}}, {{0}}, {{3, {16, 448, 448}}}},
     .option = {0, 1},
     .value = {0.75, -1.5, 2},
     .gpu_only = true},
    {"many, two",
     {{{3, {16, 448, 16}}}, {{3, {16, 448, 16}}}, {{3, {16, 448, 448}}}},
     .option = {0, 1},
     .value = {1, 0.5},
     .gpu_only = true},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    const float alpha = (float)c->value[0];
    ttt_tensor a = in[0];
    if (c->option[0])
        a = ttt_symmetric(g, ttt_add(g, a, ttt_transpose(g, a, -1, -2)));
    out[0] = c->in[1].shape.rank ? ttt_syr2k(g, alpha, a, in[1]) : ttt_syrk(g, a, (float)c->value[2]);
    if (!c->in[1].shape.rank && alpha != 1)
        out[0] = ttt_scale(g, out[0], alpha);
    ttt_tensor added = in[2];
    if (c->option[1])
        added = ttt_symmetric(g, ttt_add(g, added, ttt_transpose(g, added, -1, -2)));
    if (c->in[2].shape.rank)
        out[0] = ttt_add(g, out[0], ttt_scale(g, added, (float)c->value[1]));
    return 1;
}

static double element(bool symmetric, const double *a, int64_t k, int64_t i, int64_t j)
{
    return symmetric ? a[i * k + j] + a[j * k + i] : a[i * k + j];
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const ttt_shape *shape = &c->in[0].shape;
    const int64_t n = shape->size[shape->rank - 2], k = shape->size[shape->rank - 1],
                  batches = ttt_shape_elements(*shape) / (n * k);
    for (int64_t batch = 0; batch < batches; batch++) {
        const double *a = in[0] + batch * n * k, *b = in[1] ? in[1] + batch * n * k : NULL;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = i == j ? c->value[2] : 0;
                for (int64_t l = 0; l < k; l++)
                    sum += b ? a[i * k + l] * b[j * k + l] + b[i * k + l] * a[j * k + l]
                             : element(c->option[0], a, k, i, l) * element(c->option[0], a, k, j, l);
                const int64_t at = (batch * n + i) * n + j;
                const double added = in[2] ? element(c->option[1], in[2] + batch * n * n, n, i, j) : 0;
                out[0][at] = c->value[0] * sum + c->value[1] * added;
            }
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 1)
        return false;
    ttt_tensor a = ttt_input(g, "a", TTT_F32, i ? ttt_dims(3, 5) : ttt_dims(5));
    *out = i ? ttt_syr2k(g, 1, a, ttt_input(g, "b", TTT_F32, ttt_dims(3, 4))) : ttt_syrk(g, a, 0);
    text[0] = i ? "(3, 5)" : "(5)";
    text[1] = i ? "(3, 4)" : "matrix";
    return true;
}

const struct op_test oracle_symmetric = {
    .op = "symmetric",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .any_threads = true,
    .refused = refused,
};
