/* The gated features of an inner model with SwiGLU (Shazeer, "GLU variants improve transformer", 2020), with
 * a rate for each token.
 */
#ifndef TTT_OPS_SWIGLU_SWIGLU_H
#define TTT_OPS_SWIGLU_SWIGLU_H

#include "ttt/graph/graph.h"

typedef struct ttt_swiglu {
    ttt_tensor y;        /* rate silu(gate) up */
    ttt_tensor gate, up; /* x w_gate, x w_up */
    ttt_tensor act;      /* silu(gate) */
} ttt_swiglu;

/* All (..., L, m), contiguous.
 *
 * x             (..., L, d)  f32
 * w_gate, w_up  (..., d, m)  f32; their leading dimensions are those of x or broadcast to them
 * rate          (..., L, 1)  f32, as x's leading dimensions; or TTT_NONE for 1
 *
 * One operator on GPUs, where operands are contiguous and weights are x's, matrix by matrix, or shared by
 * all; elsewhere products and what follows them.  Fails with TTT_SHAPE as ttt_matmul does.
 */
ttt_swiglu ttt_swiglu_of(ttt_graph *g, ttt_tensor x, ttt_tensor w_gate, ttt_tensor w_up, ttt_tensor rate);

#endif
