/* "layernorm" and "layernorm_backward" on CUDA. */
#include "ttt/ops/layernorm/norm.cuh"

extern "C" {
#include "ttt/ops/layernorm/layernorm_operator.h"
}

static ttt_status forward(const ttt_launch *launch)
{
    norm_operands operands = {};
    operands.eps = static_cast<const ttt_layernorm_attributes *>(launch->attributes)->eps;
    operands.bias = &launch->in[2];
    operands.mean = &launch->out[1];
    operands.rstd = &launch->out[2];
    return norm_forward(launch, operands);
}

static ttt_status backward(const ttt_launch *launch)
{
    norm_operands operands = {};
    operands.mean = &launch->in[2];
    operands.rstd = &launch->in[3];
    operands.dy = &launch->in[4];
    operands.added = &launch->in[5];
    operands.dgain = &launch->out[1];
    operands.dbias = &launch->out[2];
    return norm_backward(launch, operands);
}

extern "C" const ttt_implementation ttt_layernorm_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = norm_supports,
    .run = forward,
};

extern "C" const ttt_implementation ttt_layernorm_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = norm_supports,
    .workspace = norm_backward_workspace,
    .run = backward,
};
