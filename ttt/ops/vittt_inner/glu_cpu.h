/* The gated branch on the CPU, one head of a sample at a time. */
#ifndef TTT_OPS_VITTT_INNER_GLU_CPU_H
#define TTT_OPS_VITTT_INNER_GLU_CPU_H

#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/vittt_inner/vittt_inner_operator.h"

/* Rows of matrices in the workspace are `width` elements long, d rounded up to whole panels; those from d on
 * are zeros.  What products make of tokens lies side by side, matrix by matrix of `width` columns, so that
 * they are one factor of the next product.  It is worked on in strips, for the first-level cache. */
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
    float *strip;             /* (strip, GLU_BLOCKS width) */
    int64_t strip_row;

    int64_t strip_tokens; /* most in a strip: all have nearly as many */

    ttt_panel_ahead *ahead; /* what the thread reads and writes next, of which its products ask memory */
    int n_ahead;
};

enum { GLU_AHEAD = 5 };   /* most */
enum { GLU_STRIP = 108 }; /* tokens, most: 18 tiles of the panel kernel */
enum { GLU_BLOCKS = 4 };  /* matrices side by side in a strip, */
enum { GLU_KEPT = 3 };    /* and of what is kept of the keys */

/* A strip of tokens. */
struct glu_strip {
    int64_t first, count;
};

/* A (depth, d) matrix that products read panel by panel. */
struct glu_factor {
    const float *at;
    int64_t row, panel; /* from row to row, and from panel to panel */
};

/* d rounded up to whole panels. */
int64_t glu_width(const ttt_launch *launch);

/* From token to token where `blocks` matrices lie side by side: a panel more than they take, as rows a power
 * of two apart share few sets of the cache. */
int64_t glu_row(int64_t width, int64_t blocks);

/* Floats of workspace that a head takes forward. */
int64_t glu_room(const ttt_launch *launch);

/* Head h of sample b, its matrices in `room`, its weights copied; `ahead` has GLU_AHEAD places. */
struct glu_head glu_open(const ttt_launch *launch, int64_t b, int64_t h, float *room, ttt_panel_ahead *ahead);

/* Lets the head's next products, `products` of each weight, ask memory for the tokens' parts of x, rows `row`
 * apart. */
void glu_ask(struct glu_head *head, const float *x, int64_t row, int64_t products);

struct glu_strip glu_strip_at(const struct glu_head *head, int64_t first);

/* c [+]= a b, rows x d; strides of a and c in elements. */
void glu_multiply(const struct glu_head *head, int64_t rows, int64_t depth, const float *a, int64_t a_row,
                  int64_t a_column, struct glu_factor b, float *c, int64_t c_row, bool add);

/* The products of a strip of x with w[first ... end - 1], into z's matrices of these numbers. */
void glu_features(const struct glu_head *head, struct glu_strip strip, const float *x, float *const *w,
                  int first, int end, float *z, int64_t z_row);

/* sum [+]= x^T m over a strip, (d, width); m has rows m_row apart. */
void glu_contract(const struct glu_head *head, struct glu_strip strip, const float *x, const float *m,
                  int64_t m_row, float *sum, bool add);

/* r and w' from the keys.  kept: NULL, or where z1, z2 and the sigmoid of z2 are kept, (tokens, GLU_KEPT
 * width), as far as the variant has them. */
void glu_step(const struct glu_head *head, float *kept);

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
