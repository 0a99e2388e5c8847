/* Views, gradients, recompute segments, averages that are refused: what a graph computes, on small numbers
 * that can be followed. */
#include <math.h>
#include <stdio.h>

#include "tests/support/check.h"
#include "tests/ttt/graph_fixture.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"

static void views_show_the_right_elements(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(2, 3, 2)); /* 1 .. 12 */
    ttt_tensor pieces[3];
    ttt_output(f.graph, "permuted", ttt_permute(f.graph, x, (int[]){2, 0, 1}));
    ttt_output(f.graph, "transposed", ttt_transpose(f.graph, x, -1, -2));
    ttt_output(f.graph, "reshaped", ttt_reshape(f.graph, x, ttt_dims(4, 3)));
    ttt_output(f.graph, "copied", ttt_reshape(f.graph, ttt_transpose(f.graph, x, 0, 1), ttt_dims(12)));
    ttt_output(f.graph, "slice", ttt_slice(f.graph, x, 1, 1, 2));
    ttt_output(f.graph, "expanded", ttt_expand(f.graph, ttt_slice(f.graph, x, -2, 2, 1), ttt_dims(2, 2, 2)));
    ttt_split(f.graph, x, 1, 3, (int64_t[]){1, 1, 1}, pieces);
    ttt_output(f.graph, "last piece", pieces[2]);
    ttt_output(f.graph, "slice of a view",
               ttt_slice(f.graph, ttt_transpose(f.graph, ttt_slice(f.graph, x, 0, 1, 1), 1, 2), 2, 1, 2));
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "x");
    graph_fixture_run(&f);
    graph_fixture_expect(&f, "permuted", (float[]){1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12}, 12);
    graph_fixture_expect(&f, "transposed", (float[]){1, 3, 5, 2, 4, 6, 7, 9, 11, 8, 10, 12}, 12);
    graph_fixture_expect(&f, "reshaped", (float[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 12);
    graph_fixture_expect(&f, "copied", (float[]){1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12}, 12);
    graph_fixture_expect(&f, "slice", (float[]){3, 4, 5, 6, 9, 10, 11, 12}, 8);
    graph_fixture_expect(&f, "expanded", (float[]){5, 6, 5, 6, 11, 12, 11, 12}, 8);
    graph_fixture_expect(&f, "last piece", (float[]){5, 6, 11, 12}, 4);
    graph_fixture_expect(&f, "slice of a view", (float[]){9, 11, 10, 12}, 4);
    graph_fixture_close(&f);
}

/* d sum(view(x) * (1, 2, 3, ...)) / dx puts the count back where the view's elements come from. */
static void gradients_go_back_through_views(void **state)
{
    (void)state;
    struct graph_fixture f;
    ttt_tensor pieces[2], g;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(2, 3));
    ttt_split(f.graph, x, 1, 2, (int64_t[]){1, 2}, pieces);
    const struct {
        const char *name;
        ttt_tensor y;
        float expected[6];
    } views[] = {
        {"transpose", ttt_transpose(f.graph, x, 0, 1), {1, 3, 5, 2, 4, 6}},
        {"reshape", ttt_reshape(f.graph, x, ttt_dims(3, 2)), {1, 2, 3, 4, 5, 6}},
        {"slice", ttt_slice(f.graph, x, 1, 1, 1), {0, 1, 0, 0, 2, 0}},
        {"split", pieces[1], {0, 1, 2, 0, 3, 4}},
        {"expand", ttt_expand(f.graph, ttt_slice(f.graph, x, 0, 1, 1), ttt_dims(2, 3)), {0, 0, 0, 5, 7, 9}},
        {"contiguous", ttt_contiguous(f.graph, ttt_transpose(f.graph, x, 0, 1)), {1, 3, 5, 2, 4, 6}},
    };
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        char name[32];
        snprintf(name, sizeof name, "c of %s", views[i].name);
        ttt_tensor c = graph_fixture_input(&f, name, ttt_shape_of(f.graph, views[i].y));
        ttt_gradient_from(f.graph, views[i].y, c, &x, 1, &g);
        ttt_output(f.graph, views[i].name, g);
    }
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "x");
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        char name[32];
        snprintf(name, sizeof name, "c of %s", views[i].name);
        graph_fixture_count_up(&f, name);
    }
    graph_fixture_run(&f);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        graph_fixture_expect(&f, views[i].name, views[i].expected, 6);
    graph_fixture_close(&f);
}

/* y = x x + 3 x + x^T x^T: every use adds to the gradient. */
static void uses_accumulate(void **state)
{
    (void)state;
    struct graph_fixture f;
    ttt_tensor g, unused;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(2, 2)),
               other = graph_fixture_input(&f, "other", ttt_dims(2));
    ttt_tensor t = ttt_transpose(f.graph, x, 0, 1);
    ttt_tensor y = ttt_add(f.graph, ttt_mul(f.graph, x, x), ttt_scale(f.graph, x, 3));
    ttt_tensor loss = ttt_sum(f.graph, ttt_add(f.graph, y, ttt_mul(f.graph, t, t)), 3);
    ttt_gradient(f.graph, loss, &x, 1, &g);
    ttt_gradient(f.graph, loss, &other, 1, &unused);
    assert_false(ttt_exists(unused));
    assert_true(ttt_valid(unused));
    ttt_output(f.graph, "g", g);
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "x");
    graph_fixture_run(&f);
    graph_fixture_expect(&f, "g", (float[]){7, 11, 15, 19}, 4);
    graph_fixture_close(&f);
}

enum { SIDE = 65 };

/* h and k end at a node that reads them in another order too, which must not write over them. */
static void nothing_is_written_over_what_is_still_read(void **state)
{
    (void)state;
    static float x_values[SIDE * SIDE], h_values[SIDE * SIDE], y_values[SIDE * SIDE], z_values[SIDE * SIDE];
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(SIDE, SIDE));
    ttt_tensor h = ttt_matmul(f.graph, x, x), k = ttt_matmul(f.graph, x, x);
    ttt_output(f.graph, "h", ttt_matmul(f.graph, x, x));
    ttt_output(f.graph, "y", ttt_add(f.graph, h, ttt_transpose(f.graph, h, 0, 1)));
    ttt_output(f.graph, "z", ttt_sub(f.graph, k, ttt_slice(f.graph, k, 0, 0, 1)));
    for (int i = 0; i < SIDE * SIDE; i++)
        x_values[i] = sinf((float)i);
    for (int unfused = 0; unfused < 2; unfused++) {
        graph_fixture_plan(&f, &(ttt_plan_options){.keep_chains = unfused});
        graph_fixture_write(&f, "x", x_values);
        graph_fixture_run(&f);
        graph_fixture_read(&f, "h", h_values, SIDE * SIDE);
        for (int i = 0; i < SIDE * SIDE; i++) {
            y_values[i] = h_values[i] + h_values[i % SIDE * SIDE + i / SIDE];
            z_values[i] = h_values[i] - h_values[i % SIDE];
        }
        graph_fixture_expect(&f, "y", y_values, SIDE * SIDE);
        graph_fixture_expect(&f, "z", z_values, SIDE * SIDE);
    }
    graph_fixture_close(&f);
}

enum { LAYERS = 12, WIDTH = 16, ROWS = 32 };

/* A stack of layers, x += silu(x w) w^T, with its gradient; returns the arena's size. */
static int64_t run_stack(bool recompute, float *gradient)
{
    struct graph_fixture f;
    ttt_tensor g;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(ROWS, WIDTH));
    ttt_tensor w = ttt_variable(f.graph, "w", TTT_F32, ttt_dims(WIDTH, WIDTH)), h = x;
    for (int i = 0; i < LAYERS; i++) {
        if (recompute)
            ttt_recompute_begin(f.graph);
        ttt_tensor a = ttt_silu(f.graph, ttt_matmul(f.graph, h, w));
        a = ttt_silu(f.graph, ttt_matmul(f.graph, a, ttt_transpose(f.graph, w, 0, 1)));
        h = ttt_add(f.graph, h, ttt_silu(f.graph, ttt_matmul(f.graph, a, w)));
        ttt_recompute_end(f.graph);
    }
    ttt_gradient(f.graph, ttt_sum(f.graph, ttt_square(f.graph, h), 3), &w, 1, &g);
    ttt_output(f.graph, "g", g);
    graph_fixture_plan(&f, NULL);
    float values[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++)
        values[i] = sinf((float)i);
    graph_fixture_write(&f, "x", values);
    for (int i = 0; i < WIDTH * WIDTH; i++)
        values[i] = 0.2F * cosf((float)(3 * i));
    check_ok(ttt_store_write(f.store, "w", values));
    graph_fixture_run(&f);
    graph_fixture_read(&f, "g", gradient, WIDTH * WIDTH);
    int64_t arena = ttt_plan_memory_of(f.plan).arena;
    graph_fixture_close(&f);
    return arena;
}

static void recompute_saves_memory_and_changes_nothing(void **state)
{
    (void)state;
    float kept[WIDTH * WIDTH], recomputed[WIDTH * WIDTH];
    int64_t more = run_stack(false, kept), less = run_stack(true, recomputed);
    assert_memory_equal(kept, recomputed, sizeof kept);
    if (less * 2 > more)
        fail_msg("recomputing takes %lld bytes, keeping %lld", (long long)less, (long long)more);
}

static void bad_views_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        ttt_graph *g;
        ttt_tensor y, pieces[2];
        check_ok(ttt_graph_create(&g));
        ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(2, 3));
        switch (i) {
        case 0:
            y = ttt_reshape(g, x, ttt_dims(4, 2));
            break;
        case 1:
            y = ttt_permute(g, x, (int[]){0, 0});
            break;
        case 2:
            y = ttt_transpose(g, x, 0, 2);
            break;
        case 3:
            y = ttt_slice(g, x, 1, 2, 2);
            break;
        case 4:
            y = ttt_expand(g, x, ttt_dims(2, 6));
            break;
        case 5:
            ttt_split(g, x, 1, 2, (int64_t[]){1, 1}, pieces);
            y = pieces[1];
            break;
        default:
            y = ttt_slice(g, x, -3, 0, 1);
        }
        assert_false(ttt_valid(y));
        check_error(ttt_graph_status(g), TTT_SHAPE, "(2, 3)");
        ttt_graph_destroy(g);
    }
}

static void a_loss_has_one_element(void **state)
{
    (void)state;
    ttt_graph *g;
    ttt_tensor gradient;
    check_ok(ttt_graph_create(&g));
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(2, 3));
    ttt_gradient(g, x, &x, 1, &gradient);
    assert_false(ttt_valid(gradient));
    check_error(ttt_graph_status(g), TTT_SHAPE, "(2, 3)");
    ttt_graph_destroy(g);
}

/* AdamW over one parameter whose average is `average`. */
static void build_averaged(ttt_graph *g, ttt_tensor average, double decay)
{
    ttt_tensor p = ttt_variable(g, "p", TTT_F32, ttt_dims(2, 3)),
               one = ttt_input(g, "one", TTT_F32, ttt_dims(1)),
               steps = ttt_variable(g, "steps", TTT_F32, ttt_dims(1));
    const ttt_adamw_parameter parameter = {.parameter = p,
                                           .gradient = ttt_input(g, "gradient", TTT_F32, ttt_dims(2, 3)),
                                           .mean = ttt_variable(g, "mean", TTT_F32, ttt_dims(2, 3)),
                                           .variance = ttt_variable(g, "variance", TTT_F32, ttt_dims(2, 3)),
                                           .average = average};
    ttt_adamw(g, &parameter, 1, one, one, one, steps, (ttt_adamw_options){.average_decay = decay});
}

static void bad_averages_are_refused(void **state)
{
    static const struct {
        int64_t columns; /* of the average; 0: there is none */
        double decay;
        ttt_code code;
        const char *part;
    } bad[] = {
        {0, 0.9, TTT_ARGUMENT, "average 0 must be a whole variable"},
        {4, 0.9, TTT_SHAPE, "average 0 has shape (2, 4), and should have (2, 3)"},
        {3, 1, TTT_ARGUMENT, "average_decay 1 must be"},
        {3, -0.5, TTT_ARGUMENT, "average_decay -0.5 must be"},
        {3, NAN, TTT_ARGUMENT, "average_decay"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ttt_graph *g;
        check_ok(ttt_graph_create(&g));
        ttt_tensor average =
            bad[i].columns ? ttt_variable(g, "average", TTT_F32, ttt_dims(2, bad[i].columns)) : TTT_NONE;
        build_averaged(g, average, bad[i].decay);
        check_error(ttt_graph_status(g), bad[i].code, bad[i].part);
        ttt_graph_destroy(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_show_the_right_elements),
        cmocka_unit_test(gradients_go_back_through_views),
        cmocka_unit_test(uses_accumulate),
        cmocka_unit_test(nothing_is_written_over_what_is_still_read),
        cmocka_unit_test(recompute_saves_memory_and_changes_nothing),
        cmocka_unit_test(bad_views_are_refused),
        cmocka_unit_test(a_loss_has_one_element),
        cmocka_unit_test(bad_averages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
