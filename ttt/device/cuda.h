/* What rows for CUDA need of the device they run on. */
#ifndef TTT_DEVICE_CUDA_H
#define TTT_DEVICE_CUDA_H

#include <cuda_runtime_api.h>

#include "ttt/device/device.h"

/* The stream that all work of the device goes to; never the default one. */
cudaStream_t ttt_cuda_stream(const ttt_device *device);

/* Multiprocessors, and the bytes of shared memory that one block may have. */
int ttt_cuda_multiprocessors(const ttt_device *device);
size_t ttt_cuda_shared_memory(const ttt_device *device);

/* 10 * major + minor of the compute capability: 90 for Hopper. */
int ttt_cuda_capability(const ttt_device *device);

/* TTT_OK, or TTT_DEVICE (TTT_MEMORY where that is the cause) with CUDA's own words behind `what`. */
ttt_status ttt_cuda_check(cudaError_t error, const char *what) __attribute__((warn_unused_result));

/* Library handles, made on first use and bound to the stream.  NULL after a failure, which is in *status. */
struct cublasLtContext *ttt_cuda_blas(ttt_device *device, ttt_status *status);
struct cudnnContext *ttt_cuda_dnn(ttt_device *device, ttt_status *status);

/* What rows keep with a device: release(thing) is called when it closes.  Things are told apart by their
 * release function; NULL: there is none yet.  `thing` is released at once when it cannot be kept. */
void *ttt_cuda_kept(const ttt_device *device, void (*release)(void *thing));
ttt_status ttt_cuda_keep(ttt_device *device, void *thing, void (*release)(void *thing));

#endif
