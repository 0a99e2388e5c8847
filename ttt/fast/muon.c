/* Newton-Schulz iteration out of operators, so that it can be differentiated. */
#include "ttt/fast/muon.h"

#include <math.h>

#include "ttt/graph/operator.h"
#include "ttt/ops/l2norm/l2norm.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/symmetric/symmetric.h"

/* The quintic a x + b x^3 + c x^5 of singular values that lifts small ones fastest, and keeps all within
 * about 0.3 of 1.  Between the first step and the last we hold x times the fourth root of c, whose quintic is
 * a x + b/sqrt(c) x^3 + x^5: without its last factor, products need nothing but their epilogues, forward and
 * backward. */
static const double a = 3.4445, b = -4.7750, c = 2.0315;

static ttt_tensor scaled(ttt_graph *g, ttt_tensor x, double factor)
{
    return factor == 1 ? x : ttt_scale(g, x, (float)factor);
}

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
        const double comes_in = step == 0 ? pow(c, 0.25) : 1,
                     goes_out = step == steps - 1 ? pow(c, -0.25) : 1;
        ttt_tensor s = scaled(g, ttt_syrk(g, x, 0), comes_in * comes_in);
        ttt_tensor factor = ttt_add(g, ttt_scale(g, s, (float)(b / sqrt(c))), ttt_syrk(g, s, (float)a));
        x = ttt_matmul(g, scaled(g, factor, comes_in * goes_out), x);
    }
    return tall ? ttt_transpose(g, x, -1, -2) : x;
}
