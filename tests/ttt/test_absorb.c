/* Pointwise work behind products: which of it the planner gives to them, and that it is then the same. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"
#include "tests/support/tolerance.h"
#include "tests/ttt/absorb_patterns.h"
#include "tests/ttt/graph_fixture.h"
#include "tests/ttt/op_bf16.h"
#include "tests/ttt/op_guard.h"
#include "ttt/base/random.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/symmetric/symmetric.h"

enum { MOST = BATCH * K * EVEN };

static const char *const names[] = {"a", "b", "c", "w", "cotangent"};

/* Where a pattern is run, and on which rows. */
struct place {
    ttt_device_kind kind;
    ttt_dtype activations;
    int columns;
    const char *rows; /* "": those that the planner takes */
};

/* In f32 on the CPU. */
static const struct place plain = {TTT_CPU, TTT_F32, ODD, ""};

/* One of the inputs, in bf16 where activations are. */
static ttt_tensor operand(struct graph_fixture *f, const struct place *place, ttt_tensor input)
{
    return place->activations == TTT_BF16 ? op_as_bf16(f->graph, input) : input;
}

/* False where this machine has no such device. */
static bool open_pattern(struct graph_fixture *f, const struct pattern *p, const struct place *place,
                         bool with_gradient)
{
    ttt_device *device = place->kind == TTT_CUDA ? guarded_device_open_cuda() : guarded_device_open(2);
    if (!device)
        return false;
    const int n = place->columns;
    graph_fixture_open_on(f, device);
    ttt_graph_target(f->graph, place->kind, place->activations);
    const ttt_shape shapes[INPUTS] = {ttt_dims(BATCH, M, K), ttt_dims(BATCH, K, n), ttt_dims(BATCH, M, n),
                                      ttt_dims(n, K)};
    ttt_tensor in[INPUTS], seen[INPUTS];
    for (int i = 0; i < INPUTS; i++) {
        in[i] = graph_fixture_input(f, names[i], shapes[i]);
        seen[i] = operand(f, place, in[i]);
    }
    const struct operands x = {seen[0], seen[1], seen[2], seen[3]};
    ttt_tensor y = p->build(f->graph, &x), gradients[INPUTS];
    if (place->activations == TTT_BF16)
        y = op_from_bf16(f->graph, y, true);
    ttt_output(f->graph, "y", y);
    if (!with_gradient)
        return true;
    ttt_tensor cotangent = graph_fixture_input(f, "cotangent", ttt_shape_of(f->graph, y));
    ttt_gradient_from(f->graph, y, operand(f, place, cotangent), in, INPUTS, gradients);
    for (int i = 0; i < INPUTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient %s", names[i]);
        if (ttt_exists(gradients[i]))
            ttt_output(f->graph, name, gradients[i]);
    }
    return true;
}

/* Values by name, the same for every plan. */
static void write_all(const struct graph_fixture *f)
{
    for (int i = 0; i <= INPUTS; i++) {
        ttt_dtype dtype;
        ttt_shape shape;
        ttt_random random = ttt_random_start((uint64_t)i, TTT_RANDOM_TEST, 3, 0);
        if (!ttt_plan_describe(f->plan, names[i], &dtype, &shape))
            continue;
        float *values = check_alloc(MOST, sizeof *values);
        for (int64_t k = 0; k < ttt_shape_elements(shape); k++)
            values[k] = 2 * (float)ttt_random_uniform(&random) - 1;
        check_ok(ttt_plan_write(f->plan, names[i], values));
        free(values);
    }
}

/* Runs the plan guarded and puts the output into `values`; returns its elements, 0 when there is none. */
static int64_t read_output(const struct graph_fixture *f, const char *name, float *values)
{
    ttt_dtype dtype;
    ttt_shape shape;
    if (!ttt_plan_describe(f->plan, name, &dtype, &shape))
        return 0;
    check_ok(ttt_plan_read(f->plan, name, values));
    return ttt_shape_elements(shape);
}

static void run(const struct graph_fixture *f)
{
    guarded_device_poison(f->device);
    write_all(f);
    op_guard_run(f->plan);
    guarded_device_check(f->device);
}

static void compare(const struct pattern *p, const struct place *place, const struct graph_fixture *is,
                    const struct graph_fixture *should, enum quantity quantity, const char *output)
{
    float *x = check_alloc(2 * MOST, sizeof *x), *y = x + MOST;
    double *expected = check_alloc(MOST, sizeof *expected);
    int64_t count = read_output(should, output, y);
    assert_int_equal(read_output(is, output, x), count);
    for (int64_t i = 0; i < count; i++)
        expected[i] = y[i];
    double error = count ? relative_error(x, expected, count) : 0;
    if (!(error <= tolerance_of(quantity, place->activations)))
        fail_msg("%s with '%s' on %s in %s: %s is off by %g", p->name, place->rows,
                 ttt_device_name(is->device), ttt_dtype_name(place->activations), output, error);
    free(x);
    free(expected);
}

/* Absorbed in a place, against one node an operation on the CPU. */
static void check_pattern(const struct pattern *p, bool with_gradient, const struct place *place)
{
    struct graph_fixture absorbed, apart;
    struct place reference = plain;
    reference.columns = place->columns;
    if (!open_pattern(&absorbed, p, place, with_gradient))
        return;
    open_pattern(&apart, p, &reference, with_gradient);
    graph_fixture_plan(&absorbed, &(ttt_plan_options){.implementations = place->rows});
    graph_fixture_plan(&apart, &(ttt_plan_options){.implementations = "", .keep_chains = true});
    int left = op_guard_count(absorbed.plan, "pointwise", "cpu");
    if (!with_gradient && place->kind == TTT_CPU && left != p->left)
        fail_msg("%s with %s: %d pointwise nodes in the plan, not %d", p->name, place->rows, left, p->left);
    run(&absorbed);
    run(&apart);
    compare(p, place, &absorbed, &apart, OUTPUT, "y");
    for (int i = 0; i < INPUTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient %s", names[i]);
        compare(p, place, &absorbed, &apart, GRADIENT, name);
    }
    graph_fixture_close(&absorbed);
    graph_fixture_close(&apart);
}

static void check_patterns(bool with_gradient, const struct place *place)
{
    struct pattern p;
    for (int i = 0; (p = pattern_at(i)).name; i++)
        if (!with_gradient || !p.no_gradient)
            check_pattern(&p, with_gradient, place);
}

static void products_absorb_what_they_can_finish(void **state)
{
    (void)state;
    static const struct place places[] = {
        {TTT_CPU, TTT_F32, ODD, "matmul:small,linear:cpu"},
        {TTT_CPU, TTT_F32, ODD, "matmul:packed,linear:cpu"},
        {TTT_CPU, TTT_F32, ODD, "matmul:cblas,linear:cblas"},
        {TTT_CUDA, TTT_F32, ODD, "matmul:cublas,linear:cuda"},
        {TTT_CUDA, TTT_F32, ODD, "matmul:cuda,linear:cuda"},
        {TTT_CUDA, TTT_BF16, ODD, ""},
        {TTT_CUDA, TTT_BF16, EVEN, ""},
        {TTT_CUDA, TTT_BF16, EVEN, "matmul:cuda"},
    };
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        check_patterns(false, &places[k]);
}

static void gradients_stay_the_same(void **state)
{
    (void)state;
    static const struct place places[] = {
        {TTT_CPU, TTT_F32, ODD, ""}, {TTT_CUDA, TTT_F32, EVEN, ""}, {TTT_CUDA, TTT_BF16, EVEN, ""}};
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        check_patterns(true, &places[k]);
}

/* s s^T - s / 2 + 2 I for s = b^T b: what is added equals its transpose, and no mirror image is computed. */
static ttt_tensor quadratic(ttt_graph *g, const struct operands *x)
{
    ttt_tensor s = ttt_syrk(g, ttt_transpose(g, x->b, -1, -2), 0);
    return ttt_add(g, ttt_scale(g, s, -0.5F), ttt_syrk(g, s, 2));
}

static void symmetric_products_absorb_symmetric_matrices(void **state)
{
    (void)state;
    static const struct pattern p = {"s s^T - s / 2", quadratic, 0, false};
    static const struct place places[] = {{TTT_CPU, TTT_F32, ODD, "symmetric:cpu"},
                                          {TTT_CPU, TTT_F32, EVEN, ""},
                                          {TTT_CPU, TTT_F32, EVEN, "symmetric:cblas"}};
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        check_pattern(&p, false, &places[k]);
        check_pattern(&p, true, &places[k]);
    }
}

/* The work is that of the nodes that are gone. */
static void absorbed_work_is_counted(void **state)
{
    (void)state;
    struct graph_fixture f;
    struct pattern p;
    for (int i = 0; (p = pattern_at(i)).name; i++) {
        if (p.left || pattern_multiplies_factors(i))
            continue;
        open_pattern(&f, &p, &plain, false);
        graph_fixture_plan(&f, &(ttt_plan_options){.keep_chains = true});
        double flops = ttt_plan_flops(f.plan), bytes = ttt_plan_bytes(f.plan);
        graph_fixture_plan(&f, NULL);
        if (ttt_plan_flops(f.plan) != flops || ttt_plan_bytes(f.plan) >= bytes)
            fail_msg("%s: %g FLOPs and %g bytes, not %g and below %g", p.name, ttt_plan_flops(f.plan),
                     ttt_plan_bytes(f.plan), flops, bytes);
        graph_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_absorb_what_they_can_finish),
        cmocka_unit_test(gradients_stay_the_same),
        cmocka_unit_test(symmetric_products_absorb_symmetric_matrices),
        cmocka_unit_test(absorbed_work_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
