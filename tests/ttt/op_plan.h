/* A problem as a graph and a plan, and what running it gives. */
#ifndef TESTS_TTT_OP_PLAN_H
#define TESTS_TTT_OP_PLAN_H

#include "tests/support/tolerance.h"
#include "tests/ttt/op_problem.h"
#include "ttt/graph/plan.h"

/* One tensor read back. */
struct op_result {
    enum quantity quantity;
    int input, output; /* whose gradient, or which output; -1: not of that kind */
    int64_t count;
    float *data;
};

enum { OP_MOST_RESULTS = 5 * OP_MAX };

struct op_results {
    int count;
    struct op_result result[OP_MOST_RESULTS];
};

struct op_plan {
    struct op_problem *problem;
    enum depth depth;
    ttt_device *device;
    ttt_graph *graph;
    ttt_store *store;
    ttt_plan *plan;
    struct op_results described; /* without data */
};

/* Builds and plans with the row `row` of the problem's operator forced. */
ttt_status op_plan_create(struct op_plan *o, struct op_problem *p, ttt_device *device /* guarded */,
                          const char *row, enum depth depth, bool keep_chains);
void op_plan_destroy(struct op_plan *o);

/* Fills all memory with NaN, writes inputs and variables, runs, and reads everything.  `guarded`: launch by
 * launch, each on buffers of its own between guard zones (op_guard.h). */
void op_plan_run(struct op_plan *o, bool guarded, struct op_results *results);
void op_results_clear(struct op_results *results);

#endif
