/* Products that are added: which of them the planner joins, and that it is then the same. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"
#include "tests/support/tolerance.h"
#include "tests/ttt/graph_fixture.h"
#include "tests/ttt/op_bf16.h"
#include "tests/ttt/op_guard.h"
#include "ttt/base/random.h"
#include "ttt/fast/muon.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/matmul_pair/matmul_pair.h"
#include "ttt/ops/pointwise/pointwise.h"

enum { N = 72, STEPS = 3 };

static const char *const names[] = {"a", "b", "c", "d"};
enum { INPUTS = sizeof names / sizeof *names };

/* What is built of four matrices, and how many pairs there then are. */
struct pattern {
    const char *name;
    ttt_tensor (*build)(ttt_graph *g, const ttt_tensor *x);
    int pairs;
};

static ttt_tensor sum(ttt_graph *g, const ttt_tensor *x)
{
    return ttt_add(g, ttt_matmul(g, x[0], x[1]), ttt_matmul(g, x[2], x[3]));
}

static ttt_tensor scaled_sum(ttt_graph *g, const ttt_tensor *x)
{
    return ttt_scale(g, sum(g, x), -0.75F);
}

static ttt_tensor two_factors(ttt_graph *g, const ttt_tensor *x)
{
    return ttt_add(g, ttt_scale(g, ttt_matmul(g, x[0], x[1]), 3), ttt_matmul(g, x[2], x[3]));
}

static ttt_tensor read_twice(ttt_graph *g, const ttt_tensor *x)
{
    ttt_tensor first = ttt_matmul(g, x[0], x[1]);
    ttt_tensor both = ttt_add(g, first, ttt_matmul(g, x[2], x[3]));
    return ttt_add(g, ttt_matmul(g, first, x[3]), ttt_silu(g, both));
}

/* Each step's gradient is a pair. */
static ttt_tensor newton_schulz(ttt_graph *g, const ttt_tensor *x)
{
    ttt_tensor dx, y = ttt_newton_schulz(g, x[0], STEPS);
    ttt_gradient_from(g, y, x[1], x, 1, &dx);
    return dx;
}

static const struct pattern patterns[] = {
    {"a sum", sum, 1},
    {"a scaled sum", scaled_sum, 1},
    {"products with two factors", two_factors, 0},
    {"a product that is read twice", read_twice, 0},
    {"Newton-Schulz's gradient", newton_schulz, STEPS},
};

static void open_pattern(struct graph_fixture *f, const struct pattern *p, ttt_device *device)
{
    const bool rounds = ttt_device_kind_of(device) == TTT_CUDA;
    ttt_tensor x[INPUTS];
    graph_fixture_open_on(f, device);
    ttt_graph_target(f->graph, ttt_device_kind_of(device), rounds ? TTT_BF16 : TTT_F32);
    for (int i = 0; i < INPUTS; i++) {
        x[i] = graph_fixture_input(f, names[i], ttt_dims(N, N));
        x[i] = rounds ? op_as_bf16(f->graph, x[i]) : x[i];
    }
    ttt_tensor y = p->build(f->graph, x);
    ttt_output(f->graph, "y", rounds ? op_from_bf16(f->graph, y, true) : y);
    graph_fixture_plan(f, NULL);
}

static void run(const struct graph_fixture *f, float *y)
{
    float *values = check_alloc((size_t)N * N, sizeof *values);
    for (int i = 0; i < INPUTS; i++) {
        ttt_dtype dtype;
        ttt_shape shape;
        ttt_random random = ttt_random_start((uint64_t)i, TTT_RANDOM_TEST, 5, 0);
        if (!ttt_plan_describe(f->plan, names[i], &dtype, &shape))
            continue;
        for (int k = 0; k < N * N; k++)
            values[k] = 2 * (float)ttt_random_uniform(&random) - 1;
        check_ok(ttt_plan_write(f->plan, names[i], values));
    }
    op_guard_run(f->plan);
    check_ok(ttt_plan_read(f->plan, "y", y));
    free(values);
}

/* Where a row takes nothing but many matrices, it is asked for first, and these few stay apart. */
static int expected_pairs(const struct pattern *p)
{
    const ttt_implementation *first = ttt_op_matmul_pair.implementations[0];
    return first && !strcmp(first->name, "cublas") ? p->pairs : 0;
}

static void check_pattern(const struct pattern *p)
{
    struct graph_fixture paired, apart;
    ttt_device *cuda = guarded_device_open_cuda();
    if (!cuda)
        return;
    float *is = check_alloc((size_t)N * N, sizeof *is), *should = check_alloc((size_t)N * N, sizeof *should);
    double *expected = check_alloc((size_t)N * N, sizeof *expected);
    open_pattern(&paired, p, cuda);
    open_pattern(&apart, p, guarded_device_open(2));
    const int pairs = op_guard_count(paired.plan, "matmul_pair", "cublas");
    if (pairs != expected_pairs(p))
        fail_msg("%s: %d pairs, not %d", p->name, pairs, expected_pairs(p));
    run(&paired, is);
    run(&apart, should);
    for (int i = 0; i < N * N; i++)
        expected[i] = should[i];
    const double error = relative_error(is, expected, (int64_t)N * N),
                 limit = tolerance_of(GRADIENT, TTT_BF16);
    if (!(error <= limit))
        fail_msg("%s is off by %g, and may be by %g", p->name, error, limit);
    graph_fixture_close(&paired);
    graph_fixture_close(&apart);
    free(is);
    free(should);
    free(expected);
}

static void products_that_are_added(void **state)
{
    (void)state;
    ttt_device *cuda = guarded_device_open_cuda();
    if (!cuda)
        skip();
    ttt_device_close(cuda);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        check_pattern(&patterns[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(products_that_are_added)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
