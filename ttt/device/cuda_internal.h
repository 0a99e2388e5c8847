/* How a GPU is kept.  For the files of this folder alone. */
#ifndef TTT_DEVICE_CUDA_INTERNAL_H
#define TTT_DEVICE_CUDA_INTERNAL_H

#include "ttt/device/cuda.h"
#include "ttt/device/device_internal.h"

struct cuda {
    struct ttt_device device;
    cudaStream_t stream, uploads;
    cudaEvent_t uploaded, launched; /* of the one that the other stream waits for */
    cudaEvent_t marks[TTT_DEVICE_MARKS];
    int multiprocessors, capability;
    int64_t memory;
    struct cublasLtContext *blas; /* NULL until asked for, as all libraries */
    struct cudnnContext *dnn;
    struct cuda_power *power;
    struct cuda_kept *kept; /* cuda_kept.c */
};

void ttt_cuda_release_kept(struct cuda *cuda);

/* Closes the libraries that were opened. */
void ttt_cuda_libraries_close(struct cuda *cuda);

/* ttt_device_measure */
ttt_status ttt_cuda_measure(ttt_device *device, ttt_device_rates *rates);

/* ttt_device_power_of; closes what that opened */
bool ttt_cuda_power(ttt_device *device, ttt_device_power *power);
void ttt_cuda_power_close(struct cuda *cuda);

#endif
