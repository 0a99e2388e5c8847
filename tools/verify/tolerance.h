/* How far a result may be from its golden vector: the one table. */
#ifndef TOOLS_VERIFY_TOLERANCE_H
#define TOOLS_VERIFY_TOLERANCE_H

#include "ttt/base/dtype.h"

enum verify_quantity {
    VERIFY_OUTPUT,
    VERIFY_GRADIENT,
    VERIFY_FED_BACK_OUTPUT, /* of steps through Newton-Schulz that depend on such steps before them */
    VERIFY_FED_BACK_GRADIENT,
};

/* The largest relative L2 error allowed for the result called `name` where activations are `dtype`; 0: f32.
 */
double verify_tolerance(enum verify_quantity quantity, ttt_dtype dtype, const char *name);

#endif
