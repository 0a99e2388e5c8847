/* Muon's conditioning of a gradient: Newton-Schulz iteration towards its orthogonal factor. */
#ifndef TTT_FAST_MUON_H
#define TTT_FAST_MUON_H

#include "ttt/graph/graph.h"

/* From x / (|x| + 1e-7), |x| the Frobenius norm, `steps` times
 *
 *     s = x x^T,   x = a x + (b s + c s s) x,   (a, b, c) = (3.4445, -4.7750, 2.0315)
 *
 * which brings every singular value near 1.  A tall matrix is iterated transposed: the cost goes with its
 * smaller side squared.
 *
 * x  (..., rows, columns)  f32, each matrix of the batch for itself; steps >= 0
 *
 * Returns x's shape; a transposed view where x is tall.  Fails with TTT_SHAPE for fewer than two dimensions.
 * Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
 */
ttt_tensor ttt_newton_schulz(ttt_graph *g, ttt_tensor x, int steps);

#endif
