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

int64_t glu_width(const ttt_launch *launch)
{
    return (launch->in[1].shape.size[2] + TTT_PANEL_WIDTH - 1) / TTT_PANEL_WIDTH * TTT_PANEL_WIDTH;
}

int64_t glu_row(int64_t width, int64_t blocks)
{
    return blocks * width + TTT_PANEL_WIDTH;
}

int64_t glu_room(const ttt_launch *launch)
{
    const int64_t width = glu_width(launch);
    return (6 * launch->in[1].shape.size[2] + 2) * width + GLU_STRIP * glu_row(width, GLU_BLOCKS);
}

/* Tokens of a strip, in whole tiles, where strips are as few as can be. */
static int64_t strip_of(int64_t tokens)
{
    const int64_t strips = (tokens + GLU_STRIP - 1) / GLU_STRIP, each = (tokens + strips - 1) / strips;
    return (each + TTT_PANEL_ROWS - 1) / TTT_PANEL_ROWS * TTT_PANEL_ROWS;
}

struct glu_head glu_open(const ttt_launch *launch, int64_t b, int64_t h, float *room, ttt_panel_ahead *ahead)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const int64_t d = launch->in[1].shape.size[2], tokens = launch->in[0].shape.size[1],
                  row = launch->in[0].shape.size[2], width = glu_width(launch), matrix = d * width;
    const float *q = (const float *)launch->in[0].data + b * tokens * row + h * d;
    struct glu_head head = {
        .attributes = a,
        .ahead = ahead,
        .tokens = tokens,
        .d = d,
        .width = width,
        .row = row,
        .k = q + a->heads * d,
        .v = q + 2 * a->heads * d,
        .strip_tokens = strip_of(tokens),
        .strip = room + 6 * matrix + 2 * width,
        .strip_row = glu_row(width, GLU_BLOCKS),
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
        for (int64_t r = 0; r < d; r++)
            memcpy(head.w[i] + r * head.width, (const float *)launch->in[1 + i].data + (h * d + r) * d,
                   (size_t)d * sizeof(float));
    }
    if (head.moved == 1)
        head.moved_w[1] = head.w[1];
    return head;
}

void glu_ask(struct glu_head *head, const float *x, int64_t row, int64_t products)
{
    const int64_t tiles = head->tokens * head->width / (TTT_PANEL_ROWS * TTT_PANEL_WIDTH) + 1; /* of one */
    head->ahead[head->n_ahead++] =
        ttt_panel_ahead_of(x, row, head->tokens, head->d, products * head->weights * tiles);
}

struct glu_strip glu_strip_at(const struct glu_head *head, int64_t first)
{
    const int64_t left = head->tokens - first;
    return (struct glu_strip){first, left < head->strip_tokens ? left : head->strip_tokens};
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
                  int first, int end, float *z, int64_t z_row)
{
    for (int i = first; i < end; i++)
        glu_multiply(head, strip.count, head->d, x + strip.first * head->row, head->row, 1,
                     (struct glu_factor){w[i], head->width, TTT_PANEL_WIDTH}, z + i * head->width, z_row,
                     false);
}

void glu_contract(const struct glu_head *head, struct glu_strip strip, const float *x, const float *m,
                  int64_t m_row, float *sum, bool add)
{
    glu_multiply(head, head->d, strip.count, x + strip.first * head->row, 1, head->row,
                 (struct glu_factor){m, m_row, TTT_PANEL_WIDTH}, sum, head->width, add);
}

/* s = sigmoid(z2), a1 = v silu(z2) and a2 = v z1 silu'(z2) of a token; a1, a2 may lie over z1, z2. */
static void key_factors(int64_t d, const float *v, const float *z1, const float *z2, float *s, float *a1,
                        float *a2)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        const float sigmoid = ttt_fast_sigmoid(z2[c]), gated = v[c] * z2[c] * sigmoid;
        s[c] = sigmoid;
        a2[c] = v[c] * z1[c] * ttt_fast_silu_grad(z2[c], sigmoid);
        a1[c] = gated;
    }
}

/* s and a1 alone. */
static void gate(int64_t d, const float *v, const float *z2, float *s, float *a1)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        s[c] = ttt_fast_sigmoid(z2[c]);
        a1[c] = v[c] * z2[c] * s[c];
    }
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

void glu_step(const struct glu_head *head, float *kept)
{
    const int64_t d = head->d, width = head->width, row = kept ? glu_row(width, GLU_KEPT) : head->strip_row;
    for (int64_t first = 0; first < head->tokens; first += head->strip_tokens) {
        const struct glu_strip strip = glu_strip_at(head, first);
        float *z = kept ? kept + first * row : head->strip;
        /* The inner gradient asks for z1 and z2, for z2, or for nothing. */
        glu_features(head, strip, head->k, head->w, head->moved == 2 ? 0 : 1, head->weights, z, row);
        for (int64_t t = 0; t < strip.count; t++) {
            const float *v = head->v + (first + t) * head->row;
            float *z1 = z + t * row, *z2 = z1 + width, *s = z2 + width,
                  *a = head->strip + t * head->strip_row;
            if (head->moved == 2)
                key_factors(d, v, z1, z2, s, a, a + width);
            else if (head->weights == 2)
                gate(d, v, z2, s, a);
            else
                memcpy(a, v, (size_t)d * sizeof *v);
        }
        for (int i = 0; i < head->moved; i++)
            glu_contract(head, strip, head->k, head->strip + i * width, head->strip_row, head->step[i],
                         first > 0);
    }
    for (int i = 0; i < head->moved; i++)
        move(head, i);
}

void glu_read(const struct glu_head *head, float *y, int64_t y_row)
{
    const bool gated = head->weights > 1;
    const int64_t width = head->width, row = head->strip_row;
    for (int64_t first = 0; first < head->tokens; first += head->strip_tokens) {
        const struct glu_strip strip = glu_strip_at(head, first);
        glu_features(head, strip, head->q, head->moved_w, 0, head->weights, head->strip, row);
        for (int64_t t = 0; t < strip.count; t++) {
            const float *p1 = head->strip + t * row, *p2 = p1 + width;
            float *out = y + (first + t) * y_row;
#pragma omp simd
            for (int64_t c = 0; c < head->d; c++)
                out[c] = gated ? p1[c] * p2[c] * ttt_fast_sigmoid(p2[c]) : p1[c];
        }
    }
}
