/* Newton-Schulz iteration out of operators, so that it can be differentiated. */
#include "ttt/fast/muon.h"

#include "ttt/graph/operator.h"
#include "ttt/ops/l2norm/l2norm.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"

/* The quintic that lifts small singular values fastest, and keeps all within about 0.3 of 1. */
static const float a = 3.4445F, b = -4.7750F, c = 2.0315F;

ttt_tensor ttt_newton_schulz(ttt_graph *g, ttt_tensor x, int steps)
{
    if (!ttt_exists(x))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, x);
    if (shape.rank < 2) {
        char text[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "newton_schulz: %s is no matrix", ttt_shape_text(shape, text));
    }
    const bool tall = ttt_size(g, x, -2) > ttt_size(g, x, -1);
    x = ttt_l2norm(g, x, 2, 1e-7F);
    if (tall)
        x = ttt_transpose(g, x, -1, -2);
    for (int step = 0; step < steps; step++) {
        ttt_tensor s = ttt_matmul(g, x, ttt_transpose(g, x, -1, -2));
        ttt_tensor factor = ttt_add(g, ttt_scale(g, s, b), ttt_scale(g, ttt_matmul(g, s, s), c));
        x = ttt_add(g, ttt_scale(g, x, a), ttt_matmul(g, factor, x));
    }
    return tall ? ttt_transpose(g, x, -1, -2) : x;
}
