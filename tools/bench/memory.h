/* How much memory the process holds. */
#ifndef TOOLS_BENCH_MEMORY_H
#define TOOLS_BENCH_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* From here on the peak is watched. */
struct bench_peak {
    int64_t before; /* bytes that were resident then, freed ones given back to the system */
    bool restarted; /* whether the system forgot earlier peaks */
};
struct bench_peak bench_peak_start(void);

/* The most bytes that were resident at once since then.  Where the system keeps earlier peaks it is what is
 * resident now, which for a plan is the same: its memory stays until it is destroyed. */
int64_t bench_peak_end(const struct bench_peak *peak);

#endif
