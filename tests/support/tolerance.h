/* How far results may be from the double-precision oracle: the one table. */
#ifndef TESTS_SUPPORT_TOLERANCE_H
#define TESTS_SUPPORT_TOLERANCE_H

#include <stdint.h>

#include "ttt/base/dtype.h"

enum quantity {
    OUTPUT,
    GRADIENT,
    SECOND_GRADIENT,   /* the gradient of a gradient */
    COMPOSED,          /* the output of some sixty operators after each other, */
    COMPOSED_GRADIENT, /* and its gradient */
};

/* The largest relative L2 error allowed where activations are kept in `dtype`: f32 or bf16. */
double tolerance_of(enum quantity quantity, ttt_dtype dtype);

/* |x - expected| / |expected| in L2; |x| when everything expected is 0; infinite when x is not finite. */
double relative_error(const float *x, const double *expected, int64_t count);

#endif
