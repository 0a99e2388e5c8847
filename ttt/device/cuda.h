/* What rows for CUDA need of the device they run on. */
#ifndef TTT_DEVICE_CUDA_H
#define TTT_DEVICE_CUDA_H

#include <cuda_runtime_api.h>

#include "ttt/device/device.h"

/* The stream that all work of the device goes to; never the default one. */
cudaStream_t ttt_cuda_stream(const ttt_device *device);

int ttt_cuda_multiprocessors(const ttt_device *device);

/* 10 * major + minor of the compute capability: 90 for Hopper. */
int ttt_cuda_capability(const ttt_device *device);

/* TTT_OK, or TTT_DEVICE (TTT_MEMORY where that is the cause) with CUDA's own words behind `what`. */
ttt_status ttt_cuda_check(cudaError_t error, const char *what) __attribute__((warn_unused_result));

/* Library handles, made on first use and bound to the stream.  NULL after a failure, which is in *status. */
struct cublasLtContext *ttt_cuda_blas(ttt_device *device, ttt_status *status);
struct cudnnContext *ttt_cuda_dnn(ttt_device *device, ttt_status *status);

/* Things that are long in the making and serve every node alike: found by the bytes of what they were made
 * for (which begin with something of the maker's own), released when the device closes, or when they cannot
 * be kept.  NULL when there is none. */
void *ttt_cuda_find(const ttt_device *device, const void *key, size_t key_bytes);
ttt_status ttt_cuda_keep(ttt_device *device, const void *key, size_t key_bytes, void *thing,
                         void (*release)(void *thing));

#endif
