/* Placeholder */
#include "ttt/device/cuda_internal.h"
struct cublasLtContext *ttt_cuda_blas(ttt_device *device, ttt_status *status)
{
    (void)device;
    *status = TTT_OK;
    return 0;
}
struct cudnnContext *ttt_cuda_dnn(ttt_device *device, ttt_status *status)
{
    (void)device;
    *status = TTT_OK;
    return 0;
}
void ttt_cuda_libraries_close(struct cuda *cuda)
{
    (void)cuda;
}
ttt_status ttt_cuda_measure(ttt_device *device, ttt_device_rates *rates)
{
    (void)device;
    (void)rates;
    return TTT_OK;
}
