/* ttt bench ops: every implementation of every operator at the shapes of ViT^3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/kinds.h"
#include "tools/bench/measurement.h"
#include "tools/bench/memory.h"
#include "tools/bench/op_cases.h"
#include "tools/bench/profile.h"
#include "train/config/text.h"
#include "ttt/base/random.h"
#include "ttt/ops/operators.h"

/* A node is repeated for this long, within these bounds. */
static const double seconds_each = 0.2;
enum { FEWEST_RUNS = 5, MOST_RUNS = 200 };

/* One implementation on one case. */
struct row {
    const struct bench_op_case *c;
    const char *implementation;
    double flops, bytes;
    struct bench_times times;
    int64_t peak, predicted;
};

struct bench {
    const struct bench_options *options;
    struct bench_machine machine;
    struct row *rows;
    int count;
};

static const ttt_operator *find_operator(const char *name, size_t length)
{
    for (int i = 0; ttt_operators[i]; i++)
        if (strlen(ttt_operators[i]->name) == length && !memcmp(ttt_operators[i]->name, name, length))
            return ttt_operators[i];
    return NULL;
}

static ttt_status no_operator(const char *name)
{
    const char *nearest = ttt_operators[0]->name;
    for (int i = 1; ttt_operators[i]; i++)
        if (config_text_distance(name, ttt_operators[i]->name) < config_text_distance(name, nearest))
            nearest = ttt_operators[i]->name;
    return ttt_fail(
        TTT_ARGUMENT,
        "--only: no operator is called '%s'; the nearest is %s, and 'ttt bench ops --list' has all",
        config_quote(name).text, nearest);
}

static bool has_case(const ttt_operator *op)
{
    const struct bench_op_case *c;
    bool found = false;
    for (int i = 0; (c = bench_op_case_at(i)) && !found; i++)
        found = !strcmp(c->op, op->name);
    return found;
}

static ttt_status check_only(const char *only)
{
    for (const char *at = only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char name[128];
        size_t length = strcspn(at, ",");
        const ttt_operator *op = find_operator(at, length);
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        if (!op)
            return no_operator(name);
        if (!has_case(op))
            return ttt_fail(TTT_UNSUPPORTED, "--only: there is no case to measure operator %s on", name);
    }
    return TTT_OK;
}

static bool is_wanted(const char *only, const char *op)
{
    size_t length = strlen(op);
    for (const char *at = only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strcspn(at, ",") == length && !memcmp(at, op, length))
            return true;
    return !only;
}

static void random_values(float *values, int64_t count, uint64_t stream)
{
    ttt_random random = ttt_random_start(0, TTT_RANDOM_TEST, stream, 1);
    for (int64_t i = 0; i < count; i++)
        values[i] = ttt_random_uniform_f32(&random) + 0.01f;
}

static ttt_status fill_input(ttt_plan *plan, int i)
{
    char name[32];
    ttt_dtype dtype;
    ttt_shape shape;
    snprintf(name, sizeof name, "input%d", i);
    if (!ttt_plan_describe(plan, name, &dtype, &shape))
        return TTT_OK;
    const int64_t count = ttt_shape_elements(shape);
    float *values = calloc((size_t)count, sizeof *values);
    if (!values)
        return ttt_fail(TTT_MEMORY, "no memory for the input of an operator");
    if (dtype == TTT_F32)
        random_values(values, count, (uint64_t)i);
    ttt_status status = ttt_plan_write(plan, name, values);
    free(values);
    return status;
}

static ttt_status fill_variable(ttt_store *store, const ttt_stored *variable)
{
    const int64_t count = ttt_shape_elements(variable->shape);
    float *values = malloc((size_t)count * sizeof *values);
    if (!values)
        return ttt_fail(TTT_MEMORY, "no memory for a variable of an operator");
    random_values(values, count, ttt_hash(variable->name));
    ttt_status status = ttt_store_write(store, variable->name, values);
    free(values);
    return status;
}

static ttt_status fill(ttt_plan *plan, ttt_store *store, int inputs)
{
    for (int i = 0; i < inputs; i++)
        TRY(fill_input(plan, i));
    for (int i = 0; i < ttt_store_count(store); i++)
        TRY(fill_variable(store, ttt_store_at(store, i)));
    return TTT_OK;
}

/* The operator's node with the most work among those of the plan. */
static const ttt_node_profile *heaviest(const ttt_node_profile *nodes, int count, const char *op)
{
    const ttt_node_profile *best = NULL;
    for (int i = 0; i < count; i++)
        if (!strcmp(nodes[i].op, op) && (!best || nodes[i].flops > best->flops ||
                                         (nodes[i].flops == best->flops && nodes[i].bytes > best->bytes)))
            best = &nodes[i];
    return best;
}

/* Profiles the plan and takes the operator's node from it. */
static ttt_status time_node(ttt_plan *plan, int runs, struct row *row)
{
    ttt_node_profile *nodes;
    int count;
    TRY(ttt_plan_profile(plan, runs, &nodes, &count));
    const ttt_node_profile *node = heaviest(nodes, count, row->c->op);
    ttt_status status =
        node ? TTT_OK
             : ttt_fail(TTT_UNSUPPORTED, "the case '%s' of %s has no node of it", row->c->name, row->c->op);
    if (node) {
        row->times = (struct bench_times){runs, node->seconds, node->seconds};
        row->flops = node->flops;
        row->bytes = node->bytes;
    }
    free(nodes);
    return status;
}

static ttt_status time_plan(const struct bench_options *options, ttt_plan *plan, ttt_store *store, int inputs,
                            struct row *row)
{
    TRY(ttt_plan_prepare(plan));
    TRY(fill(plan, store, inputs));
    int runs = options->runs;
    TRY(time_node(plan, options->warmup > 1 ? options->warmup : 1, row));
    if (!runs) {
        double fit = seconds_each / (row->times.median + 1e-9);
        runs = fit < FEWEST_RUNS ? FEWEST_RUNS : fit > MOST_RUNS ? MOST_RUNS : (int)fit;
    }
    return time_node(plan, runs, row);
}

/* Plans a case with one row of its operator forced, and times it; *taken is false when the row refuses. */
static ttt_status measure_row(struct bench *b, struct row *row, bool *taken)
{
    struct bench_op_graph g = {0};
    ttt_store *store = NULL;
    ttt_plan *plan = NULL;
    char choice[128];
    ttt_status status;
    TRY_TO(ttt_graph_create(&g.graph), cleanup);
    ttt_graph_target_device(g.graph, b->machine.device, b->machine.dtype);
    TRY_TO(ttt_store_create(b->machine.device, &store), cleanup);
    row->c->build(&g, row->c->size);
    status = ttt_plan_create(g.graph, store, NULL, &plan);
    if (status && ttt_status_code(status) == TTT_UNSUPPORTED) {
        /* All rows are for other types than the chosen one. */
        ttt_status_free(status);
        status = TTT_OK;
    }
    if (status || !plan)
        goto cleanup;
    ttt_plan_destroy(plan);
    plan = NULL;
    snprintf(choice, sizeof choice, "%s:%s", row->c->op, row->implementation);
    status = ttt_plan_create(g.graph, store, &(ttt_plan_options){.implementations = choice}, &plan);
    *taken = !status;
    if (status && ttt_status_code(status) == TTT_ARGUMENT) {
        /* What a plan with a free choice has just done fails for the forced row alone. */
        ttt_status_free(status);
        status = TTT_OK;
    }
    if (!status && *taken) {
        const struct bench_peak before = bench_peak_start(b->machine.device);
        row->predicted = before.before + ttt_plan_memory_of(plan).total;
        status = time_plan(b->options, plan, store, g.inputs, row);
        row->peak = bench_peak_end(&before);
    }
cleanup:
    ttt_plan_destroy(plan);
    ttt_store_destroy(store);
    ttt_graph_destroy(g.graph);
    return status;
}

static ttt_status measure_case(struct bench *b, const struct bench_op_case *c)
{
    const ttt_operator *op = find_operator(c->op, strlen(c->op));
    if (!op)
        return ttt_fail(TTT_UNSUPPORTED, "there is no operator %s for the case '%s'", c->op, c->name);
    for (const ttt_implementation *const *implementation = op->implementations; *implementation;
         implementation++) {
        if ((*implementation)->device != ttt_device_kind_of(b->machine.device))
            continue;
        struct row *rows = realloc(b->rows, ((size_t)b->count + 1) * sizeof *rows);
        if (!rows)
            return ttt_fail(TTT_MEMORY, "no memory for the results");
        b->rows = rows;
        struct row *row = &rows[b->count];
        *row = (struct row){.c = c, .implementation = (*implementation)->name};
        bool taken = false;
        TRY(ttt_within(measure_row(b, row, &taken), "%s, %s", c->op, c->name));
        b->count += taken;
    }
    return TTT_OK;
}

static ttt_status print_json(const struct bench *b)
{
    const ttt_device_rates rates = bench_machine_rates(&b->machine);
    for (int i = 0; i < b->count; i++) {
        const struct row *row = &b->rows[i];
        char name[160];
        snprintf(name, sizeof name, "%s:%s %s", row->c->op, row->implementation, row->c->name);
        const struct bench_measurement m = {.name = name,
                                            .batch = BENCH_OP_BATCH,
                                            .times = row->times,
                                            .flops = row->flops,
                                            .peak_bytes = row->peak,
                                            .predicted_peak_bytes = row->predicted};
        json_t *more = json_pack("{s:s, s:s, s:s, s:f, s:f}", "operator", row->c->op, "implementation",
                                 row->implementation, "case", row->c->name, "bytes_per_second",
                                 row->bytes / row->times.median, "share_of_limit",
                                 bench_least_seconds(row->flops, row->bytes, rates) / row->times.median);
        TRY(bench_measurement_json(&m, &b->machine, more));
    }
    return TTT_OK;
}

static ttt_status print_table(const struct bench *b)
{
    const ttt_device_rates rates = bench_machine_rates(&b->machine);
    printf("ops: %d pictures or views, %s; of limit: least time at these rates over time\n", BENCH_OP_BATCH,
           ttt_dtype_name(b->machine.dtype));
    bench_machine_print(&b->machine);
    printf("\n%-24s %-28s %-8s %5s %10s %9s %8s %7s %8s %8s\n", "operator", "case", "row", "runs", "ms",
           "GFLOP/s", "of matmul", "GB/s", "of copy", "of limit");
    for (int i = 0; i < b->count; i++) {
        const struct row *row = &b->rows[i];
        const double seconds = row->times.median > 0 ? row->times.median : 1e-9;
        printf("%-24s %-28s %-8s %5d %10.4f %9.2f %7.1f%% %7.2f %7.1f%% %7.1f%%\n", row->c->op, row->c->name,
               row->implementation, row->times.runs, 1e3 * seconds, 1e-9 * row->flops / seconds,
               100 * row->flops / seconds / rates.matmul_flops, 1e-9 * row->bytes / seconds,
               100 * row->bytes / seconds / rates.copy_bytes,
               100 * bench_least_seconds(row->flops, row->bytes, rates) / seconds);
    }
    return TTT_OK;
}

static ttt_status run_cases(struct bench *b, const char *only)
{
    const struct bench_op_case *c;
    for (int i = 0; (c = bench_op_case_at(i)); i++)
        if (is_wanted(only, c->op))
            TRY(measure_case(b, c));
    TRY(bench_machine_finish(&b->machine));
    return b->options->json ? print_json(b) : print_table(b);
}

ttt_status bench_ops(const char *only, const struct config_device *device,
                     const struct bench_options *options)
{
    struct bench b = {.options = options};
    TRY(check_only(only));
    TRY(bench_machine_open(device, &b.machine));
    ttt_status status = run_cases(&b, only);
    free(b.rows);
    bench_machine_close(&b.machine);
    return status;
}

void bench_ops_list(void)
{
    const struct bench_op_case *c;
    for (int i = 0; (c = bench_op_case_at(i)); i++)
        printf("%-24s %s\n", c->op, c->name);
}
