/* A device whose memory starts as NaN and stands between guard zones.
 *
 * What an operator leaves unwritten, or writes outside of its tensors at the ends of an arena, shows.
 */
#ifndef TESTS_SUPPORT_GUARDED_DEVICE_H
#define TESTS_SUPPORT_GUARDED_DEVICE_H

#include <stdbool.h>

#include "ttt/device/device.h"

/* Opens the CPU with `threads` threads; ttt_device_close closes it and fails the running test when memory was
 * not released. */
ttt_device *guarded_device_open(int threads);

/* The same for the first CUDA device, an emulated one included; NULL when there is none. */
ttt_device *guarded_device_open_cuda(void);

/* Fills all memory taken from `device` with NaN: inputs and variables have to be written again. */
void guarded_device_poison(ttt_device *device);

/* Fails the running test when a guard zone has changed. */
void guarded_device_check(ttt_device *device);

/* Bytes taken and not yet released. */
int64_t guarded_device_in_use(ttt_device *device);

#endif
