/* The rows of "vittt_inner" and "vittt_inner_backward" for CUDA: a launch for each branch; the weights'
 * gradients are then summed over parts of the batch, in order. */
#include "ttt/ops/reduce/rows.cuh"
#include "ttt/ops/vittt_inner/activations.cuh"

extern "C" {
#include "ttt/ops/vittt_inner/kernels.h"
}

constexpr int MANY = 32, FEW = 8; /* threads that add a column of many or of few parts */

/* Where queries are keys, what went to dq belongs to dk.  Columns: heads' q, k, v, then d each of q, k, v. */
static __global__ void add_queries_to_keys(activations dqkv, int64_t tokens, int width, int d)
{
    const int queries = width + d;
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < tokens * queries;
         i += (int64_t)gridDim.x * blockDim.x) {
        const int column = (int)(i % queries);
        const int64_t q = i / queries * dqkv.row + (column < width ? column : column + 2 * width),
                      k = q + (column < width ? width : d);
        store_any(dqkv.data, dqkv.is_bf16, k,
                  load_any(dqkv.data, dqkv.is_bf16, k) + load_any(dqkv.data, dqkv.is_bf16, q));
        store_any(dqkv.data, dqkv.is_bf16, q, 0);
    }
}

static bool takes(const ttt_launch *launch, size_t shared(int64_t d, int64_t tokens), const char **why)
{
    const int64_t tokens = launch->in[0].shape.size[1], d = launch->in[1].shape.size[2];
    if (launch->in[0].dtype != TTT_BF16 || (launch->n_in > 4 && launch->in[4].dtype != TTT_BF16))
        *why = "takes activations in bf16";
    else if (launch->in[1].dtype != TTT_F32 || launch->in[2].dtype != TTT_F32 ||
             launch->in[3].dtype != TTT_F32)
        *why = "takes fast weights in f32";
    else if ((d != 32 && d != 64) || tokens > TTT_VITTT_INNER_TOKENS)
        *why = "takes heads of 32 or 64 channels, and at most 256 tokens";
    else if (shared(d, tokens) > ttt_device_shared_memory(launch->device))
        *why = "needs more shared memory than a block of this device has";
    else
        return true;
    return false;
}

static bool forward_supports(const ttt_launch *launch, const char **why)
{
    return takes(launch, vittt_inner_forward_shared, why);
}

static ttt_status run_forward(const ttt_launch *launch)
{
    TRY(vittt_inner_glu(launch));
    return vittt_inner_convolution(launch);
}

extern "C" const ttt_implementation ttt_vittt_inner_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = forward_supports,
    .run = run_forward,
};

static bool backward_supports(const ttt_launch *launch, const char **why)
{
    return takes(launch, vittt_inner_backward_shared, why);
}

/* Elements of dw1 and dw2 together for one part, and of dw3 for one sample. */
static int64_t glu_partial(const ttt_launch *launch)
{
    return 2 * ttt_operand_elements(&launch->in[1]);
}
static int64_t convolution_partial(const ttt_launch *launch)
{
    return ttt_operand_elements(&launch->in[3]);
}

static size_t backward_workspace(const ttt_launch *launch)
{
    const int64_t batch = launch->in[0].shape.size[0];
    return (size_t)(vittt_inner_parts(launch) * glu_partial(launch) + batch * convolution_partial(launch)) *
           sizeof(float);
}

/* dw1, dw2 and dw3 out of the parts' sums; w2 has no part in a linear layer. */
static ttt_status sum_parts(const ttt_launch *launch, const float *glu, const float *convolution)
{
    const auto *a = static_cast<const ttt_vittt_inner_attributes *>(launch->attributes);
    const int64_t one = ttt_operand_elements(&launch->in[1]), taps = convolution_partial(launch);
    float *dw[3];
    for (int i = 0; i < 3; i++)
        dw[i] = static_cast<float *>(launch->out[1 + i].data);
    if (a->switches.linear)
        TRY(enqueue_row_sums<FEW>(launch, {NULL, 0, 0, one, one, dw[1], NULL}));
    TRY(enqueue_row_sums<FEW>(launch, {glu, vittt_inner_parts(launch), 2 * one,
                                       a->switches.linear ? one : 2 * one, one, dw[0], dw[1]}));
    return enqueue_row_sums<MANY>(
        launch, {convolution, (int)launch->in[0].shape.size[0], taps, taps, taps, dw[2], NULL});
}

static ttt_status run_backward(const ttt_launch *launch)
{
    const auto *a = static_cast<const ttt_vittt_inner_attributes *>(launch->attributes);
    const int64_t batch = launch->in[0].shape.size[0], tokens = launch->in[0].shape.size[1],
                  d = launch->in[1].shape.size[2];
    auto *glu = static_cast<float *>(launch->workspace);
    float *convolution = glu + vittt_inner_parts(launch) * glu_partial(launch);
    TRY(vittt_inner_glu_backward(launch, glu));
    TRY(vittt_inner_convolution_backward(launch, convolution));
    TRY(sum_parts(launch, glu, convolution));
    if (!a->switches.query_is_key)
        return TTT_OK;
    return enqueue(launch, add_queries_to_keys, grid_for(launch, batch * tokens * (a->heads + 1) * d, 256),
                   256, 0, activations_of(&launch->out[0]), batch * tokens, (int)(a->heads * d), (int)d);
}

extern "C" const ttt_implementation ttt_vittt_inner_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = backward_supports,
    .workspace = backward_workspace,
    .run = run_backward,
};
