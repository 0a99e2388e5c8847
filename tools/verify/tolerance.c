/* Tolerances of golden vectors. */
#include "tools/verify/tolerance.h"

/* Relative L2 against float64 arithmetic. */
static const double tolerances[] = {
    [VERIFY_OUTPUT] = 2e-5,
    [VERIFY_GRADIENT] = 1e-4,
};

double verify_tolerance(enum verify_quantity quantity)
{
    return tolerances[quantity];
}
