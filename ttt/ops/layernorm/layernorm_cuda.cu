/* "layernorm" and "layernorm_backward" on CUDA. */
#include "ttt/ops/layernorm/norm.cuh"

extern "C" {
#include "ttt/ops/layernorm/layernorm_operator.h"
}

static float *floats(const ttt_operand *x)
{
    return static_cast<float *>(x->data);
}

static ttt_status forward(const ttt_launch *launch)
{
    normalisation n = norm_of(&launch->in[0], &launch->in[1], &launch->out[0]);
    n.centred = true;
    n.eps = static_cast<const ttt_layernorm_attributes *>(launch->attributes)->eps;
    n.bias = floats(&launch->in[2]);
    n.mean = floats(&launch->out[1]);
    n.rstd = floats(&launch->out[2]);
    return norm_forward(launch, &n);
}

static ttt_status backward(const ttt_launch *launch)
{
    normalisation n = norm_of(&launch->in[0], &launch->in[1], &launch->out[0]);
    n.centred = true;
    n.mean = floats(&launch->in[2]);
    n.rstd = floats(&launch->in[3]);
    n.dy = norm_rows_of(&launch->in[4]);
    n.added = launch->in[5].data;
    n.added_is_bf16 = launch->in[5].dtype == TTT_BF16;
    n.dgain = floats(&launch->out[1]);
    n.dbias = floats(&launch->out[2]);
    return norm_backward(launch, &n);
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
