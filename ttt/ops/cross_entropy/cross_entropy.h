/* Cross-entropy with soft targets. */
#ifndef TTT_OPS_CROSS_ENTROPY_CROSS_ENTROPY_H
#define TTT_OPS_CROSS_ENTROPY_CROSS_ENTROPY_H

#include "ttt/graph/graph.h"

/* loss = mean over rows of -sum_k target[k] * log_softmax(logits)[k].
 *
 * logits  (B, K)  f32, contiguous
 * target  (B, K)  f32, contiguous; rows need not add up to 1.  No gradient flows into it.
 *
 * Returns (1).  Fails with TTT_SHAPE when the shapes differ.
 */
ttt_tensor ttt_cross_entropy(ttt_graph *g, ttt_tensor logits, ttt_tensor target);

#endif
