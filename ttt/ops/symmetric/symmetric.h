/* Products that are symmetric matrices, at half the work of others.  Names as in BLAS. */
#ifndef TTT_OPS_SYMMETRIC_SYMMETRIC_H
#define TTT_OPS_SYMMETRIC_SYMMETRIC_H

#include "ttt/graph/graph.h"

/* y = a a^T + shift I in the last two dimensions, I the identity.
 *
 * a  (..., N, K)  f32 or bf16; copied first unless contiguous
 *
 * Returns (..., N, N), which ttt_is_symmetric knows.  Fails with TTT_SHAPE when a is no matrix.
 */
ttt_tensor ttt_syrk(ttt_graph *g, ttt_tensor a, float shift);

/* y = alpha (a b^T + b a^T); a and b have one shape.  TTT_SHAPE when they have not. */
ttt_tensor ttt_syr2k(ttt_graph *g, float alpha, ttt_tensor a, ttt_tensor b);

#endif
