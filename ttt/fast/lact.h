/* The LaCT layer: fast weights per head, moved by large chunks of keys and values, then read with queries.
 *
 * Inner model: f(x) = (silu(x w0) * (x w2)) w1, or f(x) = x w1.
 * Shapes: B samples, L tokens, D width, H heads, d = D/H, m = hidden width of the fast weights.  Fast weights
 * are (B, H, d, m) for w[0] and w[2], (B, H, m, d) for w[1]; with 1 for B while they are alike in all
 * samples. For f(x) = x w1, m = d, and w[0] and w[2] may be TTT_NONE. "Test-Time Training Done Right", arXiv
 * 2505.23884.
 */
#ifndef TTT_FAST_LACT_H
#define TTT_FAST_LACT_H

#include "ttt/fast/variant.h"
#include "ttt/graph/graph.h"

typedef struct ttt_lact_options {
    ttt_variant variant;
    int muon_steps; /* of Newton-Schulz; 5 as published */
    double base_lr; /* of the layer: a token's rate where lr_fc gives 0, above 0; 0.01 as published */
} ttt_lact_options;

/* Fast weights on their way. */
typedef struct ttt_lact_fast {
    ttt_tensor w[3];
    ttt_tensor norm[3];     /* column norms that weight_norm restores; none: it does not */
    ttt_tensor momentum[3]; /* the last step's directions with momentum; none before the first step */
} ttt_lact_fast;

/* Fast weights at rest: the column norms to restore are those of `w`, taken as constants by the gradient. */
ttt_lact_fast ttt_lact_start(ttt_graph *g, const ttt_lact_options *options, const ttt_tensor w[3]);

/* What the inner model is trained on and read with, per token. */
typedef struct ttt_lact_tokens {
    ttt_tensor q, k, v; /* (B, H, L, d) */
    ttt_tensor rate[3]; /* (B, H, L, 1), of w[0], w[1] and w[2]; not looked at without token_lr */
} ttt_lact_tokens;

/* Minus the gradient of the inner loss, each token weighted by its rate: direction[i] is shaped as w[i], none
 * where the variant leaves w[i] as it is; w[1]'s is turned, (B, H, d, m), where ttt_lact_move joins all
 * three. It is a sum over tokens: the directions of two sets of tokens add.  tokens->q is not looked at. */
void ttt_lact_direction(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                        const ttt_lact_tokens *tokens, ttt_tensor direction[3]);

/* Moves the fast weights along `direction`: momentum, Newton-Schulz and weight norm, as the variant says.
 * momentum  (B or 1, H or 1, 1, 1), the factor of the steps before, or TTT_NONE */
void ttt_lact_move(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                   const ttt_tensor direction[3], ttt_tensor momentum);

/* inner_steps times direction and move. */
void ttt_lact_update(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                     const ttt_lact_tokens *tokens, ttt_tensor momentum);

/* What stands in front of w[1]: silu(x w0) * (x w2) (B, H, L, m), or x itself; and f(x) (B, H, L, d). */
ttt_tensor ttt_lact_features(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                             ttt_tensor x);
ttt_tensor ttt_lact_apply(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_fast *fast,
                          ttt_tensor x);

/* What the variant reads the fast weights with: q, or k. */
ttt_tensor ttt_lact_query(const ttt_lact_options *options, const ttt_lact_tokens *tokens);

/* The layer's parameters, as published; linear weights are (out, in). */
typedef struct ttt_lact_weights {
    ttt_tensor to_qkv;                   /* (3D, D) */
    ttt_tensor lr_fc_weight, lr_fc_bias; /* (3H, D), (3H) */
    ttt_tensor w[3];                     /* (H, d, m), (H, m, d), (H, d, m): initial fast weights */
    ttt_tensor o_norm;                   /* (d) */
    ttt_tensor c_proj;                   /* (D, D) */
} ttt_lact_weights;

/* Tokens start ... end - 1: the fast weights are first moved on them, then read with them. */
typedef struct ttt_lact_window {
    int64_t start, end;
    bool update, apply;
} ttt_lact_window;

/* The layer over `count` windows in order.
 *
 * x      (B, L, D)
 * state  fast weights that an earlier plan left, to start from, or three times TTT_NONE for the initial ones;
 *        becomes the fast weights after the plan (with 1 for B where no window moved initial ones).  NULL:
 *        starts from the initial ones, and they are not handed out.
 *
 * Returns what the windows with `apply` gave, one after another: (B, sum of their lengths, D); TTT_NONE when
 * there is none.  Fails with TTT_SHAPE where x and the weights do not fit, TTT_ARGUMENT for a window outside
 * of x, or a base_lr that is not above 0.
 */
ttt_tensor ttt_lact_layer(ttt_graph *g, const ttt_lact_options *options, const ttt_lact_weights *weights,
                          ttt_tensor x, const ttt_lact_window *plan, int count, ttt_tensor state[3]);

/* The layer's first part: x (B, L, D) to queries, keys, values and rates, views where that is possible. */
ttt_lact_tokens ttt_lact_project(ttt_graph *g, const ttt_lact_options *options,
                                 const ttt_lact_weights *weights, ttt_tensor x);

/* Its last part: y (B, H, L, d), what the fast weights gave, to (B, L, D). */
ttt_tensor ttt_lact_join(ttt_graph *g, const ttt_lact_weights *weights, ttt_tensor y);

/* The layer's initial fast weights as (1, H, ...). */
void ttt_lact_initial(ttt_graph *g, const ttt_lact_weights *weights, ttt_tensor w[3]);

#endif
