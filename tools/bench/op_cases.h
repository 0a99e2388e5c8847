/* Operators at the shapes of training vittt_tiny on 16 pictures of 224x224 pixels, or lact_nvs_l12 on 16
 * views of 128x128. */
#ifndef TOOLS_BENCH_OP_CASES_H
#define TOOLS_BENCH_OP_CASES_H

#include "ttt/graph/graph.h"

enum { BENCH_OP_BATCH = 16, BENCH_OP_SIZES = 6 };

/* A graph in the making; its inputs are called "input0", "input1", ... */
struct bench_op_graph {
    ttt_graph *graph;
    int inputs;
};

struct bench_op_case {
    const char *op;   /* as in ttt_operators */
    const char *name; /* where in the model */
    /* Builds a graph that has nodes of the operator, the heaviest of which is timed. */
    void (*build)(struct bench_op_graph *g, const int64_t *size);
    int64_t size[BENCH_OP_SIZES];
};

/* The i-th case, NULL past the end. */
const struct bench_op_case *bench_op_case_at(int i);

#endif
