/* "rmsnorm" and "rmsnorm_backward" on CUDA: layernorm's kernels, with no mean taken off. */
#include "ttt/ops/layernorm/norm.cuh"

extern "C" {
#include "ttt/ops/rmsnorm/rmsnorm_operator.h"
}

static float *floats(const ttt_operand *x)
{
    return static_cast<float *>(x->data);
}

static ttt_status forward(const ttt_launch *launch)
{
    normalisation n = norm_of(&launch->in[0], &launch->in[1], &launch->out[0]);
    n.eps = static_cast<const ttt_rmsnorm_attributes *>(launch->attributes)->eps;
    n.rstd = floats(&launch->out[1]);
    return norm_forward(launch, &n);
}

static ttt_status backward(const ttt_launch *launch)
{
    normalisation n = norm_of(&launch->in[0], &launch->in[1], &launch->out[0]);
    n.rstd = floats(&launch->in[2]);
    n.dy = norm_rows_of(&launch->in[3]);
    n.dgain = floats(&launch->out[1]);
    return norm_backward(launch, &n);
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
