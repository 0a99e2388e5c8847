/* Cross-entropy with soft targets. */
#ifndef TTT_OPS_CROSS_ENTROPY_CROSS_ENTROPY_H
#define TTT_OPS_CROSS_ENTROPY_CROSS_ENTROPY_H

#include "ttt/graph/graph.h"

/* loss = mean over rows of -sum_k target[k] * log_softmax(logits)[k].
 *
 * logits  (B, K)  f32
 * target  (B, K)  f32; rows need not add up to 1.  No gradient flows into it.
 *
 * Logits of any size are safe; a NaN among them makes the loss NaN.
 * Returns (1).  Fails with TTT_SHAPE when the shapes differ.
 */
ttt_tensor ttt_cross_entropy(ttt_graph *g, ttt_tensor logits, ttt_tensor target);

#endif
