/* What follows from variables alone is computed once, and again when they have changed; graphs with targets.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/ttt/graph_fixture.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/pointwise/pointwise.h"

/* y = x (w w), for x = 1: the product of w with itself is constant. */
static void open_product(struct graph_fixture *f)
{
    graph_fixture_open(f);
    ttt_tensor w = ttt_variable(f->graph, "w", TTT_F32, ttt_dims(1, 1));
    ttt_tensor x = graph_fixture_input(f, "x", ttt_dims(1, 1));
    ttt_output(f->graph, "y", ttt_mul(f->graph, ttt_square(f->graph, x), ttt_matmul(f->graph, w, w)));
    graph_fixture_plan(f, NULL);
    graph_fixture_count_up(f, "x");
}

static void expect(struct graph_fixture *f, float y)
{
    graph_fixture_run(f);
    graph_fixture_expect(f, "y", &y, 1);
    graph_fixture_run(f);
    graph_fixture_expect(f, "y", &y, 1);
}

static void a_constant_follows_what_is_written(void **state)
{
    (void)state;
    struct graph_fixture f;
    open_product(&f);
    expect(&f, 0);
    check_ok(ttt_store_write(f.store, "w", (float[]){3}));
    expect(&f, 9);
    check_ok(ttt_store_write(f.store, "w", (float[]){-4}));
    expect(&f, 16);
    graph_fixture_close(&f);
}

/* Another plan adds 1 to w. */
static void a_constant_follows_another_plan(void **state)
{
    (void)state;
    struct graph_fixture f;
    ttt_graph *adding;
    ttt_plan *plan;
    open_product(&f);
    check_ok(ttt_graph_create(&adding));
    ttt_tensor w = ttt_variable(adding, "w", TTT_F32, ttt_dims(1, 1));
    ttt_tensor one = ttt_input(adding, "one", TTT_F32, ttt_dims(1, 1));
    ttt_accumulate(adding, &w, &one, 1);
    check_ok(ttt_plan_create(adding, f.store, NULL, &plan));
    check_ok(ttt_plan_prepare(plan));
    check_ok(ttt_plan_write(plan, "one", (float[]){1}));
    for (int i = 0; i < 3; i++) {
        expect(&f, (float)(i * i));
        check_ok(ttt_plan_run(plan));
    }
    ttt_plan_destroy(plan);
    ttt_graph_destroy(adding);
    graph_fixture_close(&f);
}

/* Its time and work are not those of a run. */
static void a_constant_costs_nothing(void **state)
{
    (void)state;
    struct graph_fixture f;
    ttt_node_profile *nodes;
    int count;
    bool found = false;
    open_product(&f);
    assert_true(ttt_plan_flops(f.plan) < 4); /* a square and a product */
    check_ok(ttt_plan_costs(f.plan, &nodes, &count));
    for (int i = 0; i < count; i++)
        found |= !strcmp(nodes[i].op, "matmul");
    assert_true(found);
    free(nodes);
    graph_fixture_close(&f);
}

static void what_a_plan_writes_is_no_constant(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor w = ttt_variable(f.graph, "w", TTT_F32, ttt_dims(1, 1));
    ttt_tensor one = graph_fixture_input(&f, "one", ttt_dims(1, 1));
    ttt_output(f.graph, "y", ttt_matmul(f.graph, w, w));
    ttt_accumulate(f.graph, &w, &one, 1);
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "one");
    for (int i = 0; i < 3; i++) {
        graph_fixture_run(&f);
        graph_fixture_expect(&f, "y", (float[]){(float)(i * i)}, 1);
    }
    graph_fixture_close(&f);
}

static void a_target_is_kept_to(void **state)
{
    (void)state;
    struct graph_fixture f;
    ttt_plan *plan;
    graph_fixture_open(&f);
    ttt_graph_target(f.graph, TTT_CUDA, TTT_BF16);
    ttt_output(f.graph, "y", ttt_square(f.graph, graph_fixture_input(&f, "x", ttt_dims(2))));
    check_error(ttt_plan_create(f.graph, f.store, NULL, &plan), TTT_ARGUMENT, "another kind of device");
    ttt_graph_target(f.graph, TTT_CPU, TTT_I32);
    check_error(ttt_graph_status(f.graph), TTT_DTYPE, "f32 or bf16");
    graph_fixture_close(&f);
}

/* bf16 on the CPU: the planner lowers, and no row takes it. */
static void the_cpu_has_no_bf16(void **state)
{
    (void)state;
    struct graph_fixture f;
    ttt_plan *plan;
    graph_fixture_open(&f);
    ttt_graph_target(f.graph, TTT_CPU, TTT_BF16);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(2, 2));
    ttt_output(f.graph, "y", ttt_matmul(f.graph, ttt_matmul(f.graph, x, x), x));
    check_error(ttt_plan_create(f.graph, f.store, NULL, &plan), TTT_UNSUPPORTED, "no implementation");
    graph_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_follows_what_is_written),
        cmocka_unit_test(a_constant_follows_another_plan),
        cmocka_unit_test(a_constant_costs_nothing),
        cmocka_unit_test(what_a_plan_writes_is_no_constant),
        cmocka_unit_test(a_target_is_kept_to),
        cmocka_unit_test(the_cpu_has_no_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
