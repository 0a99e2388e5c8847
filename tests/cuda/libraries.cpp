/* In place of the handles of vendors' libraries, of which there are none here, and of measuring a GPU. */
extern "C" {
#include "ttt/base/clock.h"
#include "ttt/device/cuda_internal.h"
}

struct cublasLtContext *ttt_cuda_blas(ttt_device *, ttt_status *status)
{
    *status = ttt_fail(TTT_UNSUPPORTED, "an emulated device has no cuBLASLt");
    return nullptr;
}

struct cudnnContext *ttt_cuda_dnn(ttt_device *, ttt_status *status)
{
    *status = ttt_fail(TTT_UNSUPPORTED, "an emulated device has no cuDNN");
    return nullptr;
}

void ttt_cuda_libraries_close(struct cuda *)
{
}

ttt_status ttt_cuda_measure(ttt_device *, ttt_device_rates *rates)
{
    *rates = {1e9, 1e9, 1e9};
    return TTT_OK;
}

/* 100 W, held at half of its clock. */
bool ttt_cuda_power(ttt_device *, ttt_device_power *power)
{
    *power = {100 * ttt_seconds(), 100, 1e9, 2e9};
    return true;
}

void ttt_cuda_power_close(struct cuda *)
{
}
