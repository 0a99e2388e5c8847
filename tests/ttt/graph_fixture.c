/* Opening, planning and running small graphs. */
#include "tests/ttt/graph_fixture.h"

#include <math.h>
#include <stdlib.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"

void graph_fixture_open(struct graph_fixture *f)
{
    graph_fixture_open_on(f, guarded_device_open(2));
}

void graph_fixture_open_on(struct graph_fixture *f, ttt_device *device)
{
    *f = (struct graph_fixture){.device = device};
    check_ok(ttt_store_create(f->device, &f->store));
    check_ok(ttt_graph_create(&f->graph));
}

void graph_fixture_close(struct graph_fixture *f)
{
    ttt_plan_destroy(f->plan);
    ttt_graph_destroy(f->graph);
    ttt_store_destroy(f->store);
    ttt_device_close(f->device);
}

void graph_fixture_plan(struct graph_fixture *f, const ttt_plan_options *options)
{
    ttt_plan_destroy(f->plan);
    check_ok(ttt_plan_create(f->graph, f->store, options, &f->plan));
    check_ok(ttt_plan_prepare(f->plan));
}

ttt_tensor graph_fixture_input(struct graph_fixture *f, const char *name, ttt_shape shape)
{
    return ttt_input(f->graph, name, TTT_F32, shape);
}

void graph_fixture_count_up(struct graph_fixture *f, const char *input)
{
    ttt_dtype dtype;
    ttt_shape shape;
    assert_true(ttt_plan_describe(f->plan, input, &dtype, &shape));
    int64_t count = ttt_shape_elements(shape);
    float *values = check_alloc((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(i + 1);
    graph_fixture_write(f, input, values);
    free(values);
}

void graph_fixture_write(struct graph_fixture *f, const char *input, const float *values)
{
    check_ok(ttt_plan_write(f->plan, input, values));
}

void graph_fixture_run(struct graph_fixture *f)
{
    check_ok(ttt_plan_run(f->plan));
    guarded_device_check(f->device);
}

void graph_fixture_read(struct graph_fixture *f, const char *output, float *values, int64_t count)
{
    ttt_dtype dtype;
    ttt_shape shape;
    assert_true(ttt_plan_describe(f->plan, output, &dtype, &shape));
    assert_int_equal(ttt_shape_elements(shape), count);
    check_ok(ttt_plan_read(f->plan, output, values));
}

void graph_fixture_expect(struct graph_fixture *f, const char *output, const float *values, int64_t count)
{
    float *is = check_alloc((size_t)count, sizeof *is);
    graph_fixture_read(f, output, is, count);
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(is[i] - values[i]) <= 1e-5F * (1 + fabsf(values[i]))))
            fail_msg("%s[%lld] is %g, not %g", output, (long long)i, (double)is[i], (double)values[i]);
    free(is);
}
