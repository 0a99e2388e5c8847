/* Tolerances and the measure they are stated in. */
#include "tests/support/tolerance.h"

#include <math.h>

double tolerance_of(enum quantity quantity, ttt_dtype dtype)
{
    static const double f32[] = {
        [OUTPUT] = 2e-5,   [GRADIENT] = 1e-4,          [SECOND_GRADIENT] = 1e-4,
        [COMPOSED] = 5e-4, [COMPOSED_GRADIENT] = 2e-3, /* sums and normalisations magnify earlier rounding */
    };
    static const double bf16[] = {
        [OUTPUT] = 2e-2,   [GRADIENT] = 5e-2,          [SECOND_GRADIENT] = 5e-2,
        [COMPOSED] = 5e-2, [COMPOSED_GRADIENT] = 1e-1,
    };
    return dtype == TTT_BF16 ? bf16[quantity] : f32[quantity];
}

double relative_error(const float *x, const double *expected, int64_t count)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(x[i]) && !(isinf(x[i]) && x[i] == expected[i]))
            return INFINITY;
        if (isinf(expected[i]))
            continue;
        difference += (x[i] - expected[i]) * (x[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}
