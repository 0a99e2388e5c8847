/* The inside of a ViTTT layer and its gradient, head by head and channel by channel. */
#include "ttt/ops/vittt_inner/vittt_inner.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/ttt/oracle/fast_weights.h"
#include "tests/ttt/oracle/oracle.h"

enum { LINEAR = 1, LAST_ONLY = 2, ASCENT = 4, CONDITIONED = 8, QUERY_IS_KEY = 16 }; /* switches */
/* Inputs: qkv, w1, w2, w3; option: height, width, switches. */
#define CASE(name, batch, height, width, heads, d, switches)                                                 \
    {                                                                                                        \
        name,                                                                                                \
            {{{3, {batch, (height) * (width), (3 * (heads) + 3) * (d)}}},                                    \
             {{4, {1, heads, d, d}}},                                                                        \
             {{4, {1, heads, d, d}}},                                                                        \
             {{3, {d, 3, 3}}}},                                                                              \
        {                                                                                                    \
            height, width, switches                                                                          \
        }                                                                                                    \
    }
static const struct op_case cases[] = {
    CASE("one token", 1, 1, 1, 1, 32, CONDITIONED),
    CASE("a strip + 1", 2, 1, 17, 1, 32, CONDITIONED),
    CASE("two strips - 1", 1, 31, 1, 2, 32, CONDITIONED | ASCENT),
    CASE("three strips", 3, 6, 8, 1, 32, CONDITIONED | LAST_ONLY),
    CASE("7 x 7, linear", 2, 7, 7, 3, 32, CONDITIONED | LINEAR),
    CASE("8 x 8, query is key", 2, 8, 8, 2, 32, CONDITIONED | QUERY_IS_KEY),
    CASE("8 x 8, 64 channels", 2, 8, 8, 2, 64, CONDITIONED),
    CASE("15 x 13, unconditioned", 1, 15, 13, 1, 64, 0),
    CASE("14 x 14, last only", 1, 14, 14, 1, 64, CONDITIONED | LAST_ONLY),
    CASE("14 x 14, linear, ascent", 1, 14, 14, 1, 64, LINEAR | ASCENT),
    CASE("14 x 14", 1, 14, 14, 1, 64, CONDITIONED),
    CASE("more samples than blocks", 2, 2, 9, 265, 32, CONDITIONED),
    CASE("16 x 16, everything", 1, 16, 16, 1, 32, ASCENT | LAST_ONLY | QUERY_IS_KEY),
    CASE("5 channels", 2, 5, 3, 2, 5, CONDITIONED),
    CASE("17 channels, query is key", 1, 6, 4, 2, 17, CONDITIONED | QUERY_IS_KEY),
    CASE("20 channels, last only", 2, 4, 4, 3, 20, CONDITIONED | LAST_ONLY),
    CASE("48 channels, a strip of the CPU - 1, linear", 1, 5, 19, 1, 48, CONDITIONED | LINEAR),
    CASE("16 channels, two of them + 1", 1, 1, 193, 2, 16, CONDITIONED | ASCENT),
};

static struct op_case at(int i)
{
    struct op_case c = cases[i];
    c.cpu_only = c.in[3].shape.size[0] % 32 != 0; /* d */
    return c;
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    const int64_t s = c->option[2];
    const ttt_vittt_inner_switches switches = {
        .linear = s & LINEAR,
        .last_only = s & LAST_ONLY,
        .ascent = s & ASCENT,
        .conditioned = s & CONDITIONED,
        .query_is_key = s & QUERY_IS_KEY,
    };
    out[0] = ttt_vittt_inner(g, in[0], in[1], in[2], in[3], c->option[0], c->option[1], &switches);
    return 1;
}

/* Sizes of a case. */
struct sizes {
    int64_t batch, height, width, tokens, heads, d, row;
    int64_t switches;
};

static struct sizes sizes_of(const struct op_case *c)
{
    const int64_t *qkv = c->in[0].shape.size, *w = c->in[1].shape.size;
    return (struct sizes){qkv[0], c->option[0], c->option[1], qkv[1], w[1], w[2], qkv[2], c->option[2]};
}

/* What a head's forward pass computes: (tokens x d) and (d x d) matrices, in one block of memory. */
enum { Z1, Z2, A1, A2, P1, P2, DP1, DP2, DA1, DA2, DZ1, DZ2, TOKEN_MATRICES };
enum { G1, G2, M1, M2, DM1, DM2, DG1, DG2, WEIGHT_MATRICES };
struct head {
    struct sizes s;
    struct matrix q, k, v, w[2], token[TOKEN_MATRICES], weight[WEIGHT_MATRICES];
    double *memory;
    double scale, direction;
};

static struct head open_head(struct sizes s, const double *const *in, int64_t b, int64_t h)
{
    const int64_t area = s.tokens * s.d, square = s.d * s.d;
    struct head head = {
        .s = s, .scale = 1.0 / 3 / (double)s.tokens, .direction = s.switches & ASCENT ? 1 : -1};
    double *qkv = (double *)(uintptr_t)in[0] + b * s.tokens * s.row + h * s.d;
    head.memory = check_alloc((size_t)(TOKEN_MATRICES * area + WEIGHT_MATRICES * square), sizeof(double));
    for (int i = 0; i < TOKEN_MATRICES; i++)
        head.token[i] = (struct matrix){head.memory + i * area, s.d, 1};
    for (int i = 0; i < WEIGHT_MATRICES; i++)
        head.weight[i] = (struct matrix){head.memory + TOKEN_MATRICES * area + i * square, s.d, 1};
    for (int i = 0; i < 2; i++)
        head.w[i] = (struct matrix){(double *)(uintptr_t)in[1 + i] + h * square, s.d, 1};
    head.k = (struct matrix){qkv + s.heads * s.d, s.row, 1};
    head.v = (struct matrix){qkv + 2 * s.heads * s.d, s.row, 1};
    head.q = s.switches & QUERY_IS_KEY ? head.k : (struct matrix){qkv, s.row, 1};
    return head;
}

static void move_weight(struct head *h, int i)
{
    const int64_t d = h->s.d;
    const bool moved = i == 0 || !(h->s.switches & (LINEAR | LAST_ONLY));
    add_product(h->weight[G1 + i], transposed(h->k), h->token[A1 + i], d, h->s.tokens, d);
    for (int64_t c = 0; c < d && moved; c++) {
        double *m = element(h->weight[M1 + i], 0, c);
        const double *g = element(h->weight[G1 + i], 0, c);
        if (h->s.switches & CONDITIONED)
            shrink(g, m, d, d);
        else
            for (int64_t r = 0; r < d; r++)
                m[r * d] = g[r * d];
    }
    for (int64_t r = 0; r < d * d; r++)
        h->weight[M1 + i].at[r] = h->w[i].at[r] + h->direction * h->weight[M1 + i].at[r];
}

static void run_head(struct head *h, struct matrix y)
{
    const int64_t n = h->s.tokens, d = h->s.d;
    const bool linear = h->s.switches & LINEAR;
    for (int i = 0; i < 2; i++)
        add_product(h->token[Z1 + i], h->k, h->w[i], n, d, d);
    for (int64_t t = 0; t < n; t++)
        for (int64_t c = 0; c < d; c++) {
            const double e = -h->scale * *element(h->v, t, c), z2 = *element(h->token[Z2], t, c);
            *element(h->token[A1], t, c) = linear ? e : e * silu(z2);
            *element(h->token[A2], t, c) = e * *element(h->token[Z1], t, c) * silu_slope(z2);
        }
    for (int i = 0; i < 2; i++) {
        move_weight(h, i);
        add_product(h->token[P1 + i], h->q, h->weight[M1 + i], n, d, d);
    }
    for (int64_t t = 0; t < n; t++)
        for (int64_t c = 0; c < d; c++)
            *element(y, t, c) =
                *element(h->token[P1], t, c) * (linear ? 1 : silu(*element(h->token[P2], t, c)));
}

/* A (d, 3, 3) step of the convolution branch for one sample: g, then the moved kernel. */
struct pictures {
    struct sizes s;
    const double *q, *k, *v; /* rows of s.row */
};

static struct pictures open_pictures(struct sizes s, const double *const *in, int64_t b)
{
    const double *q = in[0] + b * s.tokens * s.row + 3 * s.heads * s.d;
    return (struct pictures){s, s.switches & QUERY_IS_KEY ? q + s.d : q, q + s.d, q + 2 * s.d};
}

/* The token at tap `s` of token t, or -1. */
static int64_t neighbour(const struct sizes *s, int64_t t, int64_t tap)
{
    const int64_t row = t / s->width + tap / 3 - 1, column = t % s->width + tap % 3 - 1;
    return row < 0 || row >= s->height || column < 0 || column >= s->width ? -1 : row * s->width + column;
}

static void kernel_gradient(const struct pictures *p, double *g)
{
    const struct sizes *s = &p->s;
    for (int64_t c = 0; c < s->d; c++)
        for (int64_t tap = 0; tap < 9; tap++) {
            g[c * 9 + tap] = 0;
            for (int64_t t = 0; t < s->tokens; t++) {
                const int64_t at = neighbour(s, t, tap);
                if (at >= 0)
                    g[c * 9 + tap] -= p->v[t * s->row + c] * p->k[at * s->row + c] / 3 / (double)s->tokens;
            }
        }
}

static void move_kernel(const struct pictures *p, const double *w3, const double *g, double *moved)
{
    const double direction = p->s.switches & ASCENT ? 1 : -1;
    for (int64_t c = 0; c < p->s.d; c++) {
        shrink(g + c * 9, moved + c * 9, 9, 1);
        for (int64_t tap = 0; tap < 9; tap++)
            moved[c * 9 + tap] = w3[c * 9 + tap] + direction * moved[c * 9 + tap];
    }
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    const struct sizes s = sizes_of(c);
    const int64_t width = (s.heads + 1) * s.d;
    double *g = check_alloc((size_t)(18 * s.d), sizeof *g), *moved = g + 9 * s.d;
    for (int64_t b = 0; b < s.batch; b++) {
        double *y = out[0] + b * s.tokens * width;
        for (int64_t h = 0; h < s.heads; h++) {
            struct head head = open_head(s, in, b, h);
            run_head(&head, (struct matrix){y + h * s.d, width, 1});
            free(head.memory);
        }
        const struct pictures p = open_pictures(s, in, b);
        kernel_gradient(&p, g);
        move_kernel(&p, in[3], g, moved);
        for (int64_t t = 0; t < s.tokens; t++)
            for (int64_t i = 0; i < s.d; i++) {
                double sum = 0;
                for (int64_t tap = 0; tap < 9; tap++) {
                    const int64_t from = neighbour(&s, t, tap);
                    sum += from >= 0 ? p.q[from * s.row + i] * moved[i * 9 + tap] : 0;
                }
                y[t * width + s.heads * s.d + i] = sum;
            }
    }
    free(g);
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i > 0)
        return false;
    ttt_tensor w = ttt_input(g, "w", TTT_F32, ttt_dims(1, 2, 32, 32));
    *out = ttt_vittt_inner(g, ttt_input(g, "qkv", TTT_F32, ttt_dims(5, 12, 224)), w, w,
                           ttt_input(g, "w3", TTT_F32, ttt_dims(32, 3, 3)), 4, 3,
                           &(ttt_vittt_inner_switches){0});
    text[0] = "(5, 12, 224)";
    text[1] = "(1, 2, 32, 32)";
    return true;
}

const struct op_test oracle_vittt_inner = {
    .op = "vittt_inner",
    .n_cases = sizeof cases / sizeof *cases,
    .at = at,
    .build = build,
    .forward = forward,
    .any_threads = true,
    .bf16_only = true,
    .refused = refused,
};

/* The backward operator has a fifth input, the cotangent. */
static struct op_case backward_at(int i)
{
    struct op_case c = at(i);
    const struct sizes s = sizes_of(&c);
    c.in[4] = (struct op_input){.shape = {3, {s.batch, s.tokens, (s.heads + 1) * s.d}}};
    return c;
}

static int build_backward(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_tensor y;
    build(g, c, in, &y);
    ttt_gradient_from(g, y, in[4], in, 4, out);
    return 4;
}

/* From dP to dA, and from dA to dz and dv. */
static void read_back(struct head *h, struct matrix dy)
{
    const bool linear = h->s.switches & LINEAR;
    for (int64_t t = 0; t < h->s.tokens; t++)
        for (int64_t c = 0; c < h->s.d; c++) {
            const double p1 = *element(h->token[P1], t, c), p2 = *element(h->token[P2], t, c),
                         d = *element(dy, t, c);
            *element(h->token[DP1], t, c) = linear ? d : d * silu(p2);
            *element(h->token[DP2], t, c) = linear ? 0 : d * p1 * silu_slope(p2);
        }
}

static void factors_back(struct head *h, struct matrix dv)
{
    const bool linear = h->s.switches & LINEAR;
    for (int64_t t = 0; t < h->s.tokens; t++)
        for (int64_t c = 0; c < h->s.d; c++) {
            const double z1 = *element(h->token[Z1], t, c), z2 = *element(h->token[Z2], t, c),
                         e = -h->scale * *element(h->v, t, c), da1 = *element(h->token[DA1], t, c),
                         da2 = *element(h->token[DA2], t, c);
            const double de = linear ? da1 : da1 * silu(z2) + da2 * z1 * silu_slope(z2);
            *element(h->token[DZ1], t, c) = linear ? 0 : da2 * e * silu_slope(z2);
            *element(h->token[DZ2], t, c) =
                linear ? 0 : da1 * e * silu_slope(z2) + da2 * e * z1 * silu_curvature(z2);
            *element(dv, t, c) = -h->scale * de;
        }
}

static void head_back(struct head *h, struct matrix dy, struct matrix dq, struct matrix dk, struct matrix dv,
                      const struct matrix *dw)
{
    const int64_t n = h->s.tokens, d = h->s.d;
    read_back(h, dy);
    for (int i = 0; i < 2; i++) {
        const bool moved = i == 0 || !(h->s.switches & (LINEAR | LAST_ONLY));
        add_product(dq, h->token[DP1 + i], transposed(h->weight[M1 + i]), n, d, d);
        add_product(h->weight[DM1 + i], transposed(h->q), h->token[DP1 + i], d, n, d);
        add_product(dw[i], transposed(h->q), h->token[DP1 + i], d, n, d);
        for (int64_t c = 0; c < d && moved; c++) {
            const double *g = element(h->weight[G1 + i], 0, c), *dm = element(h->weight[DM1 + i], 0, c);
            double *dg = element(h->weight[DG1 + i], 0, c);
            if (h->s.switches & CONDITIONED)
                shrink_back(g, dm, dg, d, d);
            else
                for (int64_t r = 0; r < d; r++)
                    dg[r * d] = dm[r * d];
        }
        for (int64_t r = 0; r < d * d; r++)
            h->weight[DG1 + i].at[r] *= h->direction;
        add_product(h->token[DA1 + i], h->k, h->weight[DG1 + i], n, d, d);
        add_product(dk, h->token[A1 + i], transposed(h->weight[DG1 + i]), n, d, d);
    }
    factors_back(h, dv);
    for (int i = 0; i < 2; i++) {
        add_product(dk, h->token[DZ1 + i], transposed(h->w[i]), n, d, d);
        add_product(dw[i], transposed(h->k), h->token[DZ1 + i], d, n, d);
    }
}

/* The convolution branch of one sample; dq, dk, dv are rows of s.row, dy of (heads + 1) d. */
static void pictures_back(const struct pictures *p, const double *w3, const double *dy, double *dq,
                          double *dk, double *dv, double *dw3)
{
    const struct sizes *s = &p->s;
    const int64_t dy_row = (s->heads + 1) * s->d;
    const double scale = 1.0 / 3 / (double)s->tokens, direction = s->switches & ASCENT ? 1 : -1;
    double *g = check_alloc((size_t)(18 * s->d), sizeof *g), *moved = g + 9 * s->d;
    kernel_gradient(p, g);
    move_kernel(p, w3, g, moved);
    for (int64_t c = 0; c < s->d; c++) {
        double dm[9] = {0}, dg[9];
        for (int64_t t = 0; t < s->tokens; t++)
            for (int64_t tap = 0; tap < 9; tap++) {
                const int64_t at = neighbour(s, t, tap);
                if (at < 0)
                    continue;
                dm[tap] += dy[t * dy_row + c] * p->q[at * s->row + c];
                dq[at * s->row + c] += dy[t * dy_row + c] * moved[c * 9 + tap];
            }
        shrink_back(g + c * 9, dm, dg, 9, 1);
        for (int64_t tap = 0; tap < 9; tap++) {
            dw3[c * 9 + tap] += dm[tap];
            for (int64_t t = 0; t < s->tokens; t++) {
                const int64_t at = neighbour(s, t, tap);
                if (at < 0)
                    continue;
                dv[t * s->row + c] -= scale * direction * dg[tap] * p->k[at * s->row + c];
                dk[at * s->row + c] -= scale * direction * dg[tap] * p->v[t * s->row + c];
            }
        }
    }
    free(g);
}

static void backward(const struct op_case *c, const double *const *in, double *const *out)
{
    const struct sizes s = sizes_of(c);
    const int64_t width = (s.heads + 1) * s.d, square = s.d * s.d, all = s.heads * s.d;
    const bool read_k = s.switches & QUERY_IS_KEY;
    double *y = check_alloc((size_t)(s.tokens * s.d), sizeof *y);
    for (int i = 0; i < 4; i++)
        memset(out[i], 0, (size_t)op_elements(&c->in[i]) * sizeof(double));
    for (int64_t b = 0; b < s.batch; b++) {
        double *dqkv = out[0] + b * s.tokens * s.row;
        const double *dy = in[4] + b * s.tokens * width;
        for (int64_t h = 0; h < s.heads; h++) {
            struct head head = open_head(s, in, b, h);
            struct matrix part[3], dw[2];
            for (int i = 0; i < 3; i++)
                part[i] = (struct matrix){dqkv + i * all + h * s.d, s.row, 1};
            for (int i = 0; i < 2; i++)
                dw[i] = (struct matrix){out[1 + i] + h * square, s.d, 1};
            run_head(&head, (struct matrix){y, s.d, 1});
            head_back(&head, (struct matrix){(double *)(uintptr_t)dy + h * s.d, width, 1},
                      part[read_k ? 1 : 0], part[1], part[2], dw);
            free(head.memory);
        }
        const struct pictures p = open_pictures(s, in, b);
        double *dq = dqkv + 3 * all;
        pictures_back(&p, in[3], dy + all, read_k ? dq + s.d : dq, dq + s.d, dq + 2 * s.d, out[3]);
    }
    free(y);
}

const struct op_test oracle_vittt_inner_backward = {
    .op = "vittt_inner_backward",
    .n_cases = sizeof cases / sizeof *cases,
    .at = backward_at,
    .build = build_backward,
    .forward = backward,
    .no_gradient = true,
    .any_threads = true,
    .bf16_only = true,
};
