/* "cross_entropy" and "cross_entropy_backward" on CUDA: a warp for a row, which is read from memory once and
 * then found in the L1 cache.
 *
 * Logits are taken relative to the row's largest, so no exponential overflows and the sum of them is at
 * least 1.  A NaN among the logits makes the loss NaN.
 */
#include <float.h>

#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/cross_entropy/cross_entropy_operator.h"
}

constexpr int THREADS = 128, ROWS = THREADS / WARP; /* of a block */
constexpr int SUM_THREADS = 256;

/* a - b, but no less than the most negative float: a target of 0 must not meet an infinity. */
static __device__ inline float difference(float a, float b)
{
    const float d = a - b;
    return d < -FLT_MAX ? -FLT_MAX : d;
}

/* One loss a row, in double; the softmax goes to `probabilities` unless that is NULL. */
static __global__ void __launch_bounds__(THREADS)
    row_losses(const float *logits, const float *targets, int64_t rows, int64_t classes, float *probabilities,
               double *losses)
{
    const int64_t row = (int64_t)blockIdx.x * ROWS + threadIdx.x / WARP;
    const int lane = (int)threadIdx.x % WARP;
    if (row >= rows)
        return;
    const float *x = logits + row * classes, *target = targets + row * classes;
    float max = -INFINITY, sum = 0;
    for (int64_t k = lane; k < classes; k += WARP)
        max = fmaxf(max, x[k]);
    max = warp_max(max);
    for (int64_t k = lane; k < classes; k += WARP)
        sum += expf(x[k] - max);
    sum = warp_sum(sum);
    const float log_sum = logf(sum), scale = 1 / sum;
    double loss = 0;
    for (int64_t k = lane; k < classes; k += WARP) {
        loss += (double)target[k] * (double)(log_sum - difference(x[k], max));
        if (probabilities)
            probabilities[row * classes + k] = expf(x[k] - max) * scale;
    }
    loss = warp_sum(loss);
    if (lane == 0)
        losses[row] = loss;
}

static __global__ void __launch_bounds__(SUM_THREADS) mean(const double *losses, int64_t rows, float *loss)
{
    double sum = 0;
    for (int64_t r = threadIdx.x; r < rows; r += SUM_THREADS)
        sum += losses[r];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *loss = (float)(sum / (double)rows);
}

/* dlogits = (p sum(target) - target) dloss / rows; dlogits may be p. */
static __global__ void __launch_bounds__(THREADS)
    differentiate(const float *probabilities, const float *targets, const float *dloss, int64_t rows,
                  int64_t classes, float *dlogits)
{
    const int64_t row = (int64_t)blockIdx.x * ROWS + threadIdx.x / WARP;
    const int lane = (int)threadIdx.x % WARP;
    if (row >= rows)
        return;
    const float *p = probabilities + row * classes, *target = targets + row * classes;
    const float factor = *dloss / (float)rows;
    float sum = 0;
    for (int64_t k = lane; k < classes; k += WARP)
        sum += target[k];
    sum = warp_sum(sum);
    for (int64_t k = lane; k < classes; k += WARP)
        dlogits[row * classes + k] = (p[k] * sum - target[k]) * factor;
}

/* A loss for each row. */
static size_t forward_workspace(const ttt_launch *launch)
{
    return (size_t)launch->in[0].shape.size[0] * sizeof(double);
}

static float *floats(const ttt_operand *x)
{
    return static_cast<float *>(x->data);
}

static ttt_status forward(const ttt_launch *launch)
{
    const int64_t rows = launch->in[0].shape.size[0], classes = launch->in[0].shape.size[1];
    double *losses = static_cast<double *>(launch->workspace);
    TRY(enqueue(launch, row_losses, blocks_for(rows, ROWS), THREADS, 0, floats(&launch->in[0]),
                floats(&launch->in[1]), rows, classes, floats(&launch->out[1]), losses));
    return enqueue(launch, mean, 1, SUM_THREADS, 0, losses, rows, floats(&launch->out[0]));
}

static ttt_status backward(const ttt_launch *launch)
{
    const int64_t rows = launch->in[0].shape.size[0], classes = launch->in[0].shape.size[1];
    return enqueue(launch, differentiate, blocks_for(rows, ROWS), THREADS, 0, floats(&launch->in[0]),
                   floats(&launch->in[1]), floats(&launch->in[2]), rows, classes, floats(&launch->out[0]));
}

extern "C" const ttt_implementation ttt_cross_entropy_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_contiguous_f32,
    .workspace = forward_workspace,
    .run = forward,
};

extern "C" const ttt_implementation ttt_cross_entropy_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_contiguous_f32,
    .run = backward,
};
