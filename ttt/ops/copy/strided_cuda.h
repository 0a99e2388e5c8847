/* Copies between strided layouts on CUDA, with conversion between f32 and bf16. */
#ifndef TTT_OPS_COPY_STRIDED_CUDA_H
#define TTT_OPS_COPY_STRIDED_CUDA_H

#include "ttt/graph/operator.h"

/* to[i, j, ...] = from[i, j, ...] for every index of from's shape; `to_stride` in elements. */
struct ttt_cuda_copy {
    void *to;
    const int64_t *to_stride;
    const ttt_operand *from;
};

/* Several of them, whose targets are all of one type, in one launch but for those that transpose. */
ttt_status ttt_cuda_copy_strided(const ttt_launch *launch, ttt_dtype to_type,
                                 const struct ttt_cuda_copy *copies, int count);

#endif
