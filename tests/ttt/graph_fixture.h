/* A graph with its store, plan and guarded device, for tests of graphs and plans. */
#ifndef TESTS_TTT_GRAPH_FIXTURE_H
#define TESTS_TTT_GRAPH_FIXTURE_H

#include "ttt/graph/plan.h"

struct graph_fixture {
    ttt_device *device;
    ttt_store *store;
    ttt_graph *graph;
    ttt_plan *plan; /* NULL until graph_fixture_plan */
};

void graph_fixture_open(struct graph_fixture *f);
void graph_fixture_open_on(struct graph_fixture *f, ttt_device *device); /* which it closes in the end */
void graph_fixture_close(struct graph_fixture *f);

/* Plans and prepares; destroys an earlier plan. */
void graph_fixture_plan(struct graph_fixture *f, const ttt_plan_options *options);

/* An input called `name`. */
ttt_tensor graph_fixture_input(struct graph_fixture *f, const char *name, ttt_shape shape);

/* Writes 1, 2, 3, ... to an input; reads `count` elements of an output; runs. */
void graph_fixture_count_up(struct graph_fixture *f, const char *input);
void graph_fixture_write(struct graph_fixture *f, const char *input, const float *values);
void graph_fixture_run(struct graph_fixture *f);
void graph_fixture_read(struct graph_fixture *f, const char *output, float *values, int64_t count);

/* Fails the running test unless output `name` holds these values. */
void graph_fixture_expect(struct graph_fixture *f, const char *output, const float *values, int64_t count);

#endif
