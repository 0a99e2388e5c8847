/* Every implementation of every operator against its oracle: outputs, gradients, threads, precision,
 * refusals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"
#include "tests/ttt/op_difference.h"
#include "tests/ttt/op_guard.h"
#include "ttt/ops/operators.h"

enum { MOST_THREADS = 3, MOST_PLACES = 4 };

/* Where rows run, and in what types. */
struct place {
    ttt_device_kind kind;
    enum op_types types;
    int n_devices;
    ttt_device *device[MOST_THREADS]; /* with 1, 2, 3 threads; NULL: this machine has none */
};

/* Of one operator in one place. */
struct tally {
    int cases;
    int waiting;       /* attempts that need a row of another operator, */
    const char *lacks; /* such as this one */
    double worst[3];   /* by quantity */
};

struct run {
    struct place place[MOST_PLACES];
    struct tally tally[MOST_PLACES];
    int failed, skipped;
};

/* One case on one row. */
struct attempt {
    struct run *run;
    const struct place *place;
    struct tally *tally;
    struct op_problem *problem;
    const struct op_derivatives *derivatives;
    struct op_way way;
    int number;
};

static const char *kind_name(ttt_device_kind kind)
{
    return kind == TTT_CUDA ? "cuda" : "cpu";
}

static void report(const struct attempt *a, const char *what, double error, double limit)
{
    a->run->failed++;
    print_error("%s:%s %s case %d (%s)%s: %s: %.3g, at most %.3g\n", a->way.op->name, a->way.row,
                op_types_name(a->way.types), a->number, a->problem->c.name,
                a->way.keep_chains ? ", unfused" : "", what, error, limit);
}

static void check_values(const struct attempt *a, const struct op_results *results)
{
    for (int r = 0; r < results->count; r++) {
        const struct op_result *result = &results->result[r];
        double error = result->quantity == OUTPUT
                           ? relative_error(result->data, a->problem->expected[result->output], result->count)
                           : op_gradient_error(a->derivatives, result);
        double limit = tolerance_of(result->quantity, a->way.types == OP_F32 ? TTT_F32 : TTT_BF16);
        char what[64];
        snprintf(what, sizeof what, "%s of %s %d",
                 result->quantity == OUTPUT     ? "value"
                 : result->quantity == GRADIENT ? "gradient"
                                                : "second gradient",
                 result->input >= 0 ? "input" : "output",
                 result->input >= 0 ? result->input : result->output);
        if (error > a->tally->worst[result->quantity])
            a->tally->worst[result->quantity] = error;
        if (!(error <= limit))
            report(a, what, error, limit);
    }
}

static double count_differences(const struct op_results *a, const struct op_results *b)
{
    double count = 0;
    for (int r = 0; r < a->count; r++)
        for (int64_t i = 0; i < a->result[r].count; i++)
            count += memcmp(&a->result[r].data[i], &b->result[r].data[i], sizeof(float)) != 0;
    return count;
}

static bool check_same(const struct attempt *a, const struct op_results *x, const struct op_results *y,
                       const char *what)
{
    double different = count_differences(x, y);
    if (different > 0)
        report(a, what, different, 0);
    return different == 0;
}

/* A plan that could not be made: because the row does not take the case, another operator of the graph has no
 * row for the device yet, or there is a fault. */
static void explain(const struct attempt *a, const struct op_plan *plan, ttt_status status)
{
    const char *lacks = op_plan_lacks(plan);
    if (lacks) {
        a->tally->lacks = lacks;
        a->tally->waiting++;
    } else if (strstr(ttt_status_text(status), "cannot be used")) {
        a->run->skipped++;
        print_message("skipped: %s case %d (%s): %s\n", op_types_name(a->way.types), a->number,
                      a->problem->c.name, ttt_status_text(status));
    } else {
        report(a, ttt_status_text(status), 1, 0);
    }
    ttt_status_free(status);
}

/* Runs on the place's device d; results go to *results.  False when there are none. */
static bool run_once(const struct attempt *a, int d, struct op_results *results)
{
    struct op_plan plan;
    ttt_device *device = a->place->device[d];
    ttt_status status = op_plan_create(&plan, a->problem, device, &a->way);
    results->count = 0;
    if (status) {
        explain(a, &plan, status);
        op_plan_destroy(&plan);
        return false;
    }
    /* What joins or assigns has nothing to do where the plan had the parts, the values, written in place. */
    const bool placed = (a->way.op->joins || a->way.op->assigns) && !a->way.keep_chains;
    if (!a->problem->c.absent && !placed && !op_guard_count(plan.plan, a->way.op->name, a->way.row))
        report(a, "nodes of the operator in the plan", 0, 1);
    struct op_results again;
    op_plan_run(&plan, d == 0, results);
    op_plan_run(&plan, false, &again);
    if (!check_same(a, results, &again, "elements that change when it is run again"))
        op_guard_run(plan.plan); /* names the launch */
    op_results_clear(&again);
    op_plan_destroy(&plan);
    assert_int_equal(guarded_device_in_use(device), 0);
    return true;
}

static bool attempt(const struct attempt *a)
{
    struct op_results alone, shared;
    if (!run_once(a, 0, &alone))
        return false;
    check_values(a, &alone);
    for (int d = 1; d < a->place->n_devices; d++)
        if (run_once(a, d, &shared)) {
            check_values(a, &shared);
            if (a->problem->test->any_threads)
                check_same(a, &alone, &shared, "elements that change with the number of threads");
            op_results_clear(&shared);
        }
    op_results_clear(&alone);
    return true;
}

/* Every depth, fused and not. */
static bool attempt_row(struct attempt *a)
{
    bool taken = false;
    for (int depth = FORWARD_ONLY; depth <= (int)op_depth(a->problem); depth++) {
        if (depth == WITH_GRADIENT && op_depth(a->problem) == WITH_SECOND)
            continue; /* the second gradient's graph holds the first */
        a->way.depth = (enum depth)depth;
        const bool fused_only = !a->way.op->compose || (a->problem->c.fused_bf16 && a->way.types != OP_F32);
        for (int unfused = 0; unfused <= !fused_only; unfused++) {
            a->way.keep_chains = unfused;
            taken |= attempt(a);
        }
    }
    return taken;
}

static void attempt_place(struct attempt *a)
{
    const ttt_operator *op = a->way.op;
    bool taken = false;
    for (const ttt_implementation *const *row = op->implementations; *row; row++)
        if ((*row)->device == a->place->kind) {
            a->way.row = (*row)->name;
            taken |= attempt_row(a);
        }
    if (!taken && !a->tally->waiting)
        report(a, "implementations that take it", 0, 1);
    a->tally->cases++;
}

/* Whether a place takes part in tests of an operator. */
static bool takes_operator(const struct place *place, const ttt_operator *op, const struct op_test *test)
{
    return place->device[0] && op_has_row(op, place->kind) &&
           (place->types == OP_F32 ? !test->bf16_only || place->kind == TTT_CPU : op_knows_bf16(op));
}

/* The emulator has not all the rows that a GPU has. */
static bool is_gpu(const struct place *place)
{
#ifdef TTT_CUDA_EMULATED
    (void)place;
    return false;
#else
    return place->kind == TTT_CUDA;
#endif
}

/* One case in all places that take its values: the oracle answers once for those in f32, once for the rest,
 * whose values bf16 has. */
static void check_case(struct run *run, const ttt_operator *op, const struct op_test *test, int number,
                       bool rounded)
{
    struct op_problem problem = {0};
    struct op_derivatives derivatives = {0};
    const bool cpu_only = test->at(number).cpu_only, gpu_only = test->at(number).gpu_only;
    for (int p = 0; p < MOST_PLACES; p++) {
        const struct place *place = &run->place[p];
        if ((place->types != OP_F32) != rounded || !takes_operator(place, op, test) ||
            (cpu_only && place->kind != TTT_CPU) || (gpu_only && !is_gpu(place)))
            continue;
        if (!problem.test) {
            op_problem_create(&problem, test, number, rounded);
            op_derivatives_create(&derivatives, &problem);
        }
        attempt_place(&(struct attempt){.run = run,
                                        .place = place,
                                        .tally = &run->tally[p],
                                        .problem = &problem,
                                        .derivatives = &derivatives,
                                        .way = {.op = op, .types = place->types, .half = (uint64_t)number},
                                        .number = number});
    }
    op_derivatives_destroy(&derivatives);
    op_problem_destroy(&problem);
}

/* The builder refuses with both shapes in the text, the first error stays, and later builders pass it on. */
static bool check_refusal(struct run *run, const struct op_test *test, int i)
{
    ttt_graph *graph;
    ttt_tensor out = TTT_NONE;
    const char *text[2] = {"", ""};
    check_ok(ttt_graph_create(&graph));
    bool there = test->refused(i, graph, &out, text);
    ttt_status status = ttt_graph_status(graph);
    const char *said = status ? ttt_status_text(status) : "no error";
    bool fits = status && ttt_status_code(status) == TTT_SHAPE && strstr(said, text[0]) &&
                strstr(said, text[1]) && !ttt_valid(out);
    ttt_tensor later = ttt_transpose(graph, out, 0, 1);
    ttt_input(graph, "late", TTT_F32, ttt_dims(-1));
    ttt_status still = ttt_graph_status(graph);
    fits = fits && !ttt_valid(later) && still && !strcmp(ttt_status_text(still), said);
    if (there && !fits) {
        run->failed++;
        print_error("%s, refusal %d: wanted '%s' and '%s', got: %s\n", test->op, i, text[0], text[1], said);
    }
    ttt_status_free(status);
    ttt_status_free(still);
    ttt_graph_destroy(graph);
    return there;
}

static void tell(struct run *run, const struct place *place, const ttt_operator *op,
                 const struct tally *tally)
{
    print_message("%-22s %-4s %-5s %4d cases; worst error %.1e, gradient %.1e, second %.1e\n", op->name,
                  kind_name(place->kind), op_types_name(place->types), tally->cases, tally->worst[OUTPUT],
                  tally->worst[GRADIENT], tally->worst[SECOND_GRADIENT]);
    if (tally->waiting)
        print_message("skipped: %d runs of them, for %s has no row for %s yet\n", tally->waiting,
                      tally->lacks, kind_name(place->kind));
    run->skipped += tally->waiting;
}

static void check_operator(struct run *run, const ttt_operator *op)
{
    const struct op_test *test = oracle_find(op->name);
    if (!test) {
        run->failed++;
        print_error("operator %s has no oracle: add one to tests/ttt/oracle/\n", op->name);
        return;
    }
    const char *only = getenv("OP_CASE");
    if (only && (atoi(only) < 0 || atoi(only) >= test->n_cases))
        fail_msg("operator %s has no case %s: 0 to %d", op->name, only, test->n_cases - 1);
    memset(run->tally, 0, sizeof run->tally);
    for (int i = only ? atoi(only) : 0; i < (only ? atoi(only) + 1 : test->n_cases); i++)
        for (int rounded = 0; rounded < 2; rounded++)
            check_case(run, op, test, i, rounded);
    for (int p = 0; p < MOST_PLACES; p++)
        if (takes_operator(&run->place[p], op, test))
            tell(run, &run->place[p], op, &run->tally[p]);
    for (int i = 0; test->refused && check_refusal(run, test, i); i++)
        continue;
}

static void open_places(struct run *run)
{
    const char *only = getenv("OP_DEVICE");
    struct place *cpu = &run->place[0];
    *cpu = (struct place){.kind = TTT_CPU, .types = OP_F32, .n_devices = MOST_THREADS};
    for (int t = 0; t < MOST_THREADS && (!only || !strcmp(only, "cpu")); t++)
        cpu->device[t] = guarded_device_open(t + 1);
    ttt_device *cuda = !only || !strcmp(only, "cuda") ? guarded_device_open_cuda() : NULL;
    for (int types = OP_F32; types <= OP_MIXED; types++)
        run->place[1 + types] = (struct place){TTT_CUDA, (enum op_types)types, 1, {cuda}};
}

static void close_places(struct run *run)
{
    for (int t = 0; t < MOST_THREADS; t++)
        ttt_device_close(run->place[0].device[t]);
    ttt_device_close(run->place[1].device[0]);
}

/* OP_TEST=matmul checks one operator alone, OP_CASE=3 one case of it, OP_DEVICE=cuda or cpu the rows of one
 * device. */
static void every_operator(void **state)
{
    (void)state;
    struct run run = {0};
    const char *only = getenv("OP_TEST");
    open_places(&run);
    if (!run.place[1].device[0])
        print_message("skipped: all rows for CUDA, for there is no such device\n");
    for (int i = 0; ttt_operators[i]; i++)
        if (!only || !strcmp(only, ttt_operators[i]->name))
            check_operator(&run, ttt_operators[i]);
    close_places(&run);
    print_message("%d skipped\n", run.skipped);
    assert_int_equal(run.failed, 0);
}

/* In a build with CUDA; what is missing is a matter of time, and listed. */
static void operators_without_a_row(void **state)
{
    (void)state;
    int on_cuda = 0;
    char missing[1024] = "";
    size_t at = 0;
    for (int i = 0; ttt_operators[i]; i++) {
        const ttt_operator *op = ttt_operators[i];
        on_cuda += op_has_row(op, TTT_CUDA);
        if (!op_has_row(op, TTT_CUDA) && at < sizeof missing)
            at += (size_t)snprintf(missing + at, sizeof missing - at, " %s", op->name);
        const struct op_test *test = oracle_find(op->name);
        if (!op_has_row(op, TTT_CPU) && !op_has_row(op, TTT_CUDA) &&
            !(test && (test->bf16_only || test->cuda_only)))
            fail_msg("operator %s has no row at all", op->name);
    }
    if (on_cuda && at)
        fail_msg("operators without a row for CUDA:%s", missing);
}

static void every_oracle_has_an_operator(void **state)
{
    (void)state;
    for (int i = 0; oracle_at(i); i++) {
        bool found = false;
        for (int k = 0; ttt_operators[k] && !found; k++)
            found = !strcmp(ttt_operators[k]->name, oracle_at(i)->op);
        if (!found)
            fail_msg("no operator is called %s", oracle_at(i)->op);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_oracle_has_an_operator),
        cmocka_unit_test(operators_without_a_row),
        cmocka_unit_test(every_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
