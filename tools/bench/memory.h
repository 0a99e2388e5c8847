/* How much memory the process holds, on the host or on a GPU. */
#ifndef TOOLS_BENCH_MEMORY_H
#define TOOLS_BENCH_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "ttt/device/device.h"

/* From here on the peak is watched: of the device's own memory where it has some, else (and for NULL) of the
 * process's. */
struct bench_peak {
    const ttt_device *device; /* with memory of its own; NULL: the process's counts */
    int64_t before;           /* bytes in use then, freed ones given back to the system */
    bool restarted;           /* whether the system forgot earlier peaks */
};
struct bench_peak bench_peak_start(const ttt_device *device);

/* The most bytes in use at once since then.  For a device, and where the system keeps earlier peaks, it is
 * what is in use now, which for a plan is the same: its memory stays until it is destroyed. */
int64_t bench_peak_end(const struct bench_peak *peak);

#endif
