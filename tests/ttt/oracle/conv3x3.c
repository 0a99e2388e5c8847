/* Depthwise 3x3 convolution, and the gradient of its kernel. */
#include "ttt/ops/conv3x3/conv3x3.h"

#include <string.h>

#include "tests/ttt/oracle/oracle.h"

/* Inputs: x, kernel, bias; option[0]: x is added. */
static const struct op_case cases[] = {
    {"one pixel", {{{4, {1, 1, 1, 1}}}, {{3, {1, 3, 3}}}, {{1, {1}}}}},
    {"one pixel, per sample", {{{4, {2, 1, 1, 3}}}, {{4, {2, 3, 3, 3}}}}},
    {"one row", {{{4, {1, 1, 9, 5}}}, {{3, {5, 3, 3}}}, {{1, {5}}}}},
    {"one column", {{{4, {2, 9, 1, 5}}}, {{3, {5, 3, 3}}}}},
    {"2x2", {{{4, {1, 2, 2, 8}}}, {{3, {8, 3, 3}}}, {{1, {8}}}}},
    {"odd", {{{4, {3, 5, 7, 3}}}, {{3, {3, 3, 3}}}, {{1, {3}}}}},
    {"odd, per sample", {{{4, {3, 5, 7, 3}}}, {{4, {3, 3, 3, 3}}}, {{1, {3}}}}},
    {"vector - 1", {{{4, {2, 4, 6, 7}}}, {{3, {7, 3, 3}}}, {{1, {7}}}}},
    {"vector + 1", {{{4, {2, 4, 6, 9}}}, {{4, {2, 9, 3, 3}}}}},
    {"32 channels, per sample", {{{4, {2, 7, 7, 32}}}, {{4, {2, 32, 3, 3}}}}},
    {"cut channels", {{{4, {2, 5, 4, 16}}, CUT}, {{3, {16, 3, 3}}}, {{1, {16}}}}},
    {"cut channels, per sample", {{{4, {2, 5, 4, 16}}, CUT}, {{4, {2, 16, 3, 3}}}}},
    {"cut batch", {{{4, {2, 5, 4, 8}}, CUT_FIRST}, {{3, {8, 3, 3}}}}},
    {"repeated batch", {{{4, {3, 5, 4, 8}}, REPEATED}, {{4, {3, 8, 3, 3}}}}},
    {"reversed", {{{4, {3, 5, 4, 6}}, REVERSED}, {{3, {6, 3, 3}}}, {{1, {6}}}}},
    {"large", {{{4, {2, 14, 14, 65}}}, {{3, {65, 3, 3}}}, {{1, {65}}}}},
    {"whole tile", {{{4, {1, 16, 16, 64}}}, {{3, {64, 3, 3}}}, {{1, {64}}}}},
    {"tiles + 1", {{{4, {1, 17, 33, 72}}}, {{3, {72, 3, 3}}}}},
    {"strip", {{{4, {2, 3, 7, 66}}}, {{3, {66, 3, 3}}}, {{1, {66}}}}},
    {"strip + 1, per sample", {{{4, {2, 2, 8, 10}}, CUT}, {{4, {2, 10, 3, 3}}}, {{1, {10}}}}},
    {"two strips", {{{4, {2, 14, 14, 64}}}, {{3, {64, 3, 3}}}, {{1, {64}}}}},
    {"two strips, one row", {{{4, {2, 1, 14, 34}}}, {{3, {34, 3, 3}}}, {{1, {34}}}}},
    {"sixteen bytes, one row", {{{4, {2, 1, 9, 8}}}, {{3, {8, 3, 3}}}}},
    {"sixteen bytes, cut batch", {{{4, {2, 6, 9, 72}}, CUT_FIRST}, {{4, {2, 72, 3, 3}}}, {{1, {72}}}}},
    {"sixteen bytes of f32 alone", {{{4, {2, 5, 15, 12}}}, {{3, {12, 3, 3}}}}},
    {"parts of samples", {{{4, {3100, 1, 7, 2}}}, {{3, {2, 3, 3}}}, {{1, {2}}}}},
    {"added, one pixel", {{{4, {1, 1, 1, 1}}}, {{3, {1, 3, 3}}}, {{1, {1}}}}, {1}},
    {"added", {{{4, {2, 5, 6, 16}}}, {{3, {16, 3, 3}}}, {{1, {16}}}}, {1}},
    {"added, strips", {{{4, {1, 18, 14, 64}}}, {{3, {64, 3, 3}}}, {{1, {64}}}}, {1}},
    {"added, cut, per sample", {{{4, {2, 3, 4, 9}}, CUT}, {{4, {2, 9, 3, 3}}}}, {1}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] =
        c->option[0] ? ttt_conv3x3_residual(g, in[0], in[1], in[2]) : ttt_conv3x3(g, in[0], in[1], in[2]);
    return 1;
}

/* Calls visit(x, y, k) with the element offsets of every product x k y that is not with padding. */
static void visit_taps(const int64_t *size /* B h w C */, bool per_sample, void *context,
                       void (*visit)(void *context, int64_t x, int64_t k, int64_t y))
{
    int64_t h = size[1], w = size[2], channels = size[3];
    for (int64_t b = 0; b < size[0]; b++)
        for (int64_t i = 0; i < h; i++)
            for (int64_t j = 0; j < w; j++)
                for (int64_t tap = 0; tap < 9; tap++) {
                    int64_t row = i + tap / 3 - 1, column = j + tap % 3 - 1;
                    if (row < 0 || row >= h || column < 0 || column >= w)
                        continue;
                    int64_t x = ((b * h + row) * w + column) * channels, y = ((b * h + i) * w + j) * channels;
                    int64_t k = (per_sample ? b : 0) * channels;
                    for (int64_t c = 0; c < channels; c++)
                        visit(context, x + c, (k + c) * 9 + tap, y + c);
                }
}

struct buffers {
    const double *x, *k;
    double *y;
};

static void add_to_output(void *context, int64_t x, int64_t k, int64_t y)
{
    const struct buffers *b = context;
    b->y[y] += b->x[x] * b->k[k];
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t count = op_elements(&c->in[0]), channels = c->in[0].shape.size[3];
    for (int64_t i = 0; i < count; i++)
        out[0][i] = (in[2] ? in[2][i % channels] : 0) + (c->option[0] ? in[0][i] : 0);
    struct buffers buffers = {in[0], in[1], out[0]};
    visit_taps(c->in[0].shape.size, c->in[1].shape.rank == 4, &buffers, add_to_output);
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(2, 5, 4, 6));
    ttt_tensor fits = ttt_input(g, "k", TTT_F32, ttt_dims(6, 3, 3));
    text[0] = "(2, 5, 4, 6)";
    switch (i) {
    case 0:
        *out = ttt_conv3x3(g, x, ttt_input(g, "k5", TTT_F32, ttt_dims(6, 5, 5)), TTT_NONE);
        text[1] = "(6, 5, 5)";
        return true;
    case 1:
        *out = ttt_conv3x3(g, x, ttt_input(g, "k3", TTT_F32, ttt_dims(3, 6, 3, 3)), TTT_NONE);
        text[1] = "(3, 6, 3, 3)";
        return true;
    case 2:
        *out = ttt_conv3x3(g, x, fits, ttt_input(g, "b", TTT_F32, ttt_dims(7)));
        text[1] = "(7)";
        return true;
    case 3:
        *out = ttt_conv3x3_kernel_gradient(g, x, ttt_input(g, "y", TTT_F32, ttt_dims(2, 5, 4, 7)), false);
        text[1] = "(2, 5, 4, 7)";
        return true;
    default:
        return false;
    }
}

const struct op_test oracle_conv3x3 = {
    .op = "conv3x3",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .any_threads = true,
    .refused = refused,
};

/* Inputs: x, y; option[0]: per sample. */
static const struct op_case kernel_cases[] = {
    {"one pixel", {{{4, {1, 1, 1, 1}}}, {{4, {1, 1, 1, 1}}}}},
    {"one row", {{{4, {1, 1, 9, 5}}}, {{4, {1, 1, 9, 5}}}}},
    {"one column, per sample", {{{4, {2, 9, 1, 5}}}, {{4, {2, 9, 1, 5}}}}, {1}},
    {"odd", {{{4, {3, 5, 7, 3}}}, {{4, {3, 5, 7, 3}}}}},
    {"odd, per sample", {{{4, {3, 5, 7, 3}}}, {{4, {3, 5, 7, 3}}}}, {1}},
    {"vector - 1", {{{4, {2, 4, 6, 7}}}, {{4, {2, 4, 6, 7}}}}},
    {"vector + 1, per sample", {{{4, {2, 4, 6, 9}}}, {{4, {2, 4, 6, 9}}}}, {1}},
    {"cut channels", {{{4, {2, 5, 4, 16}}, CUT}, {{4, {2, 5, 4, 16}}, CUT}}, {1}},
    {"cut batch", {{{4, {2, 5, 4, 8}}, CUT_FIRST}, {{4, {2, 5, 4, 8}}, REPEATED}}},
    {"large", {{{4, {3, 14, 14, 33}}}, {{4, {3, 14, 14, 33}}}}},
    {"large, per sample", {{{4, {3, 14, 14, 33}}}, {{4, {3, 14, 14, 33}}}}, {1}},
    {"tiles + 1", {{{4, {2, 17, 33, 72}}}, {{4, {2, 17, 33, 72}}}}},
    {"tiles + 1, per sample", {{{4, {2, 17, 18, 8}}}, {{4, {2, 17, 18, 8}}}}, {1}},
    {"two strips", {{{4, {3, 14, 14, 68}}}, {{4, {3, 14, 14, 68}}}}},
    {"cut strips, per sample", {{{4, {2, 2, 9, 6}}, CUT}, {{4, {2, 2, 9, 6}}}}, {1}},
};

static struct op_case kernel_at(int i)
{
    return kernel_cases[i];
}

static int build_kernel(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_conv3x3_kernel_gradient(g, in[0], in[1], c->option[0]);
    return 1;
}

static void add_to_kernel(void *context, int64_t x, int64_t k, int64_t y)
{
    const struct buffers *b = context;
    b->y[k] += b->x[x] * b->k[y];
}

static void forward_kernel(const struct op_case *c, const double *const *in, double *const *out)
{
    const int64_t *size = c->in[0].shape.size;
    memset(out[0], 0, (size_t)((c->option[0] ? size[0] : 1) * size[3] * 9) * sizeof(double));
    struct buffers buffers = {in[0], in[1], out[0]};
    visit_taps(size, c->option[0], &buffers, add_to_kernel);
}

const struct op_test oracle_conv3x3_kernel_gradient = {
    .op = "conv3x3_kernel_gradient",
    .n_cases = sizeof kernel_cases / sizeof *kernel_cases,
    .at = kernel_at,
    .build = build_kernel,
    .forward = forward_kernel,
    .second_order = true,
    .any_threads = true,
};
