/* Copies, joins and constants. */
#include "ttt/ops/copy/copy.h"

#include <string.h>

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/fill/fill.h"

static const struct op_case copy_cases[] = {
    {"one element", {{{1, {1}}}}},
    {"contiguous", {{{2, {5, 7}}}}},
    {"transposed", {{{2, {33, 17}}, TRANSPOSED}}},
    {"transposed, batch", {{{3, {3, 33, 17}}, TRANSPOSED}}},
    {"reversed", {{{4, {3, 5, 2, 9}}, REVERSED}}},
    {"cut", {{{3, {3, 5, 9}}, CUT}}},
    {"repeated", {{{3, {4, 5, 3}}, REPEATED}}},
    {"six dimensions", {{{6, {2, 3, 1, 4, 2, 3}}, REVERSED}}},
    {"large", {{{2, {257, 129}}, TRANSPOSED}}},
    {"vectors", {{{2, {33, 64}}}}},
    {"heads", {{{4, {2, 3, 5, 16}}, HEADS}}},
    {"heads, half a vector", {{{4, {2, 3, 5, 12}}, HEADS}}},
    {"repeated vectors", {{{3, {4, 3, 16}}, REPEATED}}},
    {"tiles", {{{3, {2, 128, 64}}, TRANSPOSED}}},
    {"tile - 1, tile + 1", {{{2, {63, 65}}, TRANSPOSED}}},
    {"tile in six dimensions", {{{6, {17, 3, 1, 2, 2, 18}}, REVERSED}}},
};

static struct op_case copy_at(int i)
{
    return copy_cases[i];
}

static int build_copy(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)c;
    out[0] = ttt_copy(g, in[0]);
    return 1;
}

static void copy(const struct op_case *c, const double *const *in, double *const *out)
{
    memcpy(out[0], in[0], (size_t)op_elements(&c->in[0]) * sizeof(double));
}

const struct op_test oracle_copy = {
    .op = "copy",
    .n_cases = sizeof copy_cases / sizeof *copy_cases,
    .at = copy_at,
    .build = build_copy,
    .forward = copy,
    .second_order = true,
    .any_threads = true,
};

/* option: number of parts, dimension. */
static const struct op_case concat_cases[] = {
    {"one part", {{{2, {3, 4}}}}, {1, 0}},
    {"first dimension", {{{2, {1, 7}}}, {{2, {5, 7}}}}, {2, 0}},
    {"last dimension", {{{2, {5, 1}}}, {{2, {5, 7}}}, {{2, {5, 9}}}}, {3, -1}},
    {"middle", {{{3, {3, 2, 5}}}, {{3, {3, 1, 5}}}, {{3, {3, 4, 5}}}}, {3, 1}},
    {"strided parts", {{{3, {3, 2, 5}}, CUT}, {{3, {3, 2, 6}}, TRANSPOSED}}, {2, 2}},
    {"repeated part", {{{3, {3, 2, 5}}, REPEATED}, {{3, {1, 2, 5}}, REVERSED}}, {2, 0}},
    {"large", {{{3, {5, 49, 32}}}, {{3, {5, 49, 33}}}}, {2, -1}},
    {"vectors", {{{3, {2, 5, 16}}}, {{3, {2, 5, 8}}}, {{3, {2, 5, 40}}, CUT}}, {3, -1}},
    {"heads", {{{3, {5, 3, 16}}, HEADS}, {{3, {5, 2, 16}}, HEADS}}, {2, 1}},
    {"transposed among others", {{{2, {7, 40}}}, {{2, {20, 40}}, TRANSPOSED}, {{2, {3, 40}}}}, {3, 0}},
    {"scalars",
     {{{2, {3, 1}}}, {{2, {3, 1}}}, {{2, {3, 1}}, REPEATED}, {{2, {3, 1}}}, {{2, {3, 1}}}, {{2, {3, 1}}}},
     {6, 1}},
};

static struct op_case concat_at(int i)
{
    return concat_cases[i];
}

static int build_concat(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_concat(g, in, (int)c->option[0], (int)c->option[1]);
    return 1;
}

static void concat(const struct op_case *c, const double *const *in, double *const *out)
{
    int rank = c->in[0].shape.rank, dimension = (int)(c->option[1] + rank) % rank;
    int64_t outer = 1, total = 0, offset = 0;
    for (int d = 0; d < dimension; d++)
        outer *= c->in[0].shape.size[d];
    for (int k = 0; k < c->option[0]; k++)
        total += op_elements(&c->in[k]) / outer;
    for (int k = 0; k < c->option[0]; k++) {
        int64_t run = op_elements(&c->in[k]) / outer;
        for (int64_t i = 0; i < outer; i++)
            memcpy(out[0] + i * total + offset, in[k] + i * run, (size_t)run * sizeof(double));
        offset += run;
    }
}

static bool refuse_concat(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    ttt_tensor parts[] = {ttt_input(g, "a", TTT_F32, ttt_dims(3, 5)),
                          ttt_input(g, "b", TTT_F32, ttt_dims(4, 5))};
    *out = ttt_concat(g, parts, 2, 1);
    text[0] = "(3, 5)";
    text[1] = "(4, 5)";
    return true;
}

const struct op_test oracle_concat = {
    .op = "concat",
    .n_cases = sizeof concat_cases / sizeof *concat_cases,
    .at = concat_at,
    .build = build_concat,
    .forward = concat,
    .second_order = true,
    .any_threads = true,
    .refused = refuse_concat,
};

/* option: two sizes; value[0]: the constant. */
static const struct op_case fill_cases[] = {
    {"one element", .option = {1, 1}, .value = {0.75}},
    {"zeros", .option = {7, 33}, .value = {0}},
    {"large", .option = {129, 257}, .value = {-1e-3}},
    {"sixteen bytes", .option = {2, 4}, .value = {3}},
    {"blocks of sixteen bytes", .option = {96, 1024}, .value = {3}},
};

static struct op_case fill_at(int i)
{
    return fill_cases[i];
}

static int build_fill(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    (void)in;
    out[0] = ttt_fill(g, ttt_dims(c->option[0], c->option[1]), (float)c->value[0]);
    return 1;
}

static void fill(const struct op_case *c, const double *const *in, double *const *out)
{
    (void)in;
    for (int64_t i = 0; i < c->option[0] * c->option[1]; i++)
        out[0][i] = c->value[0];
}

const struct op_test oracle_fill = {
    .op = "fill",
    .n_cases = sizeof fill_cases / sizeof *fill_cases,
    .at = fill_at,
    .build = build_fill,
    .forward = fill,
    .no_gradient = true,
    .any_threads = true,
};
