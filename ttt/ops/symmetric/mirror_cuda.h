/* What a whole product of two operands takes to become symmetric. */
#ifndef TTT_OPS_SYMMETRIC_MIRROR_CUDA_H
#define TTT_OPS_SYMMETRIC_MIRROR_CUDA_H

#include "ttt/ops/symmetric/symmetric_rows.h"

/* y = alpha (p + p^T) + beta c + shift I, for `batches` matrices (n, n) without gaps; p is of y's type. */
ttt_status ttt_cuda_mirror(const ttt_launch *launch, struct ttt_symmetric_size size, const void *p);

/* y += shift I. */
ttt_status ttt_cuda_shift_diagonal(const ttt_launch *launch, struct ttt_symmetric_size size);

#endif
