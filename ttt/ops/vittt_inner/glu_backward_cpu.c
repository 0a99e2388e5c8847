/* The backward pass of the gated branch on the CPU.  With dy of y:
 *
 *     dP1 = dy silu(P2), dP2 = dy P1 silu'(P2),  dq = dP1 w1'^T + dP2 w2'^T,  dw' = q^T dP
 *     dr = rate (dw' - r (r . dw') scale^2 / (n (n + 1))) / (n + 1), by columns
 *     da = k dr,  dz1 = v silu'(z2) da2,  dz2 = v silu'(z2) da1 + v z1 silu''(z2) da2
 *     dv = silu(z2) da1 + z1 silu'(z2) da2,  dk = a1 dr1^T + a2 dr2^T + dz1 w1^T + dz2 w2^T
 *     dw = dw' + k^T dz
 *
 * What the forward pass made is made once more: that costs less than to bring it back from memory.
 */
#include <string.h>

#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/pointwise/math.h"
#include "ttt/ops/vittt_inner/glu_cpu.h"

/* What there is besides the head's own. */
struct backward {
    float *keys; /* (tokens, GLU_KEPT width): z1, z2 and the sigmoid of z2 */
    int64_t keys_row;
    float *dw[2], *dr[2];        /* (d, width): dw', then dw; dr */
    float *of_queries, *of_keys; /* transposed weights, in panels: one below the other */
    float *unread;               /* (d): for what nobody asks */
};

static int64_t room_of(int64_t tokens, int64_t d, int64_t width)
{
    return tokens * glu_row(width, GLU_KEPT) + (4 * d + (2 + GLU_BLOCKS) * width + 1) * width;
}

int64_t glu_backward_room(const ttt_launch *launch)
{
    return room_of(launch->in[0].shape.size[1], launch->in[1].shape.size[2], glu_width(launch));
}

static struct backward divide(const struct glu_head *head, float *room)
{
    const int64_t d = head->d, width = head->width, matrix = d * width;
    struct backward b = {.keys = room, .keys_row = glu_row(width, GLU_KEPT)};
    if (width > d)
        memset(room, 0, (size_t)room_of(head->tokens, d, width) * sizeof *room);
    for (int i = 0; i < 2; i++) {
        b.dw[i] = room + head->tokens * b.keys_row + i * matrix;
        b.dr[i] = b.dw[i] + 2 * matrix;
    }
    b.of_queries = b.dw[0] + 4 * matrix;
    b.of_keys = b.of_queries + 2 * width * width;
    b.unread = b.of_keys + GLU_BLOCKS * width * width;
    return b;
}

/* `turned` = the transposes of `count` matrices m (d, width), one below the other. */
static struct glu_factor turn(const struct glu_head *head, float *const *m, int count, float *turned)
{
    const int64_t d = head->d, width = head->width, panel = count * width * TTT_PANEL_WIDTH;
    for (int i = 0; i < count; i++)
        for (int64_t j = 0; j < d; j += TTT_PANEL_WIDTH)
            ttt_panel_pack(d, d - j < TTT_PANEL_WIDTH ? d - j : TTT_PANEL_WIDTH, m[i] + j * width, 1, width,
                           turned + j / TTT_PANEL_WIDTH * panel + i * width * TTT_PANEL_WIDTH);
    return (struct glu_factor){turned, TTT_PANEL_WIDTH, panel};
}

/* A strip of `to` = `count` matrices m, side by side, times turned ones; to: NULL where nobody asks. */
static void spread(const struct glu_head *head, struct glu_strip strip, const float *m, int64_t m_row,
                   int count, struct glu_factor turned, float *to)
{
    if (to)
        glu_multiply(head, strip.count, count * head->width, m, m_row, 1, turned,
                     to + strip.first * head->row, head->row, false);
}

/* dP1 and dP2 of a token, in place of P1 and P2. */
static void read_factors(int64_t d, const float *dy, float *p1, float *p2)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        const float s = ttt_fast_sigmoid(p2[c]), slope = ttt_fast_silu_grad(p2[c], s);
        const float second = dy[c] * p1[c] * slope;
        p1[c] = dy[c] * p2[c] * s;
        p2[c] = second;
    }
}

/* dq, and dw' in dw. */
static void read_back(const struct glu_head *head, const struct glu_gradients *to, const struct backward *b)
{
    const int weights = head->weights;
    const int64_t row = head->strip_row;
    const struct glu_factor turned = turn(head, head->moved_w, weights, b->of_queries);
    for (int64_t first = 0; first < head->tokens; first += head->strip_tokens) {
        const struct glu_strip strip = glu_strip_at(head, first);
        float *p = head->strip;
        if (weights > 1)
            glu_features(head, strip, head->q, head->moved_w, 0, weights, p, row);
        for (int64_t t = 0; t < strip.count; t++) {
            const float *dy = to->dy + (first + t) * to->dy_row;
            if (weights > 1)
                read_factors(head->d, dy, p + t * row, p + t * row + head->width);
            else
                memcpy(p + t * row, dy, (size_t)head->d * sizeof *dy);
        }
        spread(head, strip, p, row, weights, turned, to->dq);
        for (int i = 0; i < weights; i++)
            glu_contract(head, strip, head->q, p + i * head->width, row, b->dw[i], first > 0);
    }
}

/* dr of a weight. */
static void step_back(const struct glu_head *head, int i, const float *dw, float *dr)
{
    const int64_t d = head->d, width = head->width;
    const float *r = head->step[i], *norm = head->norm[i];
    float *along = dr + (d - 1) * width; /* the last row is written last */
    memset(along, 0, (size_t)width * sizeof *along);
    for (int64_t row = 0; row < d; row++)
        for (int64_t c = 0; c < width; c++)
            along[c] += r[row * width + c] * dw[row * width + c];
    for (int64_t c = 0; c < width; c++)
        along[c] = norm[c] > 0 ? along[c] * head->scale * head->scale / (norm[c] * (norm[c] + 1)) : 0;
    for (int64_t row = 0; row < d; row++)
        for (int64_t c = 0; c < width; c++)
            dr[row * width + c] =
                head->rate / (norm[c] + 1) * (dw[row * width + c] - along[c] * r[row * width + c]);
}

/* Of a token: a1, a2; dz1, dz2 in the places of da1, da2; dv.  s: the sigmoid of z2. */
static void key_back(int64_t d, const float *v, const float *z1, const float *z2, const float *s, float *a1,
                     float *a2, float *da1, float *da2, float *dv)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        const float gate = z2[c] * s[c], slope = ttt_fast_silu_grad(z2[c], s[c]);
        const float curvature = ttt_fast_silu_grad2(z2[c], s[c]), steep = v[c] * slope;
        const float first = da1[c], second = da2[c], both = second * z1[c];
        dv[c] = first * gate + both * slope;
        da1[c] = steep * second;
        da2[c] = steep * first + v[c] * curvature * both;
        a2[c] = steep * z1[c];
        a1[c] = v[c] * gate;
    }
}

/* The same where w1 moves alone: a1, and dz2 in the place of da1. */
static void last_key_back(int64_t d, const float *v, const float *z2, const float *s, float *a1, float *da1,
                          float *dv)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        const float gate = z2[c] * s[c];
        dv[c] = da1[c] * gate;
        da1[c] = v[c] * ttt_fast_silu_grad(z2[c], s[c]) * da1[c];
        a1[c] = v[c] * gate;
    }
}

/* The factors of a strip of keys, of which products become dk, and dv: a1, a2, dz1, dz2, as far as there are
 * any, side by side; da1 and da2 lie where dz1 and dz2 will, or dz2 alone. */
static void factors_back(const struct glu_head *head, const struct glu_gradients *to,
                         const struct backward *b, struct glu_strip strip)
{
    for (int64_t t = 0; t < strip.count; t++) {
        const int64_t token = strip.first + t, width = head->width;
        const float *v = head->v + token * head->row;
        const float *z1 = b->keys + token * b->keys_row, *z2 = z1 + width, *s = z2 + width;
        float *dv = to->dv ? to->dv + token * head->row : b->unread;
        float *a = head->strip + t * head->strip_row, *da = a + head->moved * width;
        if (head->moved == 2) {
            key_back(head->d, v, z1, z2, s, a, a + width, da, da + width, dv);
        } else if (head->weights == 2) {
            last_key_back(head->d, v, z2, s, a, da, dv);
        } else {
            memcpy(a, v, (size_t)head->d * sizeof *v);
            memcpy(dv, da, (size_t)head->d * sizeof *dv);
        }
    }
}

/* dk and dv, and the second part of dw. */
static void keys_back(const struct glu_head *head, const struct glu_gradients *to, const struct backward *b)
{
    const int moved = head->moved, still = 2 - moved; /* still: weights without dz, w1 where it moves alone */
    const int64_t row = head->strip_row;
    float *factor[GLU_BLOCKS], *da = head->strip + moved * head->width;
    int count = 0; /* of the factors of dk: by a1, a2, dz1, dz2, as far as there are any */
    for (int i = 0; i < moved; i++)
        factor[count++] = b->dr[i];
    for (int i = still; i < head->weights; i++)
        factor[count++] = head->w[i];
    const struct glu_factor turned = turn(head, factor, count, b->of_keys);
    for (int64_t first = 0; first < head->tokens; first += head->strip_tokens) {
        const struct glu_strip strip = glu_strip_at(head, first);
        glu_features(head, strip, head->k, b->dr, 0, moved, da, row);
        factors_back(head, to, b, strip);
        spread(head, strip, head->strip, row, count, turned, to->dk);
        for (int i = still; i < head->weights; i++)
            glu_contract(head, strip, head->k, da + (i - still) * head->width, row, b->dw[i], true);
    }
}

void glu_backward(struct glu_head *head, const struct glu_gradients *to, float *room)
{
    const struct backward b = divide(head, room);
    glu_step(head, b.keys);
    read_back(head, to, &b);
    for (int i = 0; i < head->moved; i++)
        step_back(head, i, b.dw[i], b.dr[i]);
    keys_back(head, to, &b);
    for (int i = 0; i < head->weights; i++)
        for (int64_t r = 0; r < head->d; r++)
            memcpy(to->dw[i] + r * head->d, b.dw[i] + r * head->width, (size_t)head->d * sizeof(float));
}
