/* What a row for CUDA keeps for a node. */
#include "ttt/ops/matmul/state_cuda.h"

#include <stdlib.h>

ttt_status ttt_cuda_make_state(const ttt_launch *launch, size_t bytes,
                               ttt_status (*fill)(const ttt_launch *launch, void *state),
                               void (*release)(void *state), void **state)
{
    void *made = calloc(1, bytes);
    if (!made)
        return ttt_fail(TTT_MEMORY, "no memory to prepare a product");
    ttt_status status = fill(launch, made);
    if (status)
        release(made);
    else
        *state = made;
    return status;
}
