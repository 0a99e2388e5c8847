/* Pictures to patches and back. */
#include "ttt/ops/patches/patches.h"

#include "tests/ttt/oracle/oracle.h"

/* option: B, C, H, W, p, order.  The input's shape follows from them. */
static const int64_t sizes[][6] = {
    {1, 1, 1, 1, 1, TTT_PATCH_CHANNEL_FIRST},    {1, 3, 4, 4, 4, TTT_PATCH_CHANNEL_FIRST},
    {2, 3, 6, 9, 3, TTT_PATCH_CHANNEL_FIRST},    {2, 3, 6, 9, 3, TTT_PATCH_CHANNEL_LAST},
    {1, 5, 7, 3, 1, TTT_PATCH_CHANNEL_LAST},     {3, 2, 14, 21, 7, TTT_PATCH_CHANNEL_LAST},
    {2, 3, 32, 16, 8, TTT_PATCH_CHANNEL_FIRST},  {1, 3, 48, 64, 16, TTT_PATCH_CHANNEL_FIRST},
    {2, 9, 16, 24, 8, TTT_PATCH_CHANNEL_LAST},   {1, 12, 16, 136, 8, TTT_PATCH_CHANNEL_LAST},
    {1, 35, 6, 9, 3, TTT_PATCH_CHANNEL_LAST},    {1, 3, 16, 272, 16, TTT_PATCH_CHANNEL_FIRST},
    {2, 12, 16, 144, 8, TTT_PATCH_CHANNEL_LAST}, {1, 4, 6, 138, 6, TTT_PATCH_CHANNEL_LAST},
    {2, 3, 40, 136, 8, TTT_PATCH_CHANNEL_LAST},  {1, 48, 16, 16, 8, TTT_PATCH_CHANNEL_FIRST},
};

static struct op_case case_of(int i, bool inverse)
{
    struct op_case c = {.name = "patches"};
    const int64_t *s = sizes[i];
    for (int k = 0; k < 6; k++)
        c.option[k] = s[k];
    int64_t p = s[4];
    c.in[0].shape = inverse ? (ttt_shape){4, {s[0], s[2] / p, s[3] / p, s[1] * p * p}}
                            : (ttt_shape){4, {s[0], s[1], s[2], s[3]}};
    c.in[0].layout = i % 3 == 2 ? CUT_FIRST : CONTIGUOUS;
    return c;
}

static struct op_case at(int i)
{
    return case_of(i, false);
}

static struct op_case inverse_at(int i)
{
    return case_of(i, true);
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_patches(g, in[0], (int)c->option[4], (ttt_patch_order)c->option[5]);
    return 1;
}

static int build_inverse(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_unpatches(g, in[0], (int)c->option[4], (ttt_patch_order)c->option[5]);
    return 1;
}

static void move(const struct op_case *c, const double *from, double *to, bool inverse)
{
    int64_t channels = c->option[1], h = c->option[2], w = c->option[3], p = c->option[4];
    for (int64_t i = 0; i < c->option[0] * channels * h * w; i++) {
        int64_t column = i % w, row = i / w % h, channel = i / (w * h) % channels, b = i / (w * h * channels);
        int64_t patch = (b * (h / p) + row / p) * (w / p) + column / p;
        int64_t inside = c->option[5] == TTT_PATCH_CHANNEL_FIRST
                             ? (channel * p + row % p) * p + column % p
                             : (row % p * p + column % p) * channels + channel;
        int64_t k = patch * channels * p * p + inside;
        if (inverse)
            to[i] = from[k];
        else
            to[k] = from[i];
    }
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    move(c, in[0], out[0], false);
}

static void forward_inverse(const struct op_case *c, const double *const *in, double *const *out)
{
    move(c, in[0], out[0], true);
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 1)
        return false;
    ttt_shape shape = i ? ttt_dims(1, 3, 32, 30) : ttt_dims(1, 3, 30, 32);
    *out = ttt_patches(g, ttt_input(g, "x", TTT_F32, shape), 8, TTT_PATCH_CHANNEL_FIRST);
    text[0] = "30";
    text[1] = "8";
    return true;
}

static bool refused_inverse(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    *out = ttt_unpatches(g, ttt_input(g, "x", TTT_F32, ttt_dims(1, 2, 2, 50)), 4, TTT_PATCH_CHANNEL_FIRST);
    text[0] = "50";
    text[1] = "4";
    return true;
}

const struct op_test oracle_patches = {
    .op = "patches",
    .n_cases = sizeof sizes / sizeof *sizes,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .refused = refused,
};

const struct op_test oracle_unpatches = {
    .op = "unpatches",
    .n_cases = sizeof sizes / sizeof *sizes,
    .at = inverse_at,
    .build = build_inverse,
    .forward = forward_inverse,
    .any_threads = true,
    .refused = refused_inverse,
};
