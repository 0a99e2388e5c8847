/* "rmsnorm" and "rmsnorm_backward" on CUDA: layernorm's kernels, with no mean taken off. */
#include "ttt/ops/layernorm/norm.cuh"

extern "C" {
#include "ttt/ops/rmsnorm/rmsnorm_operator.h"
}

static ttt_status forward(const ttt_launch *launch)
{
    norm_operands operands = {};
    operands.eps = static_cast<const ttt_rmsnorm_attributes *>(launch->attributes)->eps;
    operands.rstd = &launch->out[1];
    return norm_forward(launch, operands);
}

static ttt_status backward(const ttt_launch *launch)
{
    norm_operands operands = {};
    operands.rstd = &launch->in[2];
    operands.dy = &launch->in[3];
    operands.dgain = &launch->out[1];
    return norm_backward(launch, operands);
}

extern "C" const ttt_implementation ttt_rmsnorm_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = norm_supports,
    .run = forward,
};

extern "C" const ttt_implementation ttt_rmsnorm_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = norm_supports,
    .workspace = norm_backward_workspace,
    .run = backward,
};
