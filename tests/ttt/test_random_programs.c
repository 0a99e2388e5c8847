/* Random graphs, planned with and without fusion and recompute segments, against an evaluation in double.
 *
 * What this finds is memory shared by tensors that are needed at the same time, views that read the wrong
 * elements, gradients that get lost, and chains that are fused wrongly. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"
#include "tests/support/tolerance.h"
#include "tests/ttt/op_guard.h"
#include "tests/ttt/random_program.h"
#include "ttt/graph/plan.h"
#include "ttt/ops/pointwise/pointwise.h"

enum { PROGRAMS = 600, SHAPES_OF_PLAN = 4 };

/* Values of a program and of the cotangents of its outputs. */
struct trial {
    struct program program;
    double *values[PROGRAM_MOST], *moved[PROGRAM_MOST], *cotangents[PROGRAM_MOST];
    uint64_t seed;
};

static int64_t elements(const struct trial *t, int i)
{
    return ttt_shape_elements(t->program.at[i].shape);
}

/* sum over outputs of <output, cotangent> */
static double loss(const struct trial *t, double *const *values)
{
    double sum = 0;
    program_evaluate(&t->program, values);
    for (int i = 0; i < t->program.count; i++)
        for (int64_t k = 0; k < elements(t, i) && t->program.at[i].output; k++)
            sum += values[i][k] * t->cotangents[i][k];
    return sum;
}

static void trial_create(struct trial *t, uint64_t seed)
{
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_TEST, 2, 0);
    *t = (struct trial){.seed = seed};
    program_draw(&t->program, &random, PROGRAM_INPUTS + 1 + (int)(seed % (PROGRAM_MOST - PROGRAM_INPUTS)));
    for (int i = 0; i < t->program.count; i++) {
        t->values[i] = check_alloc((size_t)elements(t, i), sizeof(double));
        t->moved[i] = check_alloc((size_t)elements(t, i), sizeof(double));
        t->cotangents[i] = check_alloc((size_t)elements(t, i), sizeof(double));
        for (int64_t k = 0; k < elements(t, i); k++) {
            t->values[i][k] = (float)(2 * ttt_random_uniform(&random) - 1);
            t->cotangents[i][k] = (float)(2 * ttt_random_uniform(&random) - 1);
        }
    }
}

/* Large values magnify the rounding of small ones: their errors say nothing. */
static bool well_scaled(const struct trial *t)
{
    double largest = 0;
    for (int i = 0; i < t->program.count; i++)
        for (int64_t k = 0; k < elements(t, i); k++)
            largest = fmax(largest, fabs(t->values[i][k]));
    return largest < 20;
}

static void trial_destroy(struct trial *t)
{
    for (int i = 0; i < t->program.count; i++) {
        free(t->values[i]);
        free(t->moved[i]);
        free(t->cotangents[i]);
    }
}

/* The loss's derivative along the input's cotangents, which serve as a random direction. */
static double derivative(struct trial *t, int input)
{
    static const double step = 2e-4, weights[] = {1. / 12, -8. / 12, 0, 8. / 12, -1. / 12};
    double sum = 0;
    for (int point = -2; point <= 2; point++) {
        for (int i = 0; i < PROGRAM_INPUTS; i++)
            for (int64_t k = 0; k < elements(t, i); k++)
                t->moved[i][k] = t->values[i][k] + (i == input ? point * step * t->cotangents[i][k] : 0);
        sum += weights[point + 2] * loss(t, t->moved) / step;
    }
    return sum;
}

struct built {
    ttt_graph *graph;
    bool flows[PROGRAM_INPUTS];
};

static void build(struct built *b, const struct trial *t, bool recompute)
{
    ttt_tensor x[PROGRAM_MOST], gradients[PROGRAM_INPUTS], sums[PROGRAM_INPUTS] = {0};
    char name[32];
    check_ok(ttt_graph_create(&b->graph));
    for (int i = 0; i < PROGRAM_INPUTS; i++) {
        snprintf(name, sizeof name, "x%d", i);
        x[i] = i == 0 ? ttt_variable(b->graph, name, TTT_F32, t->program.at[i].shape)
                      : ttt_input(b->graph, name, TTT_F32, t->program.at[i].shape);
    }
    int from = recompute ? t->program.count / 4 : t->program.count;
    program_build(&t->program, b->graph, x, from, from + t->program.count / 2);
    for (int i = PROGRAM_INPUTS; i < t->program.count; i++) {
        if (!t->program.at[i].output)
            continue;
        snprintf(name, sizeof name, "y%d", i);
        ttt_output(b->graph, name, x[i]);
        snprintf(name, sizeof name, "c%d", i);
        ttt_tensor cotangent = ttt_input(b->graph, name, TTT_F32, t->program.at[i].shape);
        ttt_gradient_from(b->graph, x[i], cotangent, x, PROGRAM_INPUTS, gradients);
        for (int k = 0; k < PROGRAM_INPUTS; k++)
            if (ttt_exists(gradients[k]))
                sums[k] = ttt_exists(sums[k]) ? ttt_add(b->graph, sums[k], gradients[k]) : gradients[k];
    }
    for (int k = 0; k < PROGRAM_INPUTS; k++) {
        snprintf(name, sizeof name, "g%d", k);
        b->flows[k] = ttt_exists(sums[k]);
        if (b->flows[k])
            ttt_output(b->graph, name, sums[k]);
    }
}

static float *narrowed(const double *values, int64_t count)
{
    float *f32 = check_alloc((size_t)count, sizeof *f32);
    for (int64_t i = 0; i < count; i++)
        f32[i] = (float)values[i];
    return f32;
}

static void write_inputs(const struct trial *t, ttt_store *store, ttt_plan *plan)
{
    char name[32];
    for (int i = 0; i < t->program.count; i++) {
        float *x = narrowed(t->values[i], elements(t, i)), *c = narrowed(t->cotangents[i], elements(t, i));
        snprintf(name, sizeof name, "x%d", i);
        if (i < PROGRAM_INPUTS)
            check_ok(i == 0 ? ttt_store_write(store, name, x) : ttt_plan_write(plan, name, x));
        snprintf(name, sizeof name, "c%d", i);
        if (i >= PROGRAM_INPUTS && t->program.at[i].output)
            check_ok(ttt_plan_write(plan, name, c));
        free(x);
        free(c);
    }
}

/* Relative L2 error; values that cancel to less than a tenth of the inputs' size are measured against that.
 */
static double error_of(const float *y, const double *expected, int64_t count)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += pow(y[i] - expected[i], 2);
        norm += pow(expected[i], 2);
    }
    return sqrt(difference / fmax(norm, 0.01 * (double)count));
}

static void check_outputs(const struct trial *t, ttt_plan *plan, const char *how)
{
    for (int i = PROGRAM_INPUTS; i < t->program.count; i++) {
        char name[32];
        if (!t->program.at[i].output)
            continue;
        float *y = check_alloc((size_t)elements(t, i), sizeof *y);
        snprintf(name, sizeof name, "y%d", i);
        check_ok(ttt_plan_read(plan, name, y));
        double error = error_of(y, t->values[i], elements(t, i));
        free(y);
        if (!(error <= tolerance_of(COMPOSED, TTT_F32)))
            fail_msg("program %llu, %s: output %d is off by %g", (unsigned long long)t->seed, how, i, error);
    }
}

static void check_gradients(const struct trial *t, const struct built *b, const double *derivatives,
                            ttt_plan *plan, const char *how)
{
    for (int i = 0; i < PROGRAM_INPUTS; i++) {
        double along = 0, size = 0;
        char name[32];
        snprintf(name, sizeof name, "g%d", i);
        if (b->flows[i]) {
            float *g = check_alloc((size_t)elements(t, i), sizeof *g);
            check_ok(ttt_plan_read(plan, name, g));
            for (int64_t k = 0; k < elements(t, i); k++) {
                along += g[k] * t->cotangents[i][k];
                size += fabs(g[k] * t->cotangents[i][k]);
            }
            free(g);
        }
        double error = fabs(along - derivatives[i]) / fmax(size, 0.01);
        if (!(error <= tolerance_of(COMPOSED_GRADIENT, TTT_F32)))
            fail_msg("program %llu, %s: gradient %d is off by %g", (unsigned long long)t->seed, how, i,
                     error);
    }
}

/* One graph, planned and run: twice, the second time over what the first left. */
static int64_t check_plan(const struct trial *t, ttt_device *device, const double *derivatives, bool unfused,
                          bool recompute)
{
    struct built b;
    ttt_store *store;
    ttt_plan *plan;
    char how[64];
    snprintf(how, sizeof how, "%s%s", unfused ? "unfused" : "fused", recompute ? ", recomputed" : "");
    build(&b, t, recompute);
    check_ok(ttt_store_create(device, &store));
    check_ok(ttt_plan_create(b.graph, store, &(ttt_plan_options){.keep_chains = unfused}, &plan));
    check_ok(ttt_plan_prepare(plan));
    guarded_device_poison(device);
    write_inputs(t, store, plan);
    for (int run = 0; run < 2; run++) {
        if (run == 0)
            op_guard_run(plan);
        else
            check_ok(ttt_plan_run(plan));
        guarded_device_check(device);
        check_outputs(t, plan, how);
        check_gradients(t, &b, derivatives, plan, how);
    }
    int64_t arena = ttt_plan_memory_of(plan).arena;
    ttt_plan_destroy(plan);
    ttt_store_destroy(store);
    ttt_graph_destroy(b.graph);
    return arena;
}

/* RANDOM_PROGRAM=17 runs one alone. */
static void check_programs(ttt_device *device, uint64_t programs)
{
    uint64_t skipped = 0;
    const char *only = getenv("RANDOM_PROGRAM");
    uint64_t first = only ? strtoull(only, NULL, 10) : 0;
    for (uint64_t seed = first; seed < (only ? first + 1 : programs); seed++) {
        struct trial t;
        double derivatives[PROGRAM_INPUTS];
        trial_create(&t, seed);
        program_evaluate(&t.program, t.values);
        if (!well_scaled(&t)) {
            skipped++;
            trial_destroy(&t);
            continue;
        }
        for (int i = 0; i < PROGRAM_INPUTS; i++)
            derivatives[i] = derivative(&t, i);
        for (int plan = 0; plan < SHAPES_OF_PLAN; plan++)
            check_plan(&t, device, derivatives, plan & 1, plan & 2);
        trial_destroy(&t);
    }
    ttt_device_close(device);
    print_message("%d programs, %d of them skipped because their values grow\n", (int)programs, (int)skipped);
    assert_true(skipped < programs / 3);
}

static void random_programs(void **state)
{
    (void)state;
    check_programs(guarded_device_open(2), PROGRAMS);
}

/* Fewer, for the device may be an emulated one. */
static void random_programs_on_cuda(void **state)
{
    (void)state;
    ttt_device *device = guarded_device_open_cuda();
    if (device)
        check_programs(device, PROGRAMS / 6);
    else
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs),
                                       cmocka_unit_test(random_programs_on_cuda)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
