/* The inside of a ViTTT layer as one operator: both branches between its two projections. */
#ifndef TTT_OPS_VITTT_INNER_VITTT_INNER_H
#define TTT_OPS_VITTT_INNER_VITTT_INNER_H

#include "ttt/graph/graph.h"

/* Switches of the layer (ttt/fast/variant.h); all false is the baseline without conditioning. */
typedef struct ttt_vittt_inner_switches {
    bool linear;       /* f(x) = x w1 in place of (x w1) * silu(x w2) */
    bool last_only;    /* w2 stays as it is */
    bool ascent;       /* the weights move along the gradient, not against it */
    bool conditioned;  /* each column of the gradients of w1, w2 is divided by (its norm + 1) */
    bool query_is_key; /* the moved weights are read with k */
} ttt_vittt_inner_switches;

/* One inner step of rate 1 on the loss -<f(k), v> / (3 N), and what the moved weights make of q:
 *
 *     gated branch, by head:        w' = w - g / (|g| + 1),  y1 = (q1 w1') * silu(q1 w2')
 *     convolution branch (3 x 3):   w3' = w3 - g / (|g| + 1),  y2 = conv(q2, w3')
 *
 * qkv     (B, N, 3C + 3d)  q1, k1, v1 of C = H d channels, q2, k2, v2 of d; N = height * width tokens
 * w1, w2  (1, H, d, d)     f32
 * w3      (d, 3, 3)        f32
 *
 * Returns y (B, N, C + d): y1 and y2.  The norm of g is that of a column (w1, w2) or of nine taps (w3), which
 * are conditioned whatever the switch says.  Fails with TTT_SHAPE when the shapes do not match; a plan finds
 * no row for it on CUDA where ttt_vittt_inner_fits is false.  ttt/fast/vittt.c composes the same of other
 * operators.
 */
ttt_tensor ttt_vittt_inner(ttt_graph *g, ttt_tensor qkv, ttt_tensor w1, ttt_tensor w2, ttt_tensor w3,
                           int64_t height, int64_t width, const ttt_vittt_inner_switches *switches);

/* Whether it and its gradient are the way for the graph's target and for heads of d channels over N tokens:
 * on the CPU in f32 (any sizes); on CUDA with bf16 activations, d 32 or 64, at most 256 tokens, and as much
 * shared memory as that takes: for d 64 and 196 tokens 107 KiB a block, more than the 99 of small Ampere and
 * Ada GPUs. */
bool ttt_vittt_inner_fits(const ttt_graph *g, int64_t d, int64_t tokens);

#endif
