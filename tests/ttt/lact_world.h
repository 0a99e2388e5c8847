/* Random inputs for graphs of fast weights, and comparisons of two outputs of one graph. */
#ifndef TESTS_TTT_LACT_WORLD_H
#define TESTS_TTT_LACT_WORLD_H

#include "tests/support/tolerance.h"
#include "tests/ttt/graph_fixture.h"

/* Writes normal numbers of this standard deviation to an input; returns them, for the caller to free. */
float *lact_world_fill(struct graph_fixture *f, const char *input, double deviation, uint64_t seed);

/* |a - b| / |b| in L2. */
double lact_world_distance(struct graph_fixture *f, const char *a, const char *b);

/* Fails the running test unless the distance is at most `tolerance` and b is not all zeros. */
void lact_world_compare(struct graph_fixture *f, const char *a, const char *b, double tolerance);

#endif
