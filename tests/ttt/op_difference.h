/* Gradients by central differences of the oracle. */
#ifndef TESTS_TTT_OP_DIFFERENCE_H
#define TESTS_TTT_OP_DIFFERENCE_H

#include "tests/ttt/op_plan.h"

enum { OP_MOST_PROBES = 12 };

/* One derivative: along an element of an input, or along a random direction of all of its elements. */
struct op_probe {
    int64_t element; /* -1: a direction, by `seed` */
    uint64_t seed;
    double derivative;
};

/* What the gradient and the second gradient must be. */
struct op_derivatives {
    double scale;      /* of the loss: what a gradient of 0 is measured against */
    int count[OP_MAX]; /* probes of each input; 0 where there is no gradient */
    struct op_probe first[OP_MAX][OP_MOST_PROBES], second[OP_MAX][OP_MOST_PROBES];
    double *second_of_cotangent[OP_MAX]; /* by output */
};

void op_derivatives_create(struct op_derivatives *d, struct op_problem *p);
void op_derivatives_destroy(struct op_derivatives *d);

/* The relative error of a result that is a gradient. */
double op_gradient_error(const struct op_derivatives *d, const struct op_result *result);

#endif
