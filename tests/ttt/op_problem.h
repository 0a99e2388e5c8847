/* One case of an oracle with its values: inputs in memory order, cotangents, and the oracle's answers. */
#ifndef TESTS_TTT_OP_PROBLEM_H
#define TESTS_TTT_OP_PROBLEM_H

#include "tests/ttt/oracle/oracle.h"

struct op_problem {
    const struct op_test *test;
    struct op_case c;
    bool rounded;             /* all values are such that bf16 has them */
    int n_in, n_built, n_out; /* outputs: those of the builder, then the written variables */
    ttt_shape stored_shape[OP_MAX];
    int64_t stored_count[OP_MAX], out_count[OP_MAX];
    int64_t *where[OP_MAX];    /* element of the input as the operator sees it -> element in memory */
    double *stored[OP_MAX];    /* inputs as they lie in memory, rounded to f32; NULL: no such input */
    double *cotangent[OP_MAX]; /* by built output */
    double *direction[OP_MAX]; /* by input, in memory order: cotangents of the first gradient */
    double *expected[OP_MAX];  /* outputs at `stored` */
    double *scratch_in[OP_MAX], *scratch_out[OP_MAX];
};

/* Fills inputs and cotangents at random and asks the oracle. */
void op_problem_create(struct op_problem *p, const struct op_test *test, int i, bool rounded);
void op_problem_destroy(struct op_problem *p);

/* Whether the gradient of input i is asked for. */
bool op_differentiable(const struct op_problem *p, int i);

/* How far the case can be differentiated. */
enum depth { FORWARD_ONLY, WITH_GRADIENT, WITH_SECOND };
enum depth op_depth(const struct op_problem *p);

/* The view of a stored input that the operator is given. */
ttt_tensor op_view(ttt_graph *graph, const struct op_input *input, ttt_tensor stored);

/* The oracle's outputs at other inputs; they stay valid until the next call. */
double *const *op_oracle(struct op_problem *p, double *const *stored);

#endif
