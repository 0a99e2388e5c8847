/* SiLU of the parts of a projection, and unit rows, with the gradient in closed form. */
#include "ttt/ops/silu_heads/silu_heads.h"

#include <math.h>

#include "tests/ttt/oracle/oracle.h"
#include "ttt/ops/silu_heads/silu_heads_operator.h"

/* option: heads, parts, units, parts whose output is left out or without a gradient (bits); value[0]: eps. */
static const struct op_case cases[] = {
    {"one element", {{{3, {1, 1, 1}}}}, {1, 1, 0}, {1e-5}},
    {"one unit element", {{{3, {1, 1, 1}}}}, {1, 1, 1}, {1}},
    {"q, k, v", {{{3, {2, 3, 24}}}}, {1, 3, 2}, {1e-5}},
    {"heads of 5", {{{3, {2, 7, 30}}}}, {2, 3, 2}, {1e-5}},
    {"heads of 8", {{{3, {3, 5, 32}}}}, {2, 2, 1}, {1e-2}},
    {"far from 0", {{{3, {2, 5, 45}}, CONTIGUOUS, WIDE}}, {1, 3, 2}, {1e-5}},
    {"transposed", {{{3, {2, 6, 16}}, TRANSPOSED}}, {1, 2, 2}, {1e-5}},
    {"no v", {{{3, {2, 5, 48}}}}, {2, 3, 2, 4}, {1e-5}},
    {"only v", {{{3, {2, 5, 33}}}}, {1, 3, 2, 3}, {1e-5}},
    {"heads of 63", {{{3, {2, 9, 126}}}}, {2, 1, 1}, {1e-5}},
    {"heads of 64", {{{3, {2, 33, 384}}}}, {2, 3, 2}, {1e-5}},
    {"heads of 192", {{{3, {3, 11, 384}}}}, {1, 2, 1}, {1e-5}},
    {"heads of 200, no k", {{{3, {1, 17, 600}}}}, {1, 3, 2, 2}, {1e-5}},
    {"heads of 384", {{{3, {2, 9, 768}}}}, {2, 1, 1}, {1e-5}},
    {"heads of 768", {{{3, {2, 9, 2304}}}}, {1, 3, 2}, {1e-5}},
    {"heads of 1024", {{{3, {1, 5, 2048}}}}, {1, 2, 1}, {1e-5}},
    {"heads of 1032", {{{3, {1, 3, 2064}}}}, {1, 2, 1}, {1e-5}},
    {"many rows", {{{3, {2, 257, 60}}}}, {3, 1, 1}, {1e-5}},
};

static bool is_left_out(const struct op_case *c, int p)
{
    return c->option[3] >> p & 1;
}

static int64_t head_width(const struct op_case *c)
{
    return c->in[0].shape.size[2] / (c->option[0] * c->option[1]);
}

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_tensor y[TTT_SILU_HEADS_PARTS];
    int count = 0;
    ttt_silu_heads(g, in[0], c->option[0], (int)c->option[1], (int)c->option[2], (float)c->value[0], y);
    for (int p = 0; p < c->option[1]; p++)
        if (!is_left_out(c, p))
            out[count++] = y[p];
    return count;
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double silu_slope(double x)
{
    const double s = 1 / (1 + exp(-x));
    return s + x * s * (1 - s);
}

static double norm_of(const double *x, int64_t d)
{
    double square = 0;
    for (int64_t i = 0; i < d; i++)
        square += silu(x[i]) * silu(x[i]);
    return sqrt(square);
}

/* Rows of x in order: for each token its parts, for each part its heads. */
static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const int64_t heads = c->option[0], parts = c->option[1], d = head_width(c);
    const int64_t tokens = c->in[0].shape.size[0] * c->in[0].shape.size[1];
    for (int64_t token = 0; token < tokens; token++)
        for (int p = 0, k = 0; p < parts; p++) {
            for (int64_t head = 0; head < heads && !is_left_out(c, p); head++) {
                const double *x = in[0] + ((token * parts + p) * heads + head) * d;
                const double scale = p < c->option[2] ? norm_of(x, d) + (float)c->value[0] : 1;
                for (int64_t i = 0; i < d; i++)
                    out[k][(token * heads + head) * d + i] = silu(x[i]) / scale;
            }
            k += !is_left_out(c, p);
        }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    static const char *const texts[][2] = {{"(2, 5, 14)", "3 parts of 2 heads"}, {"(2, 8)", "2 parts"}};
    ttt_tensor y[TTT_SILU_HEADS_PARTS];
    if (i >= 2)
        return false;
    ttt_silu_heads(g, ttt_input(g, "x", TTT_F32, i ? ttt_dims(2, 8) : ttt_dims(2, 5, 14)), 2, i ? 2 : 3, 1,
                   1e-5F, y);
    *out = y[0];
    text[0] = texts[i][0];
    text[1] = texts[i][1];
    return true;
}

const struct op_test oracle_silu_heads = {
    .op = "silu_heads",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

/* The backward operator has the parts' cotangents as further inputs: of every other case as heads of
 * (B, H, L, d), which lie apart. */
static struct op_case backward_at(int i)
{
    struct op_case c = cases[i];
    const ttt_shape x = c.in[0].shape;
    for (int p = 0; p < c.option[1]; p++)
        if (!is_left_out(&c, p))
            c.in[1 + p] = (struct op_input){.shape = {4, {x.size[0], x.size[1], c.option[0], head_width(&c)}},
                                            .layout = i % 2 ? HEADS : CONTIGUOUS};
    return c;
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    const struct ttt_silu_heads_attributes attributes = {c->option[0], (int)c->option[1], (int)c->option[2],
                                                         (float)c->value[0]};
    ttt_tensor inputs[1 + TTT_SILU_HEADS_PARTS] = {ttt_contiguous(g, in[0])};
    for (int p = 0; p < attributes.parts; p++)
        inputs[1 + p] = is_left_out(c, p) ? TTT_NONE : in[1 + p];
    out[0] = ttt_node_add_one(g, &ttt_op_silu_heads_backward, &attributes, inputs, 1 + attributes.parts,
                              TTT_F32, c->in[0].shape);
    return 1;
}

/* dx_i = silu'(x_i) sum over j of dy_j d(y_j) / d(h_i). */
static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    const int64_t heads = c->option[0], parts = c->option[1], d = head_width(c);
    const int64_t tokens = c->in[0].shape.size[0] * c->in[0].shape.size[1];
    for (int64_t row = 0; row < tokens * parts * heads; row++) {
        const int p = (int)(row / heads % parts);
        const double *x = in[0] + row * d, *dy = in[1 + p];
        const double norm = norm_of(x, d), m = norm + (float)c->value[0];
        double dot = 0;
        if (dy)
            dy += (row / (parts * heads) * heads + row % heads) * d;
        for (int64_t i = 0; i < d && dy && p < c->option[2]; i++)
            dot += dy[i] * silu(x[i]);
        for (int64_t i = 0; i < d; i++) {
            const double dh = !dy                ? 0
                              : p < c->option[2] ? dy[i] / m - silu(x[i]) * dot / (norm * m * m)
                                                 : dy[i];
            out[0][row * d + i] = dh * silu_slope(x[i]);
        }
    }
}

const struct op_test oracle_silu_heads_backward = {
    .op = "silu_heads_backward",
    .n_cases = sizeof cases / sizeof *cases,
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
};
