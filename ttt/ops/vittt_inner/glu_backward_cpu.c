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
    float *z[2];          /* (tokens, width): z1, z2 */
    float *dw[2], *dr[2]; /* (d, width): dw', then dw; dr */
    float *turned[4];     /* transposed weights, in panels */
    float *unread;        /* (d): for what nobody asks */
};

int64_t glu_backward_room(const ttt_launch *launch)
{
    const int64_t d = launch->in[1].shape.size[2],
                  width = (d + TTT_PANEL_WIDTH - 1) / TTT_PANEL_WIDTH * TTT_PANEL_WIDTH;
    return (2 * launch->in[0].shape.size[1] + 8 * d + 1) * width;
}

static struct backward divide(const struct glu_head *head, float *room)
{
    const int64_t matrix = head->d * head->width, tokens = head->tokens * head->width;
    struct backward b;
    if (head->width > head->d)
        memset(room, 0, (size_t)(2 * tokens + 8 * matrix + head->width) * sizeof *room);
    for (int i = 0; i < 2; i++) {
        b.z[i] = room + i * tokens;
        b.dw[i] = room + 2 * tokens + i * matrix;
        b.dr[i] = b.dw[i] + 2 * matrix;
        b.turned[i] = b.dw[i] + 4 * matrix;
        b.turned[2 + i] = b.dw[i] + 6 * matrix;
    }
    b.unread = room + 2 * tokens + 8 * matrix;
    return b;
}

/* The transpose of m (d, width), packed. */
static struct glu_factor turn(const struct glu_head *head, const float *m, float *turned)
{
    for (int64_t j = 0; j < head->d; j += TTT_PANEL_WIDTH)
        ttt_panel_pack(head->d, head->d - j < TTT_PANEL_WIDTH ? head->d - j : TTT_PANEL_WIDTH,
                       m + j * head->width, 1, head->width, turned + j * head->d);
    return (struct glu_factor){turned, TTT_PANEL_WIDTH, head->d * TTT_PANEL_WIDTH};
}

/* A strip of `to` [+]= m turned; to: NULL where nobody asks. */
static void spread(const struct glu_head *head, struct glu_strip strip, const float *m,
                   struct glu_factor turned, float *to, bool add)
{
    if (to)
        glu_multiply(head, strip.count, head->d, m, head->width, 1, turned, to + strip.first * head->row,
                     head->row, add);
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
    struct glu_factor turned[2];
    for (int i = 0; i < weights; i++)
        turned[i] = turn(head, head->moved_w[i], b->turned[i]);
    for (int64_t first = 0; first < head->tokens; first += GLU_STRIP) {
        const struct glu_strip strip = glu_strip_at(head, first);
        float *const *p = head->strip;
        if (weights > 1)
            glu_features(head, strip, head->q, head->moved_w, 0, weights, p);
        for (int64_t t = 0; t < strip.count; t++) {
            const float *dy = to->dy + (first + t) * to->dy_row;
            if (weights > 1)
                read_factors(head->d, dy, p[0] + t * head->width, p[1] + t * head->width);
            else
                memcpy(p[0] + t * head->width, dy, (size_t)head->d * sizeof *dy);
        }
        for (int i = 0; i < weights; i++) {
            spread(head, strip, p[i], turned[i], to->dq, i > 0);
            glu_contract(head, strip, head->q, p[i], b->dw[i], first > 0);
        }
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

/* Of a token: from z1, z2, da1, da2 to a1, a2, dz1, dz2 in their places, and dv. */
static void key_back(int64_t d, const float *v, float *z1, float *z2, float *da1, float *da2, float *dv)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        const float s = ttt_fast_sigmoid(z2[c]), gate = z2[c] * s, slope = ttt_fast_silu_grad(z2[c], s);
        const float curvature = ttt_fast_silu_grad2(z2[c], s), steep = v[c] * slope, both = da2[c] * z1[c];
        const float first = da1[c], second = da2[c];
        dv[c] = first * gate + both * slope;
        da1[c] = steep * second;
        da2[c] = steep * first + v[c] * curvature * both;
        z2[c] = steep * z1[c];
        z1[c] = v[c] * gate;
    }
}

/* The same where w1 moves alone: from z2, da1 to a1, dz2 in the place of z1, da1. */
static void last_key_back(int64_t d, const float *v, float *z1, const float *z2, float *da1, float *dv)
{
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
        const float s = ttt_fast_sigmoid(z2[c]), gate = z2[c] * s, slope = ttt_fast_silu_grad(z2[c], s);
        dv[c] = da1[c] * gate;
        da1[c] = v[c] * slope * da1[c];
        z1[c] = v[c] * gate;
    }
}

/* The factors of a strip of keys, of which products become dk, and dv.  da: da1, da2. */
static void factors_back(const struct glu_head *head, const struct glu_gradients *to,
                         const struct backward *b, struct glu_strip strip, float *const *da)
{
    for (int64_t t = 0; t < strip.count; t++) {
        const int64_t token = strip.first + t, at = t * head->width;
        const float *v = head->v + token * head->row;
        float *dv = to->dv ? to->dv + token * head->row : b->unread;
        float *z1 = b->z[0] + token * head->width, *z2 = b->z[1] + token * head->width;
        if (head->moved == 2) {
            key_back(head->d, v, z1, z2, da[0] + at, da[1] + at, dv);
        } else if (head->weights == 2) {
            last_key_back(head->d, v, z1, z2, da[0] + at, dv);
        } else {
            memcpy(z1, v, (size_t)head->d * sizeof *v);
            memcpy(dv, da[0] + at, (size_t)head->d * sizeof *dv);
        }
    }
}

/* dk and dv, and the second part of dw. */
static void keys_back(const struct glu_head *head, const struct glu_gradients *to, const struct backward *b)
{
    struct glu_factor dr[2], w[2];
    for (int i = 0; i < head->moved; i++)
        dr[i] = turn(head, b->dr[i], b->turned[i]);
    for (int i = 0; i < head->weights; i++)
        w[i] = turn(head, head->w[i], b->turned[2 + i]);
    for (int64_t first = 0; first < head->tokens; first += GLU_STRIP) {
        const struct glu_strip strip = glu_strip_at(head, first);
        float *const *da = head->strip;
        glu_features(head, strip, head->k, b->dr, 0, head->moved, da);
        factors_back(head, to, b, strip, da);
        for (int i = 0; i < head->moved; i++)
            spread(head, strip, b->z[i] + first * head->width, dr[i], to->dk, i > 0);
        for (int i = 2 - head->moved; i < head->weights;
             i++) { /* z2 alone has a gradient where w1 moves alone */
            const float *dz = da[head->moved == 2 ? i : 0];
            spread(head, strip, dz, w[i], to->dk, true);
            glu_contract(head, strip, head->k, dz, b->dw[i], true);
        }
    }
}

void glu_backward(struct glu_head *head, const struct glu_gradients *to, float *room)
{
    const struct backward b = divide(head, room);
    glu_step(head, b.z);
    read_back(head, to, &b);
    for (int i = 0; i < head->moved; i++)
        step_back(head, i, b.dw[i], b.dr[i]);
    keys_back(head, to, &b);
    for (int i = 0; i < head->weights; i++)
        for (int64_t r = 0; r < head->d; r++)
            memcpy(to->dw[i] + r * head->d, b.dw[i] + r * head->width, (size_t)head->d * sizeof(float));
}
