/* Plans: what is dropped, what is refused, variables across graphs, looking at values and times. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/tolerance.h"
#include "tests/ttt/graph_fixture.h"
#include "ttt/ops/attention/attention.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/rmsnorm/rmsnorm.h"

static void what_no_output_needs_is_dropped(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(4, 4));
    ttt_tensor used = ttt_matmul(f.graph, x, x);
    ttt_matmul(f.graph, ttt_silu(f.graph, used), x);
    ttt_output(f.graph, "y", used);
    graph_fixture_plan(&f, NULL);
    assert_int_equal(ttt_plan_node_count(f.plan), 1);
    assert_true(ttt_plan_flops(f.plan) == 2 * 4 * 4 * 4);
    assert_true(ttt_plan_bytes(f.plan) >= 2 * 4 * 4 * 4);
    graph_fixture_close(&f);
}

static void chains_are_fused_unless_kept(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(5));
    ttt_output(f.graph, "y", ttt_shift(f.graph, ttt_scale(f.graph, ttt_square(f.graph, x), 2), 1));
    graph_fixture_plan(&f, &(ttt_plan_options){.keep_chains = true});
    assert_int_equal(ttt_plan_node_count(f.plan), 3);
    graph_fixture_plan(&f, NULL);
    assert_int_equal(ttt_plan_node_count(f.plan), 1);
    graph_fixture_count_up(&f, "x");
    graph_fixture_run(&f);
    graph_fixture_expect(&f, "y", (float[]){3, 9, 19, 33, 51}, 5);
    graph_fixture_close(&f);
}

static void neighbours_that_share_operands_are_joined(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(5)), z = graph_fixture_input(&f, "z", ttt_dims(5));
    ttt_tensor product = ttt_mul(f.graph, x, z);
    ttt_output(f.graph, "product", product);
    ttt_output(f.graph, "sum", ttt_add(f.graph, x, z));
    ttt_output(f.graph, "less", ttt_sub(f.graph, product, z)); /* reads what its neighbour makes */
    graph_fixture_plan(&f, NULL);
    assert_int_equal(ttt_plan_node_count(f.plan), 1);
    graph_fixture_count_up(&f, "x");
    graph_fixture_count_up(&f, "z");
    graph_fixture_run(&f);
    graph_fixture_expect(&f, "product", (float[]){1, 4, 9, 16, 25}, 5);
    graph_fixture_expect(&f, "sum", (float[]){2, 4, 6, 8, 10}, 5);
    graph_fixture_expect(&f, "less", (float[]){0, 2, 6, 12, 20}, 5);
    graph_fixture_close(&f);
}

static int count_nodes(const ttt_plan *plan, const char *op)
{
    ttt_node_profile *nodes;
    int count, found = 0;
    check_ok(ttt_plan_costs(plan, &nodes, &count));
    for (int i = 0; i < count; i++)
        found += !strcmp(nodes[i].op, op);
    free(nodes);
    return found;
}

/* The gradients of attention's operands, of which two come from normalisations, are written into that of the
 * tensor they were cut from. */
static void parts_are_written_where_they_are_joined(void **state)
{
    (void)state;
    enum { ELEMENTS = 2 * 5 * 6 * 8 };
    struct graph_fixture f;
    ttt_tensor part[3], gradient;
    float values[ELEMENTS];
    double apart[ELEMENTS];
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(2, 5, 6, 8));
    ttt_split(f.graph, x, 2, 3, (int64_t[]){2, 2, 2}, part);
    for (int i = 0; i < 3; i++)
        part[i] =
            ttt_transpose(f.graph, i < 2 ? ttt_rmsnorm(f.graph, part[i], TTT_NONE, 1e-5F) : part[i], 1, 2);
    ttt_tensor y = ttt_square(f.graph, ttt_attention(f.graph, part[0], part[1], part[2]));
    ttt_gradient(f.graph, ttt_sum(f.graph, y, 0xf), &x, 1, &gradient);
    ttt_output(f.graph, "gradient", ttt_scale(f.graph, gradient, 1e-3F));
    for (int kept = 1; kept >= 0; kept--) {
        graph_fixture_plan(&f, &(ttt_plan_options){.keep_chains = kept});
        assert_int_equal(count_nodes(f.plan, "concat"), kept);
        graph_fixture_count_up(&f, "x");
        graph_fixture_run(&f);
        check_ok(ttt_plan_check_finite(f.plan));
        graph_fixture_read(&f, "gradient", values, ELEMENTS);
        for (int i = 0; i < ELEMENTS && kept; i++)
            apart[i] = values[i];
    }
    assert_true(relative_error(values, apart, ELEMENTS) < 1e-6);
    graph_fixture_close(&f);
}

/* Along the outermost dimension parts have no gaps: what else reads one reads it where it lies in the whole.
 */
static void parts_that_others_read_are_written_there_too(void **state)
{
    (void)state;
    enum { PART = 4 * 6 };
    struct graph_fixture f;
    float values[2 * PART], norms[4];
    double apart[2 * PART + 4];
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(4, 6));
    ttt_tensor part[] = {ttt_rmsnorm(f.graph, x, TTT_NONE, 1e-5F),
                         ttt_rmsnorm(f.graph, ttt_square(f.graph, x), TTT_NONE, 1e-3F)};
    ttt_tensor whole = ttt_concat(f.graph, part, 2, 0);
    ttt_output(f.graph, "whole", ttt_rmsnorm(f.graph, whole, TTT_NONE, 1));
    ttt_output(f.graph, "norms", ttt_sum(f.graph, ttt_square(f.graph, part[1]), 1U << 1));
    for (int kept = 1; kept >= 0; kept--) {
        graph_fixture_plan(&f, &(ttt_plan_options){.keep_chains = kept});
        assert_int_equal(count_nodes(f.plan, "concat"), kept);
        graph_fixture_count_up(&f, "x");
        graph_fixture_run(&f);
        graph_fixture_read(&f, "whole", values, 2 * PART);
        graph_fixture_read(&f, "norms", norms, 4);
        for (int i = 0; i < 2 * PART + 4; i++) {
            const float value = i < 2 * PART ? values[i] : norms[i - 2 * PART];
            if (kept)
                apart[i] = value;
            assert_true(fabs(value - apart[i]) < 1e-6 * (1 + fabs(apart[i])));
        }
    }
    graph_fixture_close(&f);
}

/* What else is done with an assigned value, or with its variable. */
enum { NOTHING, VARIABLE_IS_READ, VALUE_IS_OUTPUT, VALUE_RESTS, CASES };

static void values_are_written_where_they_are_assigned(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        struct graph_fixture f;
        float held[3];
        graph_fixture_open(&f);
        ttt_tensor w = ttt_variable(f.graph, "w", TTT_F32, ttt_dims(3));
        ttt_tensor v = ttt_variable(f.graph, "v", TTT_F32, ttt_dims(3));
        ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(3));
        ttt_tensor value = ttt_scale(f.graph, i == VALUE_RESTS ? w : x, 2);
        ttt_output(f.graph, "before", ttt_shift(f.graph, i == VARIABLE_IS_READ ? v : x, 1));
        ttt_output(f.graph, "after", i == VALUE_IS_OUTPUT ? value : ttt_shift(f.graph, value, 1));
        ttt_assign(f.graph, &v, &value, 1);
        graph_fixture_plan(&f, NULL);
        assert_int_equal(count_nodes(f.plan, "accumulate"), i != NOTHING);
        check_ok(ttt_store_write(f.store, "w", (float[]){1, 2, 3}));
        graph_fixture_count_up(&f, "x");
        for (int run = 0; run < 2; run++) {
            check_ok(ttt_store_write(f.store, "v", (float[]){7, 7, 7}));
            graph_fixture_run(&f);
            check_ok(ttt_store_read(f.store, "v", held));
            assert_true(held[0] == 2 && held[1] == 4 && held[2] == 6);
        }
        graph_fixture_expect(&f, "before", i == VARIABLE_IS_READ ? (float[]){8, 8, 8} : (float[]){2, 3, 4},
                             3);
        graph_fixture_expect(&f, "after", i == VALUE_IS_OUTPUT ? (float[]){2, 4, 6} : (float[]){3, 5, 7}, 3);
        graph_fixture_close(&f);
    }
}

static void variables_are_shared_through_the_store(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor sum = ttt_variable(f.graph, "sum", TTT_F32, ttt_dims(3));
    assert_int_equal(sum.index, ttt_variable(f.graph, "sum", TTT_F32, ttt_dims(3)).index);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(3));
    ttt_accumulate(f.graph, &sum, &x, 1);
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "x");
    graph_fixture_run(&f); /* a new variable starts at zero */
    graph_fixture_run(&f);

    struct graph_fixture reader = {.device = f.device, .store = f.store};
    check_ok(ttt_graph_create(&reader.graph));
    sum = ttt_variable(reader.graph, "sum", TTT_F32, ttt_dims(3));
    ttt_output(reader.graph, "twice", ttt_scale(reader.graph, sum, 2));
    graph_fixture_plan(&reader, NULL);
    graph_fixture_run(&reader);
    graph_fixture_expect(&reader, "twice", (float[]){4, 8, 12}, 3);
    graph_fixture_run(&f);
    graph_fixture_run(&reader);
    graph_fixture_expect(&reader, "twice", (float[]){6, 12, 18}, 3);
    ttt_plan_destroy(reader.plan);
    ttt_graph_destroy(reader.graph);
    assert_int_equal(ttt_store_count(f.store), 1);
    assert_int_equal(ttt_store_bytes(f.store), 12);
    graph_fixture_close(&f);
}

static void a_variable_has_one_shape(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    check_ok(ttt_store_add(f.store, "w", TTT_F32, ttt_dims(3, 4)));
    ttt_tensor w = ttt_variable(f.graph, "w", TTT_F32, ttt_dims(4, 3));
    ttt_output(f.graph, "y", ttt_scale(f.graph, w, 2));
    ttt_status status = ttt_plan_create(f.graph, f.store, NULL, &f.plan);
    assert_non_null(status);
    assert_non_null(strstr(ttt_status_text(status), "(3, 4)"));
    check_error(status, TTT_ARGUMENT, "(4, 3)");
    check_error(ttt_store_add(f.store, "w", TTT_F32, ttt_dims(3, 4)), TTT_ARGUMENT, "w");
    check_error(ttt_store_read(f.store, "v", NULL), TTT_ARGUMENT, "v");
    graph_fixture_close(&f);
}

static void forced_rows_must_exist(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(4, 4));
    ttt_output(f.graph, "y", ttt_matmul(f.graph, x, x));
    check_error(
        ttt_plan_create(f.graph, f.store, &(ttt_plan_options){.implementations = "matmul:none"}, &f.plan),
        TTT_ARGUMENT, "matmul:none");
    setenv("TTT_IMPL", "matmul:nowhere", 1);
    check_error(ttt_plan_create(f.graph, f.store, NULL, &f.plan), TTT_ARGUMENT, "matmul:nowhere");
    unsetenv("TTT_IMPL");
    graph_fixture_close(&f);
}

static void too_much_memory_is_refused_with_numbers(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(1024, 1024)); /* 4 MiB, and 4 of y */
    ttt_output(f.graph, "y", ttt_silu(f.graph, x));
    ttt_status status =
        ttt_plan_create(f.graph, f.store, &(ttt_plan_options){.memory_limit = 5 << 20}, &f.plan);
    assert_non_null(status);
    assert_non_null(strstr(ttt_status_text(status), "5.0 MiB"));
    check_error(status, TTT_MEMORY, "8.0 MiB");
    graph_fixture_plan(&f, &(ttt_plan_options){.memory_limit = 64 << 20});
    ttt_plan_memory memory = ttt_plan_memory_of(f.plan);
    assert_true(memory.arena >= 8 << 20 && memory.total == memory.arena + memory.variables);
    graph_fixture_close(&f);
}

static void a_broken_graph_is_not_planned(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(4, 5));
    ttt_output(f.graph, "y", ttt_matmul(f.graph, x, x));
    check_error(ttt_plan_create(f.graph, f.store, NULL, &f.plan), TTT_SHAPE, "(4, 5)");
    assert_null(f.plan);
    graph_fixture_close(&f);
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    struct graph_fixture f;
    float value[4] = {0};
    ttt_dtype dtype;
    ttt_shape shape;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(4));
    ttt_output(f.graph, "y", ttt_scale(f.graph, x, 2));
    check_ok(ttt_plan_create(f.graph, f.store, NULL, &f.plan));
    check_error(ttt_plan_write(f.plan, "x", value), TTT_ARGUMENT, "prepared");
    check_error(ttt_plan_run(f.plan), TTT_ARGUMENT, "prepared");
    check_ok(ttt_plan_prepare(f.plan));
    check_error(ttt_plan_write(f.plan, "z", value), TTT_ARGUMENT, "'z'");
    check_error(ttt_plan_read(f.plan, "x", value), TTT_ARGUMENT, "'x'");
    assert_false(ttt_plan_describe(f.plan, "z", &dtype, &shape));
    graph_fixture_close(&f);
}

static void the_first_bad_tensor_is_named(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(2, 2));
    ttt_tensor count = ttt_variable(f.graph, "count", TTT_F32, ttt_dims(2, 2));
    ttt_scope_push(f.graph, "block%d", 3);
    ttt_tensor h = ttt_matmul(f.graph, x, x);
    ttt_scope_push(f.graph, "inner");
    ttt_tensor bad = ttt_reciprocal(f.graph, h);
    ttt_scope_pop(f.graph);
    ttt_scope_pop(f.graph);
    ttt_tensor y = ttt_matmul(f.graph, bad, x);
    ttt_accumulate(f.graph, &count, &y, 1);
    ttt_output(f.graph, "y", y);
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "x");
    check_ok(ttt_plan_check_finite(f.plan));
    graph_fixture_write(&f, "x", (float[]){0, 0, 0, 0});
    check_error(ttt_plan_check_finite(f.plan), TTT_NUMERIC, "block3.inner.");
    graph_fixture_write(&f, "x", (float[]){0, 0, NAN, 0});
    check_error(ttt_plan_check_finite(f.plan), TTT_NUMERIC, "'x'");
    float counted[4];
    check_ok(ttt_store_read(f.store, "count", counted));
    for (int i = 0; i < 4; i++)
        assert_true(counted[i] == 0);
    graph_fixture_close(&f);
}

static void the_profile_has_every_node(void **state)
{
    (void)state;
    struct graph_fixture f;
    ttt_node_profile *nodes;
    ttt_tensor g;
    int count;
    double flops = 0;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(8, 8));
    ttt_scope_push(f.graph, "layer");
    ttt_tensor y = ttt_silu(f.graph, ttt_matmul(f.graph, x, x));
    ttt_scope_pop(f.graph);
    ttt_gradient(f.graph, ttt_sum(f.graph, y, 3), &x, 1, &g);
    ttt_output(f.graph, "g", g);
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "x");
    check_ok(ttt_plan_profile(f.plan, 3, &nodes, &count));
    assert_int_equal(count, ttt_plan_node_count(f.plan));
    int forward = 0, backward = 0;
    for (int i = 0; i < count; i++) {
        assert_true(nodes[i].seconds >= 0 && nodes[i].bytes > 0);
        flops += nodes[i].flops;
        forward += !strcmp(nodes[i].name, "layer.matmul") && !nodes[i].backward;
        backward += !strcmp(nodes[i].name, "layer.matmul") && nodes[i].backward;
    }
    assert_int_equal(forward, 1);
    assert_int_equal(backward, 2);
    assert_true(flops == ttt_plan_flops(f.plan));
    free(nodes);
    graph_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_output_needs_is_dropped),
        cmocka_unit_test(chains_are_fused_unless_kept),
        cmocka_unit_test(neighbours_that_share_operands_are_joined),
        cmocka_unit_test(parts_are_written_where_they_are_joined),
        cmocka_unit_test(parts_that_others_read_are_written_there_too),
        cmocka_unit_test(values_are_written_where_they_are_assigned),
        cmocka_unit_test(variables_are_shared_through_the_store),
        cmocka_unit_test(a_variable_has_one_shape),
        cmocka_unit_test(forced_rows_must_exist),
        cmocka_unit_test(too_much_memory_is_refused_with_numbers),
        cmocka_unit_test(a_broken_graph_is_not_planned),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(the_first_bad_tensor_is_named),
        cmocka_unit_test(the_profile_has_every_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
