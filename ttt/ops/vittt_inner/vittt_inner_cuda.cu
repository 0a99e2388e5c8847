/* The rows of "vittt_inner" and "vittt_inner_backward" for CUDA: a launch for each branch; the weights'
 * gradients are then summed over parts of the batch, in order. */
#include "ttt/ops/vittt_inner/activations.cuh"

extern "C" {
#include "ttt/ops/vittt_inner/kernels.h"
}

enum { COLUMNS = 32, MANY = 32, FEW = 8 };

/* sum[i] = sum over the `count` rows of x (count, stride).  GROUPS threads share a column. */
template <int GROUPS>
static __global__ void __launch_bounds__(COLUMNS *GROUPS)
    sum_rows(const float *x, int count, int64_t stride, float *sum, int64_t n)
{
    __shared__ float of_group[GROUPS][COLUMNS];
    const int64_t i = (int64_t)blockIdx.x * COLUMNS + threadIdx.x;
    float mine = 0;
    if (i < n)
#pragma unroll 4
        for (int row = (int)threadIdx.y; row < count; row += GROUPS)
            mine += x[row * stride + i];
    of_group[threadIdx.y][threadIdx.x] = mine;
    __syncthreads();
    if (threadIdx.y > 0 || i >= n)
        return;
    for (int g = 1; g < GROUPS; g++)
        mine += of_group[g][threadIdx.x];
    sum[i] = mine;
}

/* Many rows of few columns take more threads a column. */
template <int GROUPS>
static ttt_status enqueue_sum(const ttt_launch *launch, const float *x, int count, int64_t stride,
                              const ttt_operand *sum)
{
    const int64_t n = ttt_operand_elements(sum);
    if (!sum->data)
        return TTT_OK;
    return enqueue(launch, sum_rows<GROUPS>, blocks_for(n, COLUMNS), dim3(COLUMNS, GROUPS), 0, x, count,
                   stride, static_cast<float *>(sum->data), n);
}

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

static bool takes(const ttt_launch *launch, size_t shared_bytes, const char **why)
{
    const int64_t tokens = launch->in[0].shape.size[1], d = launch->in[1].shape.size[2];
    if (launch->in[0].dtype != TTT_BF16 || (launch->n_in > 4 && launch->in[4].dtype != TTT_BF16))
        *why = "takes activations in bf16";
    else if (launch->in[1].dtype != TTT_F32 || launch->in[2].dtype != TTT_F32 ||
             launch->in[3].dtype != TTT_F32)
        *why = "takes fast weights in f32";
    else if ((d != 32 && d != 64) || tokens > TTT_VITTT_INNER_TOKENS)
        *why = "takes heads of 32 or 64 channels, and at most 256 tokens";
    else if (shared_bytes > ttt_cuda_shared_memory(launch->device))
        *why = "needs more shared memory than a block of this device has";
    else
        return true;
    return false;
}

static bool forward_supports(const ttt_launch *launch, const char **why)
{
    return takes(launch, vittt_inner_forward_shared(launch), why);
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
    return takes(launch, vittt_inner_backward_shared(launch), why);
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

static ttt_status run_backward(const ttt_launch *launch)
{
    const auto *a = static_cast<const ttt_vittt_inner_attributes *>(launch->attributes);
    const int64_t batch = launch->in[0].shape.size[0], tokens = launch->in[0].shape.size[1],
                  d = launch->in[1].shape.size[2], one = ttt_operand_elements(&launch->in[1]);
    const int parts = vittt_inner_parts(launch);
    auto *glu = static_cast<float *>(launch->workspace);
    float *convolution = glu + parts * glu_partial(launch);
    TRY(vittt_inner_glu_backward(launch, glu));
    TRY(vittt_inner_convolution_backward(launch, convolution));
    TRY(enqueue_sum<FEW>(launch, glu, parts, 2 * one, &launch->out[1]));
    TRY(enqueue_sum<FEW>(launch, glu + one, a->switches.linear ? 0 : parts, 2 * one, &launch->out[2]));
    TRY(enqueue_sum<MANY>(launch, convolution, (int)batch, convolution_partial(launch), &launch->out[3]));
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
