/* Newton-Schulz iteration out of operators, so that it can be differentiated. */
#include "ttt/fast/muon.h"

#include <math.h>

#include "ttt/graph/operator.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/symmetric/symmetric.h"

/* The quintic a x + b x^3 + c x^5 of singular values that lifts small ones fastest, and keeps all within
 * about 0.3 of 1.  We iterate on x times the fourth root of c, whose quintic is a x + b/sqrt(c) x^3 + x^5:
 * without its last factor, products need nothing but their epilogues, forward and backward. */
static const double a = 3.4445, b = -4.7750, c = 2.0315;

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
    const unsigned both = 3U << (shape.rank - 2);
    if (tall)
        x = ttt_transpose(g, x, -1, -2);
    x = ttt_div(g, x, ttt_shift(g, ttt_norm(g, x, both), 1e-7F));
    x = ttt_scale(g, x, (float)pow(c, 0.25));
    for (int step = 0; step < steps; step++) {
        ttt_tensor s = ttt_syrk(g, x, 0);
        ttt_tensor factor = ttt_add(g, ttt_scale(g, s, (float)(b / sqrt(c))), ttt_syrk(g, s, (float)a));
        x = ttt_matmul(g, factor, x);
    }
    x = ttt_scale(g, x, (float)pow(c, -0.25));
    return tall ? ttt_transpose(g, x, -1, -2) : x;
}
