/* The LaCT layer: plans, states, its parts put together by hand; what stops gradients; Newton-Schulz. */
#include "ttt/fast/lact.h"

#include <math.h>
#include <stdlib.h>

#include "tests/support/check.h"
#include "tests/ttt/lact_world.h"
#include "ttt/fast/muon.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"

static void detached_tensors_are_constants(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(2, 3)), gradient;
    ttt_tensor transposed = ttt_transpose(f.graph, x, 0, 1);
    ttt_tensor y = ttt_sum(f.graph, ttt_mul(f.graph, transposed, ttt_detach(f.graph, transposed)), 3);
    ttt_gradient(f.graph, y, &x, 1, &gradient);
    ttt_output(f.graph, "y", y);
    ttt_output(f.graph, "gradient", gradient);
    ttt_tensor only = ttt_sum(f.graph, ttt_detach(f.graph, x), 3), nothing;
    ttt_gradient(f.graph, only, &x, 1, &nothing);
    assert_false(ttt_exists(nothing));
    graph_fixture_plan(&f, NULL);
    graph_fixture_count_up(&f, "x");
    graph_fixture_run(&f);
    graph_fixture_expect(&f, "y", (float[]){91}, 1);
    graph_fixture_expect(&f, "gradient", (float[]){1, 2, 3, 4, 5, 6}, 6);
    graph_fixture_close(&f);
}

/* c = a b^T (n x m, depth k), in double. */
static void multiply_transposed(const double *a, const double *b, int n, int m, int k, double *c)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++) {
            c[i * m + j] = 0;
            for (int l = 0; l < k; l++)
                c[i * m + j] += a[i * k + l] * b[j * k + l];
        }
}

enum { MOST_SIDE = 16 };

/* Newton-Schulz of a rows x columns matrix in place, without transposing tall ones. */
static void newton_schulz(double *x, int rows, int columns, int steps)
{
    double norm = 0, s[MOST_SIDE * MOST_SIDE], factor[MOST_SIDE * MOST_SIDE], y[MOST_SIDE * MOST_SIDE];
    for (int i = 0; i < rows * columns; i++)
        norm += x[i] * x[i];
    for (int i = 0; i < rows * columns; i++)
        x[i] /= sqrt(norm) + 1e-7;
    for (int step = 0; step < steps; step++) {
        multiply_transposed(x, x, rows, rows, columns, s);
        multiply_transposed(s, s, rows, rows, rows, factor);
        for (int i = 0; i < rows * rows; i++)
            factor[i] = -4.7750 * s[i] + 2.0315 * factor[i];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) {
                y[i * columns + j] = 3.4445 * x[i * columns + j];
                for (int l = 0; l < rows; l++)
                    y[i * columns + j] += factor[i * rows + l] * x[l * columns + j];
            }
        for (int i = 0; i < rows * columns; i++)
            x[i] = y[i];
    }
}

static void check_newton_schulz(int rows, int columns, int steps)
{
    enum { BATCH = 2 };
    struct graph_fixture f;
    const int count = rows * columns;
    double expected[BATCH * MOST_SIDE * MOST_SIDE];
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(BATCH, 1, rows, columns));
    ttt_output(f.graph, "y", ttt_newton_schulz(f.graph, x, steps));
    graph_fixture_plan(&f, NULL);
    float *values = lact_world_fill(&f, "x", 1, (uint64_t)(rows * 100 + columns));
    for (int b = 0; b < BATCH; b++) {
        for (int i = 0; i < count; i++)
            expected[b * count + i] = values[b * count + i];
        newton_schulz(expected + b * count, rows, columns, steps);
    }
    graph_fixture_run(&f);
    graph_fixture_read(&f, "y", values, BATCH * count);
    double error = relative_error(values, expected, BATCH * count);
    if (!(error <= tolerance_of(GRADIENT, TTT_F32)))
        fail_msg("%d x %d, %d steps: error %g", rows, columns, steps, error);
    free(values);
    graph_fixture_close(&f);
}

static void newton_schulz_follows_its_formula(void **state)
{
    (void)state;
    static const int sides[][2] = {{1, 1}, {1, 9}, {9, 1}, {5, 12}, {12, 5}, {7, 7}};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        for (int steps = 0; steps <= 5; steps += steps ? 4 : 1)
            check_newton_schulz(sides[i][0], sides[i][1], steps);
}

/* Nothing learnt in a chunk, such as of zero rates, must not become NaN, nor its gradient. */
static void newton_schulz_of_zero_is_zero(void **state)
{
    (void)state;
    struct graph_fixture f;
    graph_fixture_open(&f);
    ttt_tensor x = graph_fixture_input(&f, "x", ttt_dims(3, 2)), gradient;
    ttt_tensor y = ttt_newton_schulz(f.graph, x, 5);
    ttt_gradient(f.graph, ttt_sum(f.graph, y, 3), &x, 1, &gradient);
    ttt_output(f.graph, "y", y);
    ttt_output(f.graph, "gradient", gradient);
    graph_fixture_plan(&f, NULL);
    graph_fixture_write(&f, "x", (float[6]){0});
    graph_fixture_run(&f);
    graph_fixture_expect(&f, "y", (float[6]){0}, 6);
    float values[6];
    graph_fixture_read(&f, "gradient", values, 6);
    for (int i = 0; i < 6; i++)
        assert_true(isfinite(values[i]));
    graph_fixture_close(&f);
}

enum { BATCH = 2, TOKENS = 23, HEADS = 3, D = 5, WIDTH = HEADS * D };

static const ttt_lact_window whole = {0, TOKENS, false, true};

/* A layer whose inputs are called as its weights. */
static ttt_lact_weights open_layer(struct graph_fixture *f, const ttt_lact_options *options, ttt_tensor *x)
{
    const int64_t m = options->variant.kernel == TTT_KERNEL_LINEAR ? D : 2 * D;
    graph_fixture_open(f);
    *x = graph_fixture_input(f, "x", ttt_dims(BATCH, TOKENS, WIDTH));
    return (ttt_lact_weights){
        .to_qkv = graph_fixture_input(f, "to_qkv", ttt_dims(3 * WIDTH, WIDTH)),
        .lr_fc_weight = graph_fixture_input(f, "lr_fc.weight", ttt_dims(3 * HEADS, WIDTH)),
        .lr_fc_bias = graph_fixture_input(f, "lr_fc.bias", ttt_dims(3 * HEADS)),
        .w = {graph_fixture_input(f, "w0", ttt_dims(HEADS, D, m)),
              graph_fixture_input(f, "w1", ttt_dims(HEADS, m, D)),
              graph_fixture_input(f, "w2", ttt_dims(HEADS, D, m))},
        .o_norm = graph_fixture_input(f, "o_norm", ttt_dims(D)),
        .c_proj = graph_fixture_input(f, "c_proj", ttt_dims(WIDTH, WIDTH)),
    };
}

static void run_layer(struct graph_fixture *f)
{
    static const char *const names[] = {"x",  "to_qkv", "lr_fc.weight", "lr_fc.bias", "w0",
                                        "w1", "w2",     "o_norm",       "c_proj"};
    ttt_dtype dtype;
    ttt_shape shape;
    graph_fixture_plan(f, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ttt_plan_describe(f->plan, names[i], &dtype, &shape))
            free(lact_world_fill(f, names[i], 0.5, i));
    graph_fixture_run(f);
}

/* Every variant, and switches that no name has. */
static ttt_lact_options options_at(int i)
{
    ttt_lact_options options = {.muon_steps = 5, .base_lr = 0.01};
    if (ttt_variant_name(i)) {
        check_ok(ttt_variant_named(ttt_variant_name(i), &options.variant));
        return options;
    }
    check_ok(ttt_variant_named("baseline", &options.variant));
    options.variant.inner_steps = 3;
    return options;
}

static bool more_options(int i)
{
    return i == 0 || ttt_variant_name(i - 1);
}

/* Weights that a plan leaves are where another plan goes on. */
static void states_go_from_plan_to_plan(void **state)
{
    (void)state;
    for (int i = 0; more_options(i); i++) {
        const ttt_lact_options options = options_at(i);
        const ttt_lact_window plan[] = {{0, 14, true, false}, whole};
        struct graph_fixture f;
        ttt_tensor x, moved[3] = {TTT_NONE, TTT_NONE, TTT_NONE};
        const ttt_lact_weights weights = open_layer(&f, &options, &x);
        ttt_output(f.graph, "at once", ttt_lact_layer(f.graph, &options, &weights, x, plan, 2, NULL));
        assert_false(ttt_exists(ttt_lact_layer(f.graph, &options, &weights, x, plan, 1, moved)));
        assert_true(ttt_shape_equal(ttt_shape_of(f.graph, moved[1]),
                                    ttt_dims(BATCH, HEADS, ttt_size(f.graph, weights.w[1], 1), D)));
        ttt_output(f.graph, "later", ttt_lact_layer(f.graph, &options, &weights, x, &whole, 1, moved));
        run_layer(&f);
        lact_world_compare(&f, "at once", "later", 0);
        graph_fixture_close(&f);
    }
}

/* The moved weights must matter to what is read: else the comparisons here would show nothing. */
static void updates_change_what_is_read(void **state)
{
    (void)state;
    for (int i = 0; more_options(i); i++) {
        const ttt_lact_options options = options_at(i);
        struct graph_fixture f;
        ttt_tensor x;
        const ttt_lact_weights weights = open_layer(&f, &options, &x);
        const ttt_lact_window plan[] = {{0, 14, true, false}, whole};
        ttt_output(f.graph, "moved", ttt_lact_layer(f.graph, &options, &weights, x, plan, 2, NULL));
        ttt_output(f.graph, "unmoved", ttt_lact_layer(f.graph, &options, &weights, x, &whole, 1, NULL));
        run_layer(&f);
        assert_true(lact_world_distance(&f, "moved", "unmoved") > 1e-3);
        graph_fixture_close(&f);
    }
}

/* Windows that overlap, repeat and leave gaps, against one window at a time with the state carried by hand.
 */
static void any_plan_is_its_windows_in_order(void **state)
{
    (void)state;
    static const ttt_lact_window plans[][4] = {
        {{2, 9, true, true}, {9, 10, true, true}, {12, 23, true, true}, {22, 23, false, true}},
        {{0, 7, true, true}, {7, 14, true, true}, {14, 20, true, true}, {20, 23, true, true}},
        {{5, 12, true, true}, {0, 9, true, true}, {5, 12, true, true}, {3, 4, false, true}},
        {{9, 14, true, true}, {10, 12, true, true}, {0, TOKENS, false, true}, {3, 5, false, true}},
        {{9, 14, true, true}, {10, 12, true, true}, {3, 20, false, true}, {3, 5, false, true}},
    };
    enum { PLANS = sizeof plans / sizeof *plans };
    for (int i = 0; i < 2 * PLANS; i++) {
        struct graph_fixture f;
        ttt_tensor x, parts[4], moved[3] = {TTT_NONE, TTT_NONE, TTT_NONE}, y, gradient;
        const ttt_lact_window *plan = plans[i % PLANS];
        ttt_lact_options kept = options_at(0);
        kept.variant.query = i < PLANS ? TTT_QUERY_Q : TTT_QUERY_K;
        kept.variant.weight_norm = false; /* norms to restore are those of where a plan starts */
        const ttt_lact_weights weights = open_layer(&f, &kept, &x);
        y = ttt_lact_layer(f.graph, &kept, &weights, x, plan, 4, NULL);
        for (int k = 0; k < 4; k++)
            parts[k] = ttt_lact_layer(f.graph, &kept, &weights, x, &plan[k], 1, moved);
        ttt_tensor joined = ttt_concat(f.graph, parts, 4, 1);
        ttt_output(f.graph, "plan", y);
        ttt_output(f.graph, "windows", joined);
        ttt_gradient(f.graph, ttt_sum(f.graph, ttt_square(f.graph, y), 7), &x, 1, &gradient);
        ttt_output(f.graph, "plan's gradient", gradient);
        ttt_gradient(f.graph, ttt_sum(f.graph, ttt_square(f.graph, joined), 7), &x, 1, &gradient);
        ttt_output(f.graph, "windows' gradient", gradient);
        run_layer(&f);
        lact_world_compare(&f, "plan", "windows", tolerance_of(COMPOSED, TTT_F32));
        lact_world_compare(&f, "plan's gradient", "windows' gradient",
                           tolerance_of(COMPOSED_GRADIENT, TTT_F32));
        graph_fixture_close(&f);
    }
}

static ttt_lact_tokens slice_tokens(ttt_graph *g, const ttt_lact_tokens *tokens, int64_t start,
                                    int64_t length)
{
    ttt_lact_tokens part = {.k = ttt_slice(g, tokens->k, 2, start, length),
                            .v = ttt_slice(g, tokens->v, 2, start, length)};
    for (int i = 0; i < 3 && ttt_exists(tokens->rate[i]); i++)
        part.rate[i] = ttt_slice(g, tokens->rate[i], 2, start, length);
    return part;
}

/* Directions of passes over the tokens add up to that of all: the layer by its parts, with bounded memory. */
static void directions_of_passes_add_up(void **state)
{
    (void)state;
    for (int i = 0; more_options(i); i++) {
        ttt_lact_options options = options_at(i);
        options.variant.inner_steps = 1;
        const ttt_lact_window plan = {0, TOKENS, true, true};
        struct graph_fixture f;
        ttt_tensor x, w[3], sum[3], part[3];
        const ttt_lact_weights weights = open_layer(&f, &options, &x);
        ttt_output(f.graph, "layer", ttt_lact_layer(f.graph, &options, &weights, x, &plan, 1, NULL));

        ttt_lact_initial(f.graph, &weights, w);
        ttt_lact_fast fast = ttt_lact_start(f.graph, &options, w);
        const ttt_lact_tokens tokens = ttt_lact_project(f.graph, &options, &weights, x);
        for (int64_t start = 0; start < TOKENS; start += 10) {
            const ttt_lact_tokens pass =
                slice_tokens(f.graph, &tokens, start, TOKENS - start < 10 ? TOKENS - start : 10);
            ttt_lact_direction(f.graph, &options, &fast, &pass, part);
            for (int k = 0; k < 3; k++)
                sum[k] = start && ttt_exists(part[k]) ? ttt_add(f.graph, sum[k], part[k]) : part[k];
        }
        ttt_lact_move(f.graph, &options, &fast, sum, TTT_NONE);
        ttt_tensor y = ttt_lact_apply(f.graph, &options, &fast, ttt_lact_query(&options, &tokens));
        ttt_output(f.graph, "parts", ttt_lact_join(f.graph, &weights, y));
        run_layer(&f);
        lact_world_compare(&f, "layer", "parts", tolerance_of(COMPOSED, TTT_F32));
        graph_fixture_close(&f);
    }
}

static void refuse(const ttt_lact_options *options, int64_t width, ttt_lact_window window, ttt_code code,
                   const char *text)
{
    struct graph_fixture f;
    ttt_tensor x;
    const ttt_lact_weights weights = open_layer(&f, options, &x);
    x = graph_fixture_input(&f, "other", ttt_dims(BATCH, TOKENS, width));
    assert_false(ttt_valid(ttt_lact_layer(f.graph, options, &weights, x, &window, 1, NULL)));
    check_error(ttt_graph_status(f.graph), code, text);
    graph_fixture_close(&f);
}

static void misfits_are_refused(void **state)
{
    (void)state;
    ttt_lact_options options = options_at(0);
    const ttt_lact_window past = {3, TOKENS + 1, true, true}, empty = {4, 4, true, true},
                          negative = {-1, 4, false, true};
    refuse(&options, WIDTH + HEADS, whole, TTT_SHAPE, "(2, 23, 18) and (3, 10, 5)");
    refuse(&options, WIDTH, past, TTT_ARGUMENT, "3 to 24 of 23");
    refuse(&options, WIDTH, empty, TTT_ARGUMENT, "4 to 4 of 23");
    refuse(&options, WIDTH, negative, TTT_ARGUMENT, "-1 to 4 of 23");
    options.base_lr = 0;
    refuse(&options, WIDTH, whole, TTT_ARGUMENT, "base_lr is 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detached_tensors_are_constants), cmocka_unit_test(newton_schulz_follows_its_formula),
        cmocka_unit_test(newton_schulz_of_zero_is_zero),  cmocka_unit_test(states_go_from_plan_to_plan),
        cmocka_unit_test(updates_change_what_is_read),    cmocka_unit_test(any_plan_is_its_windows_in_order),
        cmocka_unit_test(directions_of_passes_add_up),    cmocka_unit_test(misfits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
