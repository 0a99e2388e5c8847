/* What the kernels write: activations in bf16, or in f32 where a reader asks for that. */
#ifndef TTT_OPS_VITTT_INNER_ACTIVATIONS_CUH
#define TTT_OPS_VITTT_INNER_ACTIVATIONS_CUH

#include "ttt/device/kernel.cuh"

struct activations {
    void *data; /* (tokens of all samples, row) */
    bool is_bf16;
    int64_t row; /* elements */
};

static inline activations activations_of(const ttt_operand *x)
{
    return {x->data, x->dtype == TTT_BF16, x->shape.size[2]};
}

/* N neighbouring elements of a token. */
template <int N>
__device__ inline void store(const activations &x, int64_t token, int64_t column, const float (&value)[N])
{
    const int64_t at = token * x.row + column;
    if (x.is_bf16)
        store<N>(static_cast<bf16 *>(x.data) + at, value);
    else
        store<N>(static_cast<float *>(x.data) + at, value);
}

#endif
