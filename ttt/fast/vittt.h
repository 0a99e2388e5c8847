/* The ViTTT layer: a gated linear branch per head and a depthwise convolution branch, each trained for
 * `inner_steps` full-batch steps of rate 1 on its keys and values, then read with its queries.
 *
 * Shapes: B samples, h x w tokens, N = h*w, C width, H heads, d = C/H.
 */
#ifndef TTT_FAST_VITTT_H
#define TTT_FAST_VITTT_H

#include "ttt/fast/variant.h"
#include "ttt/graph/graph.h"

typedef struct ttt_vittt_weights {
    ttt_tensor qkv_weight;  /* (3C + 3d, C) */
    ttt_tensor qkv_bias;    /* (3C + 3d) */
    ttt_tensor w1, w2;      /* (1, H, d, d): initial fast weights of the gated branch */
    ttt_tensor w3;          /* (d, 1, 3, 3): of the convolution branch */
    ttt_tensor proj_weight; /* (C, C + d) */
    ttt_tensor proj_bias;   /* (C) */
} ttt_vittt_weights;

/* x (B, h, w, C) to (B, h, w, C).  The number of heads is w1's.
 * Switches that ViTTT has not (weight_norm, token_lr, momentum) are ignored. */
ttt_tensor ttt_vittt_layer(ttt_graph *g, const ttt_vittt_weights *weights, ttt_tensor x,
                           const ttt_variant *variant);

/* One inner step of f(x) = (x w1) * silu(x w2), or f(x) = x w1.
 * w1, w2 (B or 1, H, d, d) are replaced by the moved ones; k, v (B, H, N, d). */
void ttt_vittt_glu_step(ttt_graph *g, ttt_tensor *w1, ttt_tensor *w2, ttt_tensor k, ttt_tensor v,
                        const ttt_variant *variant);

/* f(x), x (B, H, N, d). */
ttt_tensor ttt_vittt_glu_apply(ttt_graph *g, ttt_tensor w1, ttt_tensor w2, ttt_tensor x,
                               const ttt_variant *variant);

/* One inner step of a depthwise 3x3 convolution; returns the moved kernel (B, d, 3, 3).
 * w3 (d, 3, 3) or (B, d, 3, 3); k, v (B, h, w, d).  The dot loss, the update of all weights and the division
 * by (norm + 1) always apply: the convolution is one linear layer, so it is its own last layer. */
ttt_tensor ttt_vittt_conv_step(ttt_graph *g, ttt_tensor w3, ttt_tensor k, ttt_tensor v,
                               const ttt_variant *variant);

#endif
