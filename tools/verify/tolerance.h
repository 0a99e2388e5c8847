/* How far a result may be from its golden vector: the one table. */
#ifndef TOOLS_VERIFY_TOLERANCE_H
#define TOOLS_VERIFY_TOLERANCE_H

enum verify_quantity {
    VERIFY_OUTPUT,
    VERIFY_GRADIENT,
};

/* The largest relative L2 error allowed for an f32 result. */
double verify_tolerance(enum verify_quantity quantity);

#endif
