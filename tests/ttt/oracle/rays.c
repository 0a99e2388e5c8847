/* Plücker rays of cameras. */
#include "ttt/ops/rays/rays.h"

#include <math.h>

#include "tests/ttt/oracle/oracle.h"

/* option: height, width.  Inputs: fxfycxcy, c2w.  Any matrix will do: rays need no rotation. */
static const struct op_case cases[] = {
    {"one pixel", {{{3, {1, 1, 4}}, CONTIGUOUS, POSITIVE}, {{4, {1, 1, 4, 4}}}}, {1, 1}},
    {"odd", {{{3, {2, 3, 4}}, CONTIGUOUS, POSITIVE}, {{4, {2, 3, 4, 4}}}}, {5, 7}},
    {"one row", {{{3, {1, 2, 4}}, CONTIGUOUS, POSITIVE}, {{4, {1, 2, 4, 4}}}}, {1, 33}},
    {"one column", {{{3, {1, 2, 4}}, CONTIGUOUS, POSITIVE}, {{4, {1, 2, 4, 4}}}}, {9, 1}},
    {"cut", {{{3, {2, 2, 4}}, CUT, POSITIVE}, {{4, {2, 2, 4, 4}}, TRANSPOSED}}, {4, 6}},
    {"far", {{{3, {1, 5, 4}}, CONTIGUOUS, POSITIVE}, {{4, {1, 5, 4, 4}}, CONTIGUOUS, WIDE}}, {16, 24}},
};

static struct op_case at(int i)
{
    return cases[i];
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_rays(g, in[0], in[1], c->option[0], c->option[1]);
    return 1;
}

/* The ray through the centre of pixel (x, y): channels o, d, o x d. */
static void ray(const double *lens, const double *pose, double x, double y, double channel[9])
{
    const double in_camera[3] = {(x + 0.5 - lens[2]) / lens[0], (y + 0.5 - lens[3]) / lens[1], 1};
    double length = 0, *o = channel, *d = channel + 3;
    for (int i = 0; i < 3; i++) {
        o[i] = pose[4 * i + 3];
        d[i] = 0;
        for (int j = 0; j < 3; j++)
            d[i] += pose[4 * i + j] * in_camera[j];
        length += d[i] * d[i];
    }
    for (int i = 0; i < 3; i++)
        d[i] /= sqrt(length);
    for (int i = 0; i < 3; i++)
        channel[6 + i] = o[(i + 1) % 3] * d[(i + 2) % 3] - o[(i + 2) % 3] * d[(i + 1) % 3];
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    int64_t views = op_elements(&c->in[0]) / 4, height = c->option[0], width = c->option[1];
    for (int64_t i = 0; i < views * height * width; i++) {
        int64_t view = i / (height * width), pixel = i % (height * width);
        double channel[9];
        ray(in[0] + 4 * view, in[1] + 16 * view, (double)(pixel % width), (double)(pixel / width), channel);
        for (int64_t k = 0; k < 9; k++)
            out[0][(view * 9 + k) * height * width + pixel] = channel[k];
    }
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    ttt_tensor lens = ttt_input(g, "lens", TTT_F32, ttt_dims(2, 3, 4));
    ttt_tensor pose = ttt_input(g, "pose", TTT_F32, i ? ttt_dims(2, 3, 3, 4) : ttt_dims(2, 5, 4, 4));
    if (i > 1)
        return false;
    *out = ttt_rays(g, lens, pose, 8, 8);
    text[0] = "(2, 3, 4)";
    text[1] = i ? "(2, 3, 3, 4)" : "(2, 5, 4, 4)";
    return true;
}

const struct op_test oracle_rays = {
    .op = "rays",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .no_gradient = true,
    .any_threads = true,
    .refused = refused,
};
