/* The gated branch on the CPU, one head of a sample at a time. */
#ifndef TTT_OPS_VITTT_INNER_GLU_CPU_H
#define TTT_OPS_VITTT_INNER_GLU_CPU_H

#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/vittt_inner/vittt_inner_operator.h"

/* Rows of matrices in the workspace are `width` elements long, d rounded up to whole panels; those from d on
 * are zeros.  Matrices of tokens are worked on in strips that fit the first-level cache. */
struct glu_head {
    const struct ttt_vittt_inner_attributes *attributes;
    int64_t tokens, d, width;
    const float *q, *k, *v; /* (tokens, d), rows `row` apart */
    int64_t row;
    float scale, rate;  /* g = -scale k^T a;  w' = w + rate k^T a / (norm + 1) */
    int weights, moved; /* how many there are, and how many are moved */

    float *w[2], *moved_w[2]; /* (d, width): w, w' */
    float *step[2];           /* (d, width): r = k^T a */
    float *norm[2];           /* (width): that of g's columns, or 0 where they are not conditioned */
    float *strip[2];          /* (STRIP, width) */

    ttt_panel_ahead *ahead; /* what the thread reads and writes next, of which its products ask memory */
    int n_ahead;
};

enum { GLU_AHEAD = 5 };  /* most */
enum { GLU_STRIP = 96 }; /* tokens: 16 tiles of the panel kernel */

/* A strip of tokens. */
struct glu_strip {
    int64_t first, count;
};

/* A (depth, d) matrix that products read panel by panel. */
struct glu_factor {
    const float *at;
    int64_t row, panel; /* from row to row, and from panel to panel */
};

/* Floats of workspace that a head takes forward. */
int64_t glu_room(const ttt_launch *launch);

/* Head h of sample b, its matrices in `room`, its weights copied; `ahead` has GLU_AHEAD places. */
struct glu_head glu_open(const ttt_launch *launch, int64_t b, int64_t h, float *room, ttt_panel_ahead *ahead);

/* Lets the head's products ask memory for the tokens' parts of x, rows `row` apart. */
void glu_ask(struct glu_head *head, const float *x, int64_t row);

struct glu_strip glu_strip_at(const struct glu_head *head, int64_t first);

/* A matrix of the workspace as a factor. */
struct glu_factor glu_factor_of(const struct glu_head *head, const float *matrix);

/* c [+]= a b, rows x d; strides of a and c in elements. */
void glu_multiply(const struct glu_head *head, int64_t rows, int64_t depth, const float *a, int64_t a_row,
                  int64_t a_column, struct glu_factor b, float *c, int64_t c_row, bool add);

/* The products of a strip of x with w[first ... end - 1], into z. */
void glu_features(const struct glu_head *head, struct glu_strip strip, const float *x, float *const *w,
                  int first, int end, float *const *z);

/* sum [+]= x^T m over a strip, (d, width). */
void glu_contract(const struct glu_head *head, struct glu_strip strip, const float *x, const float *m,
                  float *sum, bool add);

/* r and w' from the keys.  z: NULL, or where z1 and z2 of all tokens are kept, (tokens, width) each. */
void glu_step(const struct glu_head *head, float *const *z);

/* y (tokens, d), rows y_row apart, of the head's queries. */
void glu_read(const struct glu_head *head, float *y, int64_t y_row);

/* Its backward pass. */
struct glu_gradients {
    const float *dy; /* (tokens, d) */
    int64_t dy_row;
    float *dq, *dk, *dv; /* (tokens, d), rows as those of q; NULL: nobody asks */
    float *dw[2];        /* (d, d): this head's and sample's */
};
int64_t glu_backward_room(const ttt_launch *launch);
void glu_backward(struct glu_head *head, const struct glu_gradients *to, float *room);

#endif
