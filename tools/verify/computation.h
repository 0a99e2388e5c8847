/* A graph whose inputs, parameters and results carry the names of a fixture's tensors. */
#ifndef TOOLS_VERIFY_COMPUTATION_H
#define TOOLS_VERIFY_COMPUTATION_H

#include "tools/verify/fixture.h"
#include "tools/verify/place.h"
#include "tools/verify/report.h"
#include "ttt/graph/graph.h"
#include "ttt/graph/plan.h"
#include "ttt/graph/store.h"
#include "vision/vittt.h"

enum { COMPUTATION_MOST_INPUTS = 12 };

struct computation {
    const struct fixture *fixture;
    struct verify_place place;
    ttt_graph *graph;
    ttt_store *store;
    ttt_plan *plan; /* after computation_run */
    char inputs[COMPUTATION_MOST_INPUTS][32];
    int n_inputs;
    enum verify_quantity of_outputs, of_gradients; /* set at creation: VERIFY_OUTPUT and VERIFY_GRADIENT */
};

/* On failure there is nothing to destroy. */
ttt_status computation_create(const struct fixture *fixture, const struct verify_place *place,
                              struct computation *c) __attribute__((warn_unused_result));
void computation_destroy(struct computation *c);

/* What the results go through, where that is more than VERIFY_SHALLOW. */
void computation_quantities(struct computation *c, enum verify_depth depth);

/* An input that run fills from the fixture's tensor `name`, which must have this shape. */
ttt_status computation_input(struct computation *c, const char *name, ttt_shape shape, ttt_tensor *input)
    __attribute__((warn_unused_result));

/* A variable for each parameter, which run fills from the fixture's "param.NAME"; shapes must be equal. */
ttt_status computation_parameters(struct computation *c, const struct parameter *parameters, int count,
                                  ttt_tensor *tensors) __attribute__((warn_unused_result));

/* Keeps x as the output `name`; the fixture must have a tensor of that name and x's shape. */
ttt_status computation_output(struct computation *c, const char *name, ttt_tensor x)
    __attribute__((warn_unused_result));

/* Keeps the gradient of `wanted` as "grad.NAME" where the fixture has one; TTT_NONE stands for zeros. */
ttt_status computation_gradient(struct computation *c, const char *name, ttt_tensor wanted,
                                ttt_tensor gradient) __attribute__((warn_unused_result));

/* Plans the graph, fills it and runs it once. */
ttt_status computation_run(struct computation *c) __attribute__((warn_unused_result));

/* Adds a row for every out.* and grad.* of the fixture that the computation has, zeros for gradients that do
 * not exist. */
ttt_status computation_report(const struct computation *c, struct report *report)
    __attribute__((warn_unused_result));

#endif
