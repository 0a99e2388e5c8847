/* Pointwise work behind products: which of it the planner gives to them, and that it is then the same. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"
#include "tests/support/tolerance.h"
#include "tests/ttt/graph_fixture.h"
#include "tests/ttt/op_guard.h"
#include "ttt/base/random.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/pointwise/pointwise.h"

/* Deep enough that every row adds up in several steps. */
enum { BATCH = 2, M = 40, K = 400, N = 33, INPUTS = 4, MOST = BATCH * M * K };

/* a (BATCH, M, K), b (BATCH, K, N), c (BATCH, M, N), w (N, K) */
struct operands {
    ttt_tensor a, b, c, w;
};

struct pattern {
    const char *name;
    ttt_tensor (*build)(ttt_graph *g, const struct operands *x);
    int left; /* pointwise nodes in the plan */
};

static ttt_tensor product(ttt_graph *g, const struct operands *x)
{
    return ttt_matmul(g, x->a, x->b);
}

static ttt_tensor add(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, product(g, x), x->c);
}

static ttt_tensor add_to(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, x->c, product(g, x));
}

static ttt_tensor subtract(ttt_graph *g, const struct operands *x)
{
    return ttt_sub(g, product(g, x), x->c);
}

static ttt_tensor subtract_from(ttt_graph *g, const struct operands *x)
{
    return ttt_sub(g, x->c, ttt_scale(g, product(g, x), 0.7F));
}

static ttt_tensor scale(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, product(g, x), -1.5F);
}

static ttt_tensor twice(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = product(g, x);
    return ttt_add(g, y, y);
}

static ttt_tensor scale_and_add(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, ttt_scale(g, x->c, 3.4445F), ttt_scale(g, product(g, x), 2.5F));
}

static ttt_tensor scale_sum(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, ttt_sub(g, ttt_scale(g, product(g, x), 2), ttt_scale(g, x->c, -3)), 0.5F);
}

static ttt_tensor gelu_grad(ttt_graph *g, const struct operands *x)
{
    return ttt_mul(g, product(g, x), ttt_gelu_grad(g, x->c));
}

static ttt_tensor silu_grad(ttt_graph *g, const struct operands *x)
{
    return ttt_mul(g, ttt_silu_grad(g, x->c), product(g, x));
}

static ttt_tensor scaled_silu_grad(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, ttt_mul(g, ttt_scale(g, product(g, x), 0.5F), ttt_silu_grad(g, x->c)), 3);
}

static ttt_tensor reshape_and_add(ttt_graph *g, const struct operands *x)
{
    ttt_shape rows = ttt_dims(BATCH * M, N);
    return ttt_add(g, ttt_reshape(g, product(g, x), rows), ttt_reshape(g, x->c, rows));
}

/* The views keep the two from being fused into one: the product absorbs one after the other. */
static ttt_tensor scale_then_add(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = ttt_reshape(g, ttt_scale(g, product(g, x), 0.25F), ttt_dims(BATCH * M, N));
    return ttt_add(g, y, ttt_reshape(g, x->c, ttt_dims(BATCH * M, N)));
}

static ttt_tensor gelu_grad_then_scale(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, ttt_reshape(g, gelu_grad(g, x), ttt_dims(BATCH * M * N)), 0.25F);
}

static ttt_tensor sum_and_add(ttt_graph *g, const struct operands *x)
{
    ttt_tensor first = ttt_linear(g, ttt_slice(g, x->a, 0, 0, 1), x->w, TTT_NONE, TTT_IDENTITY);
    return ttt_add(g, ttt_matmul_sum(g, x->a, x->b, ttt_dims(1)), first);
}

static ttt_tensor residual(ttt_graph *g, const struct operands *x)
{
    ttt_tensor bias =
        ttt_reshape(g, ttt_slice(g, ttt_reshape(g, x->c, ttt_dims(BATCH * M, N)), 0, 3, 1), ttt_dims(N));
    return ttt_add(g, x->c, ttt_linear(g, x->a, x->w, bias, TTT_IDENTITY));
}

static ttt_tensor residual_no_bias(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, ttt_linear(g, x->a, x->w, TTT_NONE, TTT_IDENTITY), x->c);
}

static ttt_tensor activated_residual(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, ttt_linear(g, x->a, x->w, TTT_NONE, TTT_SILU), x->c);
}

static ttt_tensor linear_less(ttt_graph *g, const struct operands *x)
{
    return ttt_sub(g, ttt_linear(g, x->a, x->w, TTT_NONE, TTT_IDENTITY), x->c);
}

static ttt_tensor add_shared(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = product(g, x);
    ttt_output(g, "product", y);
    return ttt_add(g, y, x->c);
}

static ttt_tensor add_behind_effect(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = product(g, x), sum = ttt_variable(g, "sum", TTT_F32, ttt_dims(N, K));
    ttt_accumulate(g, &sum, &x->w, 1);
    return ttt_add(g, y, x->c);
}

static ttt_tensor add_broadcast(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, product(g, x), ttt_slice(g, x->c, 1, 2, 1));
}

static ttt_tensor add_strided(ttt_graph *g, const struct operands *x)
{
    ttt_tensor columns = ttt_reshape(g, x->c, ttt_dims(BATCH, N, M));
    return ttt_add(g, product(g, x), ttt_transpose(g, columns, 1, 2));
}

static ttt_tensor add_transposed(ttt_graph *g, const struct operands *x)
{
    ttt_tensor columns = ttt_reshape(g, x->c, ttt_dims(BATCH, N, M));
    return ttt_add(g, ttt_transpose(g, product(g, x), 1, 2), columns);
}

static ttt_tensor square(ttt_graph *g, const struct operands *x)
{
    return ttt_square(g, product(g, x));
}

static ttt_tensor multiply(ttt_graph *g, const struct operands *x)
{
    return ttt_mul(g, product(g, x), x->c);
}

static ttt_tensor add_square(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, product(g, x), ttt_square(g, x->c));
}

static const struct pattern patterns[] = {
    {"a b + c", add, 0},
    {"c + a b", add_to, 0},
    {"a b - c", subtract, 0},
    {"c - 0.7 a b", subtract_from, 0},
    {"-1.5 a b", scale, 0},
    {"a b + a b", twice, 0},
    {"3.4 c + 2.5 a b", scale_and_add, 0},
    {"0.5 (2 a b + 3 c)", scale_sum, 0},
    {"a b gelu'(c)", gelu_grad, 0},
    {"silu'(c) a b", silu_grad, 0},
    {"3 (a b / 2) silu'(c)", scaled_silu_grad, 0},
    {"a b + c, reshaped", reshape_and_add, 0},
    {"a b / 4, then + c", scale_then_add, 0},
    {"a b gelu'(c), then / 4", gelu_grad_then_scale, 0},
    {"sum of a b, + x w", sum_and_add, 0},
    {"x w + bias + c", residual, 0},
    {"x w + c", residual_no_bias, 0},
    {"silu(x w) + c", activated_residual, 1},
    {"x w - c", linear_less, 1},
    {"a b + c, and a b is read", add_shared, 1},
    {"a b + c behind an effect", add_behind_effect, 1},
    {"a b + c, c repeated", add_broadcast, 1},
    {"a b + c, c transposed", add_strided, 1},
    {"(a b)^T + c", add_transposed, 1},
    {"(a b)^2", square, 1},
    {"a b c", multiply, 1},
    {"a b + c^2", add_square, 1},
};

static const char *const names[INPUTS] = {"a", "b", "c", "w"};

static void open_pattern(struct graph_fixture *f, const struct pattern *p, bool with_gradient)
{
    graph_fixture_open(f);
    const struct operands x = {graph_fixture_input(f, "a", ttt_dims(BATCH, M, K)),
                               graph_fixture_input(f, "b", ttt_dims(BATCH, K, N)),
                               graph_fixture_input(f, "c", ttt_dims(BATCH, M, N)),
                               graph_fixture_input(f, "w", ttt_dims(N, K))};
    ttt_tensor y = p->build(f->graph, &x), gradients[INPUTS];
    ttt_output(f->graph, "y", y);
    if (!with_gradient)
        return;
    ttt_tensor cotangent = graph_fixture_input(f, "cotangent", ttt_shape_of(f->graph, y));
    ttt_gradient_from(f->graph, y, cotangent, (ttt_tensor[]){x.a, x.b, x.c, x.w}, INPUTS, gradients);
    for (int i = 0; i < INPUTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient %s", names[i]);
        if (ttt_exists(gradients[i]))
            ttt_output(f->graph, name, gradients[i]);
    }
}

/* Values by name, the same for every plan. */
static void write_all(const struct graph_fixture *f)
{
    static const char *const inputs[] = {"a", "b", "c", "w", "cotangent"};
    for (int i = 0; i < 5; i++) {
        ttt_dtype dtype;
        ttt_shape shape;
        ttt_random random = ttt_random_start((uint64_t)i, TTT_RANDOM_TEST, 3, 0);
        if (!ttt_plan_describe(f->plan, inputs[i], &dtype, &shape))
            continue;
        float *values = check_alloc(MOST, sizeof *values);
        for (int64_t k = 0; k < ttt_shape_elements(shape); k++)
            values[k] = 2 * (float)ttt_random_uniform(&random) - 1;
        check_ok(ttt_plan_write(f->plan, inputs[i], values));
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

static void run(struct graph_fixture *f)
{
    guarded_device_poison(f->device);
    write_all(f);
    op_guard_run(f->plan);
    guarded_device_check(f->device);
}

static void compare(const struct pattern *p, const struct graph_fixture *is,
                    const struct graph_fixture *should, const char *output, const char *rows)
{
    float *x = check_alloc(MOST, sizeof *x), *y = check_alloc(MOST, sizeof *y);
    double *expected = check_alloc(MOST, sizeof *expected);
    int64_t count = read_output(should, output, y);
    assert_int_equal(read_output(is, output, x), count);
    for (int64_t i = 0; i < count; i++)
        expected[i] = y[i];
    double error = count ? relative_error(x, expected, count) : 0;
    if (!(error <= tolerance_of(OUTPUT, TTT_F32)))
        fail_msg("%s with %s: %s is off by %g", p->name, rows, output, error);
    free(x);
    free(y);
    free(expected);
}

/* Absorbed on the given rows, against one node an operation. */
static void check_pattern(const struct pattern *p, bool with_gradient, const char *rows)
{
    struct graph_fixture absorbed, apart;
    open_pattern(&absorbed, p, with_gradient);
    open_pattern(&apart, p, with_gradient);
    graph_fixture_plan(&absorbed, &(ttt_plan_options){.implementations = rows});
    graph_fixture_plan(&apart, &(ttt_plan_options){.implementations = "", .keep_chains = true});
    int left = op_guard_count(absorbed.plan, "pointwise", "cpu");
    if (!with_gradient && left != p->left)
        fail_msg("%s with %s: %d pointwise nodes in the plan, not %d", p->name, rows, left, p->left);
    run(&absorbed);
    run(&apart);
    compare(p, &absorbed, &apart, "y", rows);
    for (int i = 0; i < INPUTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient %s", names[i]);
        compare(p, &absorbed, &apart, name, rows);
    }
    graph_fixture_close(&absorbed);
    graph_fixture_close(&apart);
}

static void products_absorb_what_they_can_finish(void **state)
{
    (void)state;
    static const char *const rows[] = {"matmul:small,linear:cpu", "matmul:packed,linear:cpu",
                                       "matmul:cblas,linear:cblas"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        for (int k = 0; k < 3; k++)
            check_pattern(&patterns[i], false, rows[k]);
}

static void gradients_stay_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        check_pattern(&patterns[i], true, "");
}

/* The work is that of the nodes that are gone. */
static void absorbed_work_is_counted(void **state)
{
    (void)state;
    struct graph_fixture f;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (patterns[i].left || patterns[i].build == scaled_silu_grad || patterns[i].build == scale_sum)
            continue; /* these multiply their factors */
        open_pattern(&f, &patterns[i], false);
        graph_fixture_plan(&f, &(ttt_plan_options){.keep_chains = true});
        double flops = ttt_plan_flops(f.plan), bytes = ttt_plan_bytes(f.plan);
        graph_fixture_plan(&f, NULL);
        if (ttt_plan_flops(f.plan) != flops || ttt_plan_bytes(f.plan) >= bytes)
            fail_msg("%s: %g FLOPs and %g bytes, not %g and below %g", patterns[i].name,
                     ttt_plan_flops(f.plan), ttt_plan_bytes(f.plan), flops, bytes);
        graph_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_absorb_what_they_can_finish),
        cmocka_unit_test(gradients_stay_the_same),
        cmocka_unit_test(absorbed_work_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
