/* The device of a benchmark and what it reaches. */
#include "tools/bench/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/bench/timing.h"
#include "tools/output.h"
#include "train/config/device.h"
#include "ttt/base/clock.h"

ttt_status bench_machine_open(const struct config_device *config, struct bench_machine *machine)
{
    *machine = (struct bench_machine){.dtype = config->dtype};
    TRY(config_device_open(config, &machine->device));
    ttt_status status = ttt_device_measure(machine->device, &machine->before);
    if (status)
        bench_machine_close(machine);
    return status;
}

void bench_machine_close(struct bench_machine *machine)
{
    ttt_device_close(machine->device);
    machine->device = NULL;
}

ttt_status bench_machine_finish(struct bench_machine *machine)
{
    return ttt_device_measure(machine->device, &machine->after);
}

/* Runs work between products. */
static ttt_status compare(const struct bench_machine *machine, ttt_status (*work)(void *context),
                          void *context, int runs, double *flops)
{
    double before, after, *done = malloc((size_t)runs * sizeof *done);
    ttt_status status = done ? ttt_device_measure_product(machine->device, &before)
                             : ttt_fail(TTT_MEMORY, "no memory for %d times", runs);
    for (int i = 0; i < runs && !status && before > 0; i++, before = after) {
        const double start = ttt_seconds();
        status = work(context);
        const double seconds = ttt_seconds() - start;
        if (!status)
            status = ttt_device_measure_product(machine->device, &after);
        done[i] = status ? 0 : seconds * (before + after) / 2;
    }
    if (!status && before > 0)
        *flops = bench_times_of(done, runs).median;
    free(done);
    return status;
}

/* Runs work for long enough that the device's own mean of what it draws follows. */
static ttt_status watch(const struct bench_machine *machine, ttt_status (*work)(void *context), void *context,
                        struct bench_conditions *conditions)
{
    const double least = 2, start = ttt_seconds();
    ttt_device_power first, now = {0};
    double clocks = 0, seconds = 0;
    int runs = 0;
    bool says = ttt_device_power_of(machine->device, &first);
    for (; says && seconds < least; runs++) {
        TRY(work(context));
        says = ttt_device_power_of(machine->device, &now);
        seconds = ttt_seconds() - start;
        clocks += now.clock;
    }
    if (says) {
        conditions->seconds = seconds / runs;
        conditions->watts = (now.joules - first.joules) / seconds;
        conditions->clock = clocks / runs;
        conditions->limit_watts = now.limit_watts;
        conditions->most_clock = now.most_clock;
    }
    return TTT_OK;
}

ttt_status bench_machine_again(const struct bench_machine *machine, ttt_status (*work)(void *context),
                               void *context, int runs, struct bench_conditions *conditions)
{
    *conditions = (struct bench_conditions){0};
    TRY(compare(machine, work, context, runs, &conditions->product_flops));
    return watch(machine, work, context, conditions);
}

static double higher(double a, double b)
{
    return a > b ? a : b;
}

static double matmul_of(const struct bench_machine *machine, const ttt_device_rates *rates)
{
    return machine->dtype == TTT_BF16 ? rates->bf16_matmul_flops : rates->matmul_flops;
}

ttt_device_rates bench_machine_rates(const struct bench_machine *machine)
{
    const ttt_device_rates *a = &machine->before, *b = &machine->after;
    return (ttt_device_rates){.matmul_flops = higher(matmul_of(machine, a), matmul_of(machine, b)),
                              .bf16_matmul_flops = higher(a->bf16_matmul_flops, b->bf16_matmul_flops),
                              .copy_bytes = higher(a->copy_bytes, b->copy_bytes)};
}

const char *bench_machine_matmul(const struct bench_machine *machine)
{
    return machine->dtype == TTT_BF16 ? "bf16 matmul" : "SGEMM";
}

static void print_rate(const char *what, double before, double after, const char *unit)
{
    printf("  %-9s %s (before %s, after %s)\n", what, output_si(before > after ? before : after, unit).text,
           output_si(before, unit).text, output_si(after, unit).text);
}

void bench_machine_print(const struct bench_machine *machine)
{
    printf("  machine   %s: %s\n", ttt_device_name(machine->device), ttt_device_description(machine->device));
    print_rate(bench_machine_matmul(machine), matmul_of(machine, &machine->before),
               matmul_of(machine, &machine->after), "FLOP/s");
    print_rate("copy", machine->before.copy_bytes, machine->after.copy_bytes, "B/s");
}
