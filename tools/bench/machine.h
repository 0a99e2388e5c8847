/* The device of a benchmark and what it reaches. */
#ifndef TOOLS_BENCH_MACHINE_H
#define TOOLS_BENCH_MACHINE_H

#include "train/config/config.h"
#include "ttt/device/device.h"

/* Rates are measured at both ends of a benchmark, since other work on the machine comes and goes. */
struct bench_machine {
    ttt_device *device;
    ttt_dtype dtype; /* of the activations that are measured */
    ttt_device_rates before, after;
};

/* Opens the device and measures it, which also gives the BLAS its buffers.  The caller closes it. */
ttt_status bench_machine_open(const struct config_device *config, struct bench_machine *machine)
    __attribute__((warn_unused_result));
void bench_machine_close(struct bench_machine *machine);

/* Measures again. */
ttt_status bench_machine_finish(struct bench_machine *machine) __attribute__((warn_unused_result));

/* What held work back when it ran again; zeros for what the device cannot say or needs not. */
struct bench_conditions {
    double product_flops; /* of matrix products in a run's time, at the rate before and after it */
    double seconds;       /* of a run */
    double watts, clock;  /* drawn, in Hz: the mean */
    double limit_watts, most_clock;
};

/* Runs work again.  Where other work comes and goes: `runs` times, each between two matrix products, which
 * that slows alike; the median counts.  Where the device says what it draws: for about two seconds. */
ttt_status bench_machine_again(const struct bench_machine *machine, ttt_status (*work)(void *context),
                               void *context, int runs, struct bench_conditions *conditions)
    __attribute__((warn_unused_result));

/* The higher of both, so that a share of it flatters nobody; matmul_flops is that of the machine's dtype. */
ttt_device_rates bench_machine_rates(const struct bench_machine *machine);

/* What the matrix product behind matmul_flops is called: "SGEMM". */
const char *bench_machine_matmul(const struct bench_machine *machine);

/* Prints the device, and its rates. */
void bench_machine_print(const struct bench_machine *machine);

#endif
