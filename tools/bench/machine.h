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

/* Runs work again, `runs` times, each between two matrix products, and finds what products would have done in
 * its time at their own rate, in FLOPs: the median, of what other work on the machine slows alike.  0 on a
 * device that needs no such comparison. */
ttt_status bench_machine_compare(const struct bench_machine *machine, ttt_status (*work)(void *context),
                                 void *context, int runs, double *flops) __attribute__((warn_unused_result));

/* The higher of both, so that a share of it flatters nobody; matmul_flops is that of the machine's dtype. */
ttt_device_rates bench_machine_rates(const struct bench_machine *machine);

/* What the matrix product behind matmul_flops is called: "SGEMM". */
const char *bench_machine_matmul(const struct bench_machine *machine);

/* Prints the device, and its rates. */
void bench_machine_print(const struct bench_machine *machine);

#endif
