/* Random programs over small tensors, which can be built as graphs or evaluated in double precision. */
#ifndef TESTS_TTT_RANDOM_PROGRAM_H
#define TESTS_TTT_RANDOM_PROGRAM_H

#include "ttt/base/random.h"
#include "ttt/graph/graph.h"

enum { PROGRAM_MOST = 64, PROGRAM_INPUTS = 3 };

enum program_op {
    PROGRAM_INPUT,
    PROGRAM_UNARY,
    PROGRAM_BINARY,
    PROGRAM_PERMUTE,
    PROGRAM_RESHAPE,
    PROGRAM_SLICE,
    PROGRAM_EXPAND,
    PROGRAM_SUM,
    PROGRAM_MATMUL, /* divided by the depth, so that values stay small */
    PROGRAM_CONCAT,
    PROGRAM_LAYERNORM,
    PROGRAM_COPY,
    PROGRAM_OPS,
};

struct instruction {
    enum program_op op;
    int a, b; /* earlier instructions */
    int kind; /* which function; dimension */
    int64_t start;
    int order[TTT_MAX_RANK];
    ttt_shape shape; /* of the result */
    bool output;
};

/* Instructions 0 .. PROGRAM_INPUTS-1 are inputs; the rest computes. */
struct program {
    int count;
    struct instruction at[PROGRAM_MOST];
};

/* A program of `length` instructions, with some of them outputs. */
void program_draw(struct program *program, ttt_random *random, int length);

/* Builds it on `x`, of which the inputs are given.  Instructions [from, to) form a recompute segment. */
void program_build(const struct program *program, ttt_graph *graph, ttt_tensor *x, int from, int to);

/* Evaluates it; values[i] has room for instruction i, and those of the inputs are given. */
void program_evaluate(const struct program *program, double *const *values);

#endif
