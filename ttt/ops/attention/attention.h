/* Softmax attention. */
#ifndef TTT_OPS_ATTENTION_ATTENTION_H
#define TTT_OPS_ATTENTION_ATTENTION_H

#include "ttt/graph/graph.h"

/* y = softmax(q k^T / sqrt(d)) v for each sample and head; every query sees every key.
 *
 * q     (B, H, M, d)  f32, any strides; copied first unless its rows are of unit stride
 * k, v  (B, H, L, d)  likewise
 *
 * Returns (B, H, M, d): a view, laid out as (B, M, H, d), so that ttt_transpose(g, y, 1, 2) joins the heads
 * with no copy.  Memory beyond it is one number a query.
 * Fails with TTT_SHAPE, naming the shapes, when they do not fit.
 * Vaswani et al., "Attention is all you need", 2017; in blocks: Dao et al., "FlashAttention", 2022.
 */
ttt_tensor ttt_attention(ttt_graph *g, ttt_tensor q, ttt_tensor k, ttt_tensor v);

#endif
