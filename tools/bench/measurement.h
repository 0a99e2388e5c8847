/* One result of a benchmark. */
#ifndef TOOLS_BENCH_MEASUREMENT_H
#define TOOLS_BENCH_MEASUREMENT_H

#include <jansson.h>

#include "tools/bench/machine.h"
#include "tools/bench/timing.h"
#include "ttt/graph/plan.h"

struct bench_measurement {
    const char *name;
    const char *items;                        /* "views"; NULL: pictures */
    int64_t batch;                            /* items that `times` are for */
    struct bench_times times;                 /* of one batch */
    double flops;                             /* of one batch; 0: not counted */
    struct bench_conditions conditions;       /* of one batch */
    int64_t peak_bytes, predicted_peak_bytes; /* predicted 0: nobody predicts it */
};

/* Writes the object of a measurement as one line to stdout: the keys that all benchmarks share, and those of
 * the object `more`, which it takes over.  "flops_per_second", "share_beside_products",
 * "watts" to "most_clock_hertz" and "predicted_peak_bytes" are null where there is no such number.
 * TTT_MEMORY, also for a `more` that is NULL; TTT_IO. */
ttt_status bench_measurement_json(const struct bench_measurement *measurement,
                                  const struct bench_machine *machine, json_t *more)
    __attribute__((warn_unused_result));

/* Prints time, items per second, work and share of the machine, line by line. */
void bench_measurement_print(const struct bench_measurement *measurement,
                             const struct bench_machine *machine);

/* The memory line: what was resident before, and what the plan asks for. */
void bench_memory_print(const struct bench_measurement *measurement, const ttt_plan_memory *plan);

#endif
