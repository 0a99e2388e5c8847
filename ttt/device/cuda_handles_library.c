/* Handles of cuBLASLt and cuDNN: made when first asked for, closed with the device. */
#include <cublasLt.h>
#ifdef TTT_HAVE_CUDNN
#include <cudnn.h>
#endif

#include "ttt/device/cuda_internal.h"

static struct cuda *cuda_of(ttt_device *device)
{
    return (struct cuda *)device;
}

struct cublasLtContext *ttt_cuda_blas(ttt_device *device, ttt_status *status)
{
    struct cuda *cuda = cuda_of(device);
    cublasStatus_t made = cuda->blas ? CUBLAS_STATUS_SUCCESS : cublasLtCreate(&cuda->blas);
    *status = TTT_OK;
    if (made != CUBLAS_STATUS_SUCCESS) {
        cuda->blas = NULL;
        *status = ttt_fail(TTT_DEVICE, "cuBLASLt cannot be used: %s", cublasLtGetStatusString(made));
    }
    return cuda->blas;
}

#ifdef TTT_HAVE_CUDNN
struct cudnnContext *ttt_cuda_dnn(ttt_device *device, ttt_status *status)
{
    struct cuda *cuda = cuda_of(device);
    *status = TTT_OK;
    if (cuda->dnn)
        return cuda->dnn;
    cudnnStatus_t made = cudnnCreate(&cuda->dnn);
    if (made == CUDNN_STATUS_SUCCESS) {
        made = cudnnSetStream(cuda->dnn, cuda->stream);
        if (made == CUDNN_STATUS_SUCCESS)
            return cuda->dnn;
        cudnnDestroy(cuda->dnn);
    }
    cuda->dnn = NULL;
    *status = ttt_fail(TTT_DEVICE, "cuDNN cannot be used: %s", cudnnGetErrorString(made));
    return NULL;
}
#else
struct cudnnContext *ttt_cuda_dnn(ttt_device *device, ttt_status *status)
{
    (void)device;
    *status = ttt_fail(TTT_UNSUPPORTED, "this build has no cuDNN");
    return NULL;
}
#endif

void ttt_cuda_libraries_close(struct cuda *cuda)
{
    if (cuda->blas)
        cublasLtDestroy(cuda->blas);
#ifdef TTT_HAVE_CUDNN
    if (cuda->dnn)
        cudnnDestroy(cuda->dnn);
#endif
    cuda->blas = NULL;
    cuda->dnn = NULL;
}
