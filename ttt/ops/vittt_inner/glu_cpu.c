/* The gated branch on the CPU: what both directions share, and the forward pass.
 *
 * All products run through the panel kernel on matrices that lie in a core's own cache; what belongs to a
 * token is computed strip by strip and never leaves it.
 */
#include "ttt/ops/vittt_inner/glu_cpu.h"

#include <math.h>
#include <string.h>

#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/pointwise/math.h"

enum { PRODUCTS_AHEAD = 3 }; /* over which reads ahead are spread: as many as every variant has, or nearly */

static int64_t width_of(int64_t d)
{
    return (d + TTT_PANEL_WIDTH - 1) / TTT_PANEL_WIDTH * TTT_PANEL_WIDTH;
}

int64_t glu_room(const ttt_launch *launch)
{
    const int64_t d = launch->in[1].shape.size[2];
    return (6 * d + 2 + 2 * GLU_STRIP) * width_of(d);
}

struct glu_head glu_open(const ttt_launch *launch, int64_t b, int64_t h, float *room, ttt_panel_ahead *ahead)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const int64_t d = launch->in[1].shape.size[2], tokens = launch->in[0].shape.size[1],
                  row = launch->in[0].shape.size[2], matrix = d * width_of(d);
    const float *q = (const float *)launch->in[0].data + b * tokens * row + h * d;
    struct glu_head head = {
        .attributes = a,
        .ahead = ahead,
        .tokens = tokens,
        .d = d,
        .width = width_of(d),
        .row = row,
        .k = q + a->heads * d,
        .v = q + 2 * a->heads * d,
        .scale = 1.0f / 3 / (float)tokens,
        .weights = a->switches.linear ? 1 : 2,
        .moved = a->switches.linear || a->switches.last_only ? 1 : 2,
    };
    head.q = a->switches.query_is_key ? head.k : q;
    head.rate = a->switches.ascent ? -head.scale : head.scale;
    if (head.width > d)
        memset(room, 0, (size_t)glu_room(launch) * sizeof *room);
    for (int i = 0; i < 2; i++) {
        head.w[i] = room + i * matrix;
        head.moved_w[i] = room + (2 + i) * matrix;
        head.step[i] = room + (4 + i) * matrix;
        head.norm[i] = room + 6 * matrix + i * head.width;
        head.strip[i] = room + 6 * matrix + (2 + i * GLU_STRIP) * head.width;
        for (int64_t r = 0; r < d; r++)
            memcpy(head.w[i] + r * head.width, (const float *)launch->in[1 + i].data + (h * d + r) * d,
                   (size_t)d * sizeof(float));
    }
    if (head.moved == 1)
        head.moved_w[1] = head.w[1];
    return head;
}

void glu_ask(struct glu_head *head, const float *x, int64_t row)
{
    const int64_t tiles =
        head->tokens * head->width / (TTT_PANEL_ROWS * TTT_PANEL_WIDTH) + 1; /* of one product */
    head->ahead[head->n_ahead++] = ttt_panel_ahead_of(x, row, head->tokens, head->d, PRODUCTS_AHEAD * tiles);
}

struct glu_strip glu_strip_at(const struct glu_head *head, int64_t first)
{
    const int64_t left = head->tokens - first;
    return (struct glu_strip){first, left < GLU_STRIP ? left : GLU_STRIP};
}

struct glu_factor glu_factor_of(const struct glu_head *head, const float *matrix)
{
    return (struct glu_factor){matrix, head->width, TTT_PANEL_WIDTH};
}

void glu_multiply(const struct glu_head *head, int64_t rows, int64_t depth, const float *a, int64_t a_row,
                  int64_t a_column, struct glu_factor b, float *c, int64_t c_row, bool add)
{
    for (int64_t j = 0; j < head->d; j += TTT_PANEL_WIDTH)
        ttt_panel_multiply(&(ttt_panel_product){
            .rows = rows,
            .depth = depth,
            .width = head->d - j < TTT_PANEL_WIDTH ? head->d - j : TTT_PANEL_WIDTH,
            .a = a,
            .a_row = a_row,
            .a_column = a_column,
            .a_tile = TTT_PANEL_ROWS * a_row,
            .panel = b.at + j / TTT_PANEL_WIDTH * b.panel,
            .panel_row = b.row,
            .c = c + j,
            .c_row = c_row,
            .add = add,
            .ahead = head->ahead,
            .n_ahead = head->n_ahead,
        });
}

void glu_features(const struct glu_head *head, struct glu_strip strip, const float *x, float *const *w,
                  int first, int end, float *const *z)
{
    for (int i = first; i < end; i++)
        glu_multiply(head, strip.count, head->d, x + strip.first * head->row, head->row, 1,
                     glu_factor_of(head, w[i]), z[i], head->width, false);
}

void glu_contract(const struct glu_head *head, struct glu_strip strip, const float *x, const float *m,
                  float *sum, bool add)
{
    glu_multiply(head, head->d, strip.count, x + strip.first * head->row, 1, head->row,
                 glu_factor_of(head, m), sum, head->width, add);
}

/* a1 = v silu(z2) and a2 = v z1 silu'(z2) of a token; a1, a2 may lie over z1, z2. */
static void key_factors(int64_t d, const float *v, const float *z1, const float *z2, float *a1, float *a2)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        const float s = ttt_fast_sigmoid(z2[c]), gated = v[c] * z2[c] * s;
        a2[c] = v[c] * z1[c] * ttt_fast_silu_grad(z2[c], s);
        a1[c] = gated;
    }
}

/* a1 alone. */
static void gate(int64_t d, const float *v, const float *z2, float *a1)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++)
        a1[c] = v[c] * z2[c] * ttt_fast_sigmoid(z2[c]);
}

/* w' = w + rate r / (n + 1), by columns. */
static void move(const struct glu_head *head, int i)
{
    const int64_t d = head->d, width = head->width;
    float *norm = head->norm[i];
    memset(norm, 0, (size_t)width * sizeof *norm);
    for (int64_t r = 0; r < d && head->attributes->switches.conditioned; r++)
        for (int64_t c = 0; c < width; c++)
            norm[c] += head->step[i][r * width + c] * head->step[i][r * width + c];
    for (int64_t c = 0; c < width; c++)
        norm[c] = head->scale * sqrtf(norm[c]);
    for (int64_t r = 0; r < d; r++)
        for (int64_t c = 0; c < width; c++)
            head->moved_w[i][r * width + c] =
                head->w[i][r * width + c] + head->rate / (norm[c] + 1) * head->step[i][r * width + c];
}

void glu_step(const struct glu_head *head, float *const *z)
{
    const int64_t width = head->width;
    for (int64_t first = 0; first < head->tokens; first += GLU_STRIP) {
        const struct glu_strip strip = glu_strip_at(head, first);
        float *const *a = head->strip;
        float *at[2] = {z ? z[0] + first * width : a[0], z ? z[1] + first * width : a[1]};
        /* The inner gradient asks for z1 and z2, for z2, or for nothing. */
        glu_features(head, strip, head->k, head->w, head->moved == 2 ? 0 : 1, head->weights, at);
        for (int64_t t = 0; t < strip.count; t++) {
            const float *v = head->v + (first + t) * head->row;
            if (head->moved == 2)
                key_factors(head->d, v, at[0] + t * width, at[1] + t * width, a[0] + t * width,
                            a[1] + t * width);
            else if (head->weights == 2)
                gate(head->d, v, at[1] + t * width, a[0] + t * width);
            else
                memcpy(a[0] + t * width, v, (size_t)head->d * sizeof *v);
        }
        for (int i = 0; i < head->moved; i++)
            glu_contract(head, strip, head->k, a[i], head->step[i], first > 0);
    }
    for (int i = 0; i < head->moved; i++)
        move(head, i);
}

void glu_read(const struct glu_head *head, float *y, int64_t y_row)
{
    const bool gated = head->weights > 1;
    for (int64_t first = 0; first < head->tokens; first += GLU_STRIP) {
        const struct glu_strip strip = glu_strip_at(head, first);
        glu_features(head, strip, head->q, head->moved_w, 0, head->weights, head->strip);
        for (int64_t t = 0; t < strip.count; t++) {
            const float *p1 = head->strip[0] + t * head->width, *p2 = head->strip[1] + t * head->width;
            float *out = y + (first + t) * y_row;
#pragma omp simd
            for (int64_t c = 0; c < head->d; c++)
                out[c] = gated ? p1[c] * p2[c] * ttt_fast_sigmoid(p2[c]) : p1[c];
        }
    }
}
