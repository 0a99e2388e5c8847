/* What a row for CUDA keeps for a node. */
#ifndef TTT_OPS_MATMUL_STATE_CUDA_H
#define TTT_OPS_MATMUL_STATE_CUDA_H

#include "ttt/graph/operator.h"

/* *state = `bytes` of zeros that `fill` completes; when it fails, they are released again. */
ttt_status ttt_cuda_make_state(const ttt_launch *launch, size_t bytes,
                               ttt_status (*fill)(const ttt_launch *launch, void *state),
                               void (*release)(void *state), void **state);

#endif
