/* Products with pointwise work behind them, for tests of what the planner makes of that. */
#ifndef TESTS_TTT_ABSORB_PATTERNS_H
#define TESTS_TTT_ABSORB_PATTERNS_H

#include "ttt/graph/graph.h"

/* Deep enough that every row adds up in several steps, with few enough rows for matmul:small. */
enum { BATCH = 2, M = 16, K = 400, ODD = 33, EVEN = 40, INPUTS = 4 };

/* a (BATCH, M, K), b (BATCH, K, N), c (BATCH, M, N), w (N, K); N is ODD or EVEN */
struct operands {
    ttt_tensor a, b, c, w;
};

struct pattern {
    const char *name;
    ttt_tensor (*build)(ttt_graph *g, const struct operands *x);
    int left;         /* pointwise nodes in the plan */
    bool no_gradient; /* an operator in it has none */
};

/* Pattern number i; its name is NULL past the last. */
struct pattern pattern_at(int i);

/* Whether it multiplies its factors, which is less work than one operation after the other. */
bool pattern_multiplies_factors(int i);

#endif
