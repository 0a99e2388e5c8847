/* Tensor maps are encoded by the driver, which is asked for at run time: the build does not link it. */
#include "ttt/device/cuda_tensor_map.h"

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

#include "ttt/device/cuda.h"

static ttt_status find_encoder(PFN_cuTensorMapEncodeTiled_v12000 *encode)
{
    void *found = NULL;
    enum cudaDriverEntryPointQueryResult result;
    TRY(ttt_cuda_check(
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result),
        "asking the driver for tensor maps"));
    *encode = (PFN_cuTensorMapEncodeTiled_v12000)found;
    return found ? TTT_OK : ttt_fail(TTT_DEVICE, "the driver has no tensor maps: it is older than CUDA 12");
}

ttt_status ttt_cuda_tensor_map(const ttt_cuda_matrices *m, CUtensorMap *map)
{
    enum { COLUMNS = 64, ELEMENT = 2 };
    const cuuint64_t size[] = {(cuuint64_t)m->columns, (cuuint64_t)m->rows, (cuuint64_t)m->count,
                               (cuuint64_t)m->groups};
    const cuuint64_t stride[] = {(cuuint64_t)m->leading * ELEMENT, (cuuint64_t)m->batch * ELEMENT,
                                 (cuuint64_t)m->group * ELEMENT};
    const cuuint32_t box[] = {COLUMNS, (cuuint32_t)m->box_rows, 1, 1}, step[] = {1, 1, 1, 1};
    PFN_cuTensorMapEncodeTiled_v12000 encode;
    TRY(find_encoder(&encode));
    const CUresult made =
        encode(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, m->groups > 0 ? 4 : 3, (void *)m->data, size, stride,
               box, step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return made == CUDA_SUCCESS
               ? TTT_OK
               : ttt_fail(TTT_DEVICE, "the driver refuses a tensor map: error %d", (int)made);
}
