/* Repeating something and taking its time. */
#ifndef TOOLS_BENCH_TIMING_H
#define TOOLS_BENCH_TIMING_H

#include "ttt/base/status.h"

struct bench_times {
    int runs;
    double median, fastest; /* seconds */
};

/* Calls work(context) `warmup` times, and then `runs` times with the clock running.  runs 0: ten times, or as
 * often as ten seconds hold, but at least three times.  Fails with work's error, or TTT_MEMORY. */
ttt_status bench_time(ttt_status (*work)(void *context), void *context, int warmup, int runs,
                      struct bench_times *times) __attribute__((warn_unused_result));

/* The median and the least of seconds[count], which it sorts; count >= 1. */
struct bench_times bench_times_of(double *seconds, int count);

#endif
