/* Kernels that are written and compiled while the program runs. */
#ifndef TTT_DEVICE_CUDA_COMPILE_H
#define TTT_DEVICE_CUDA_COMPILE_H

#include "ttt/device/cuda.h"

/* The kernel `name` (extern "C") of a source that includes no headers, compiled for the device, as
 * cudaLaunchKernelExC takes it; the same source is compiled once.  `approximate`: with CUDA's fast, less
 * exact functions (-use_fast_math).  The kernel lives as long as the device.  Fails with TTT_DEVICE and the
 * compiler's words. */
ttt_status ttt_cuda_kernel(ttt_device *device, const char *source, const char *name, bool approximate,
                           const void **kernel);

/* The first half of it, which needs no device: machine code for a compute capability (10 * major + minor),
 * for the caller to free. */
ttt_status ttt_cuda_compile(const char *source, int capability, bool approximate, void **code);

#endif
