/* How far a result may be from its golden vector: the one table. */
#ifndef TOOLS_VERIFY_TOLERANCE_H
#define TOOLS_VERIFY_TOLERANCE_H

#include "ttt/base/dtype.h"

/* What a result went through. */
enum verify_depth {
    VERIFY_SHALLOW,
    VERIFY_DEEP,        /* a model whose residual stream has the activations' type */
    VERIFY_CONDITIONED, /* steps through Newton-Schulz */
    VERIFY_FED_BACK,    /* steps through Newton-Schulz that depend on such steps before them */
};

/* A result's kind: 2 * depth, and 1 for a gradient. */
enum verify_quantity {
    VERIFY_OUTPUT = 2 * VERIFY_SHALLOW,
    VERIFY_GRADIENT,
    VERIFY_DEEP_OUTPUT = 2 * VERIFY_DEEP,
    VERIFY_DEEP_GRADIENT,
    VERIFY_CONDITIONED_OUTPUT = 2 * VERIFY_CONDITIONED,
    VERIFY_CONDITIONED_GRADIENT,
    VERIFY_FED_BACK_OUTPUT = 2 * VERIFY_FED_BACK,
    VERIFY_FED_BACK_GRADIENT,
};

/* The largest relative L2 error allowed for the result called `name` where activations are `dtype`; 0: f32.
 */
double verify_tolerance(enum verify_quantity quantity, ttt_dtype dtype, const char *name);

#endif
