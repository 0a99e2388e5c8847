/* A problem as a graph and a plan, and what running it gives. */
#ifndef TESTS_TTT_OP_PLAN_H
#define TESTS_TTT_OP_PLAN_H

#include "tests/support/tolerance.h"
#include "tests/ttt/op_bf16.h"
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

/* How a problem is planned. */
struct op_way {
    const ttt_operator *op;
    const char *row; /* the one forced */
    enum depth depth;
    bool keep_chains;
    enum op_types types;
    uint64_t half; /* which half of the operands OP_MIXED takes */
};

struct op_plan {
    struct op_problem *problem;
    const struct op_way *way;
    ttt_device *device;
    ttt_graph *graph;
    ttt_store *store;
    ttt_plan *plan;
    struct op_results described; /* without data */
};

/* `device` is a guarded one.  After a failure op_plan_destroy has to follow all the same. */
ttt_status op_plan_create(struct op_plan *o, struct op_problem *p, ttt_device *device,
                          const struct op_way *way);
void op_plan_destroy(struct op_plan *o);

/* Whether an operator has any row for a kind of device. */
bool op_has_row(const ttt_operator *op, ttt_device_kind kind);

/* An operator that the plan needs and that has no row at all for the device; NULL: there is none. */
const char *op_plan_lacks(const struct op_plan *o);

/* Fills all memory with NaN, writes inputs and variables, runs, and reads everything.  `guarded`: every
 * launch on buffers of its own between guard zones (op_guard.h).  An emulated device runs threads in
 * opposite orders with and without. */
void op_plan_run(struct op_plan *o, bool guarded, struct op_results *results);
void op_results_clear(struct op_results *results);

#endif
