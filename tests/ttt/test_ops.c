/* Every implementation of every operator against its oracle: outputs, gradients, threads, refusals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"
#include "tests/ttt/op_difference.h"
#include "tests/ttt/op_guard.h"
#include "ttt/ops/operators.h"

enum { MOST_THREADS = 3 };

struct run {
    ttt_device *device[MOST_THREADS]; /* with 1, 2, 3 threads */
    int failed, skipped;
};

/* Of one operator. */
struct tally {
    int cases, refusals;
    double worst[3]; /* by quantity */
};

/* One case on one row. */
struct attempt {
    struct run *run;
    struct tally *tally;
    struct op_problem *problem;
    const struct op_derivatives *derivatives;
    const char *row;
    int number;
    enum depth depth;
    bool keep_chains;
};

static void report(const struct attempt *a, const char *what, double error, double limit)
{
    a->run->failed++;
    print_error("%s:%s case %d (%s)%s: %s: %.3g, at most %.3g\n", a->problem->test->op, a->row, a->number,
                a->problem->c.name, a->keep_chains ? ", unfused" : "", what, error, limit);
}

static void check_values(const struct attempt *a, const struct op_results *results)
{
    for (int r = 0; r < results->count; r++) {
        const struct op_result *result = &results->result[r];
        double error = result->quantity == OUTPUT
                           ? relative_error(result->data, a->problem->expected[result->output], result->count)
                           : op_gradient_error(a->derivatives, result);
        double limit = tolerance_of(result->quantity);
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

static void check_same(const struct attempt *a, const struct op_results *x, const struct op_results *y,
                       const char *what)
{
    double different = count_differences(x, y);
    if (different > 0)
        report(a, what, different, 0);
}

/* Runs on `threads` threads; results go to *results.  False when the row does not take the case. */
static bool run_once(const struct attempt *a, int threads, struct op_results *results)
{
    struct op_plan plan;
    ttt_device *device = a->run->device[threads - 1];
    ttt_status status = op_plan_create(&plan, a->problem, device, a->row, a->depth, a->keep_chains);
    results->count = 0;
    if (status) {
        if (strstr(ttt_status_text(status), "cannot be used")) {
            a->run->skipped++;
            print_message("skipped: case %d (%s): %s\n", a->number, a->problem->c.name,
                          ttt_status_text(status));
        } else {
            report(a, ttt_status_text(status), 1, 0);
        }
        ttt_status_free(status);
        op_plan_destroy(&plan);
        return false;
    }
    if (!a->problem->c.absent && !op_guard_count(plan.plan, a->problem->test->op, a->row))
        report(a, "nodes of the operator in the plan", 0, 1);
    struct op_results again;
    op_plan_run(&plan, threads == 1, results);
    op_plan_run(&plan, false, &again);
    check_same(a, results, &again, "elements that change when it is run again");
    op_results_clear(&again);
    op_plan_destroy(&plan);
    assert_int_equal(guarded_device_in_use(device), 0);
    return true;
}

static bool attempt(const struct attempt *a)
{
    struct op_results alone, shared;
    if (!run_once(a, 1, &alone))
        return false;
    check_values(a, &alone);
    for (int threads = 2; threads <= MOST_THREADS; threads++)
        if (run_once(a, threads, &shared)) {
            check_values(a, &shared);
            if (a->problem->test->any_threads)
                check_same(a, &alone, &shared, "elements that change with the number of threads");
            op_results_clear(&shared);
        }
    op_results_clear(&alone);
    return true;
}

static void check_case(struct run *run, struct tally *tally, const ttt_operator *op,
                       const struct op_test *test, int number)
{
    struct op_problem problem;
    struct op_derivatives derivatives;
    op_problem_create(&problem, test, number);
    op_derivatives_create(&derivatives, &problem);
    struct attempt a = {run, tally, &problem, &derivatives, .number = number};
    bool taken = false;
    for (const ttt_implementation *const *row = op->implementations; *row; row++) {
        if ((*row)->device != TTT_CPU)
            continue;
        a.row = (*row)->name;
        for (int depth = FORWARD_ONLY; depth <= (int)op_depth(&problem); depth++) {
            if (depth == WITH_GRADIENT && op_depth(&problem) == WITH_SECOND)
                continue; /* the second gradient's graph holds the first */
            a.depth = (enum depth)depth;
            for (int unfused = 0; unfused <= (op->compose != NULL); unfused++) {
                a.keep_chains = unfused;
                taken |= attempt(&a);
            }
        }
    }
    if (!taken)
        report(&a, "implementations that take it", 0, 1);
    tally->cases++;
    op_derivatives_destroy(&derivatives);
    op_problem_destroy(&problem);
}

/* The builder refuses with both shapes in the text, the first error stays, and later builders pass it on. */
static void check_refusals(struct run *run, struct tally *tally, const struct op_test *test)
{
    for (int i = 0; test->refused; i++) {
        ttt_graph *graph;
        ttt_tensor out = TTT_NONE;
        const char *text[2] = {"", ""};
        check_ok(ttt_graph_create(&graph));
        if (!test->refused(i, graph, &out, text)) {
            ttt_graph_destroy(graph);
            return;
        }
        ttt_status status = ttt_graph_status(graph);
        const char *said = status ? ttt_status_text(status) : "no error";
        bool fits = status && ttt_status_code(status) == TTT_SHAPE && strstr(said, text[0]) &&
                    strstr(said, text[1]) && !ttt_valid(out);
        ttt_tensor later = ttt_transpose(graph, out, 0, 1);
        ttt_input(graph, "late", TTT_F32, ttt_dims(-1));
        ttt_status still = ttt_graph_status(graph);
        fits = fits && !ttt_valid(later) && still && !strcmp(ttt_status_text(still), said);
        if (!fits) {
            run->failed++;
            print_error("%s, refusal %d: wanted '%s' and '%s', got: %s\n", test->op, i, text[0], text[1],
                        said);
        }
        tally->refusals++;
        ttt_status_free(status);
        ttt_status_free(still);
        ttt_graph_destroy(graph);
    }
}

static void check_operator(struct run *run, const ttt_operator *op)
{
    const struct op_test *test = oracle_find(op->name);
    struct tally tally = {0};
    if (!test) {
        run->failed++;
        print_error("operator %s has no oracle: add one to tests/ttt/oracle/\n", op->name);
        return;
    }
    for (int i = 0; i < test->n_cases; i++)
        check_case(run, &tally, op, test, i);
    check_refusals(run, &tally, test);
    print_message("%-24s %4d cases, %d refusals; worst error %.1e, gradient %.1e, second %.1e\n", op->name,
                  tally.cases, tally.refusals, tally.worst[OUTPUT], tally.worst[GRADIENT],
                  tally.worst[SECOND_GRADIENT]);
}

/* OP_TEST=matmul checks one operator alone. */
static void every_operator(void **state)
{
    (void)state;
    struct run run = {0};
    const char *only = getenv("OP_TEST");
    for (int t = 0; t < MOST_THREADS; t++)
        run.device[t] = guarded_device_open(t + 1);
    for (int i = 0; ttt_operators[i]; i++)
        if (!only || !strcmp(only, ttt_operators[i]->name))
            check_operator(&run, ttt_operators[i]);
    for (int t = 0; t < MOST_THREADS; t++)
        ttt_device_close(run.device[t]);
    print_message("%d skipped\n", run.skipped);
    assert_int_equal(run.failed, 0);
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
        cmocka_unit_test(every_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
