/* Filling inputs and comparing outputs. */
#include "tests/ttt/lact_world.h"

#include <stdlib.h>

#include "tests/support/check.h"
#include "ttt/base/random.h"

static int64_t count_of(struct graph_fixture *f, const char *name)
{
    ttt_dtype dtype;
    ttt_shape shape;
    assert_true(ttt_plan_describe(f->plan, name, &dtype, &shape));
    return ttt_shape_elements(shape);
}

float *lact_world_fill(struct graph_fixture *f, const char *input, double deviation, uint64_t seed)
{
    const int64_t count = count_of(f, input);
    float *values = check_alloc((size_t)count, sizeof *values);
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_TEST, 3, 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(deviation * ttt_random_normal(&random));
    graph_fixture_write(f, input, values);
    return values;
}

double lact_world_distance(struct graph_fixture *f, const char *a, const char *b)
{
    const int64_t count = count_of(f, a);
    float *x = check_alloc((size_t)count, sizeof *x);
    double *y = check_alloc((size_t)count, sizeof *y), size = 0;
    graph_fixture_read(f, b, x, count);
    for (int64_t i = 0; i < count; i++) {
        y[i] = x[i];
        size += y[i] * y[i];
    }
    if (!(size > 0))
        fail_msg("%s is all zeros", b);
    graph_fixture_read(f, a, x, count);
    double distance = relative_error(x, y, count);
    free(x);
    free(y);
    return distance;
}

void lact_world_compare(struct graph_fixture *f, const char *a, const char *b, double tolerance)
{
    double distance = lact_world_distance(f, a, b);
    if (!(distance <= tolerance))
        fail_msg("%s and %s differ by %g, at most %g", a, b, distance, tolerance);
}
