/* One result of a benchmark, for people and as JSON. */
#include "tools/bench/measurement.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/output.h"

static json_t *real_or_null(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

/* 0: not known. */
static double share_beside(const struct bench_measurement *m)
{
    return m->conditions.product_flops > 0 ? m->flops / m->conditions.product_flops : 0;
}

static json_t *shared_keys(const struct bench_measurement *m, const struct bench_machine *machine)
{
    const ttt_device_rates rates = bench_machine_rates(machine);
    const double seconds = m->times.median;
    json_t *predicted = m->predicted_peak_bytes ? json_integer(m->predicted_peak_bytes) : json_null();
    return json_pack(
        "{s:s, s:s, s:s, s:i, s:I, s:i, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:I, s:o}",
        "name", m->name, "device", ttt_device_name(machine->device), "dtype", ttt_dtype_name(machine->dtype),
        "threads", ttt_device_threads(machine->device), "batch", (json_int_t)m->batch, "runs", m->times.runs,
        "seconds", seconds, "fastest_seconds", m->times.fastest, "items_per_second",
        (double)m->batch / seconds, "flops_per_second", real_or_null(m->flops / seconds),
        "share_beside_products", real_or_null(share_beside(m)), "watts", real_or_null(m->conditions.watts),
        "limit_watts", real_or_null(m->conditions.limit_watts), "clock_hertz",
        real_or_null(m->conditions.clock), "most_clock_hertz", real_or_null(m->conditions.most_clock),
        "matmul_flops_per_second", rates.matmul_flops, "copy_bytes_per_second", rates.copy_bytes,
        "peak_bytes", (json_int_t)m->peak_bytes, "predicted_peak_bytes", predicted);
}

ttt_status bench_measurement_json(const struct bench_measurement *m, const struct bench_machine *machine,
                                  json_t *more)
{
    json_t *object = shared_keys(m, machine);
    bool complete = object && more && !json_object_update(object, more);
    bool written = complete && !json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) &&
                   putchar('\n') != EOF && !fflush(stdout);
    json_decref(object);
    json_decref(more);
    if (!complete)
        return ttt_fail(TTT_MEMORY, "out of memory for the JSON output");
    return written ? TTT_OK : ttt_fail(TTT_IO, "the output cannot be written: %s", strerror(errno));
}

static void print_power(const struct bench_measurement *m, const char *items)
{
    const struct bench_conditions *conditions = &m->conditions;
    printf(
        "  power     %.0f of %.0f W allowed, %.0f of %.0f MHz, in runs for two seconds: %.3g J for %lld %s\n",
        conditions->watts, conditions->limit_watts, conditions->clock * 1e-6, conditions->most_clock * 1e-6,
        conditions->watts * conditions->seconds, (long long)m->batch, items);
}

void bench_measurement_print(const struct bench_measurement *m, const struct bench_machine *machine)
{
    const double seconds = m->times.median, rate = m->flops / seconds;
    const char *items = m->items ? m->items : "pictures";
    printf("  time      %.4g s for %lld %s (median of %d, fastest %.4g s)\n", seconds, (long long)m->batch,
           items, m->times.runs, m->times.fastest);
    printf("  speed     %.1f %s/s\n", (double)m->batch / seconds, items);
    /* The rate is its fastest run's, so on a busy machine the fastest run is what compares with it. */
    const double matmul = bench_machine_rates(machine).matmul_flops;
    printf("  work      %s, %s: %.1f%% of the %s rate (the fastest run: %.1f%%)\n",
           output_si(m->flops, "FLOP").text, output_si(rate, "FLOP/s").text, 100 * rate / matmul,
           bench_machine_matmul(machine), 100 * m->flops / m->times.fastest / matmul);
    if (m->conditions.product_flops > 0)
        printf("  beside    %.1f%% of the %s rate that was measured before and after each run\n",
               100 * share_beside(m), bench_machine_matmul(machine));
    if (m->conditions.watts > 0)
        print_power(m, items);
}

void bench_memory_print(const struct bench_measurement *m, const ttt_plan_memory *plan)
{
    const int64_t others = m->predicted_peak_bytes - plan->total;
    printf("  memory    %s at the peak; predicted %s (%+.1f%%): %s of variables, %s of arena, %s of program "
           "and buffers\n",
           output_bytes(m->peak_bytes).text, output_bytes(m->predicted_peak_bytes).text,
           100 * ((double)m->predicted_peak_bytes / (double)m->peak_bytes - 1),
           output_bytes(plan->variables).text, output_bytes(plan->arena).text, output_bytes(others).text);
}
