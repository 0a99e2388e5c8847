/* "cross_entropy" and "cross_entropy_backward" on CUDA: a warp for a row, which is read from memory once and
 * then found in the L1 cache.  Reads logits (probabilities) and targets, and writes as much as one of them;
 * N elements, 16 bytes, an access where rows are aligned for it.
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

/* Calls work(k) for every N elements of a row, from k on, that are the lane's. */
template <int N, class F> static __device__ inline void for_each_run(int64_t classes, F work)
{
    for (int64_t k = threadIdx.x % WARP * N; k < classes; k += WARP * N)
        work(k);
}

/* The same with each element of x. */
template <int N, class F>
static __device__ inline void for_each_element(const float *x, int64_t classes, F work)
{
    for_each_run<N>(classes, [&](int64_t k) {
        float run[N];
        load<N>(x + k, run);
#pragma unroll
        for (int i = 0; i < N; i++)
            work(run[i]);
    });
}

/* One loss a row, in double; the softmax goes to `probabilities` unless that is NULL. */
template <int N>
static __global__ void __launch_bounds__(THREADS)
    row_losses(const float *logits, const float *targets, int64_t rows, int64_t classes, float *probabilities,
               double *losses)
{
    const int64_t row = (int64_t)blockIdx.x * ROWS + threadIdx.x / WARP;
    if (row >= rows)
        return;
    const float *x = logits + row * classes, *target = targets + row * classes;
    float max = -INFINITY, sum = 0;
    for_each_element<N>(x, classes, [&](float logit) { max = fmaxf(max, logit); });
    max = warp_max(max);
    for_each_element<N>(x, classes, [&](float logit) { sum += expf(logit - max); });
    sum = warp_sum(sum);
    const float log_sum = logf(sum), scale = 1 / sum;
    double loss = 0;
    for_each_run<N>(classes, [&](int64_t k) {
        float logit[N], share[N];
        load<N>(x + k, logit);
        load<N>(target + k, share);
#pragma unroll
        for (int i = 0; i < N; i++) {
            loss += (double)share[i] * (double)(log_sum - difference(logit[i], max));
            logit[i] = expf(logit[i] - max) * scale;
        }
        if (probabilities)
            store<N>(probabilities + row * classes + k, logit);
    });
    loss = warp_sum(loss);
    if (threadIdx.x % WARP == 0)
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
template <int N>
static __global__ void __launch_bounds__(THREADS)
    differentiate(const float *probabilities, const float *targets, const float *dloss, int64_t rows,
                  int64_t classes, float *dlogits)
{
    const int64_t row = (int64_t)blockIdx.x * ROWS + threadIdx.x / WARP;
    if (row >= rows)
        return;
    const float *p = probabilities + row * classes, *target = targets + row * classes;
    const float factor = *dloss / (float)rows;
    float sum = 0;
    for_each_element<N>(target, classes, [&](float share) { sum += share; });
    sum = warp_sum(sum);
    for_each_run<N>(classes, [&](int64_t k) {
        float probability[N], share[N];
        load<N>(p + k, probability);
        load<N>(target + k, share);
#pragma unroll
        for (int i = 0; i < N; i++)
            probability[i] = (probability[i] * sum - share[i]) * factor;
        store<N>(dlogits + row * classes + k, probability);
    });
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

/* Whether rows of the two inputs and of y, which may be NULL, are of aligned 16 bytes. */
static bool in_fours(const ttt_launch *launch, const float *y)
{
    const auto bits = [](const void *p) { return reinterpret_cast<uintptr_t>(p); };
    return launch->in[0].shape.size[1] % 4 == 0 &&
           (bits(launch->in[0].data) | bits(launch->in[1].data) | bits(y)) % 16 == 0;
}

static ttt_status forward(const ttt_launch *launch)
{
    const int64_t rows = launch->in[0].shape.size[0], classes = launch->in[0].shape.size[1];
    double *losses = static_cast<double *>(launch->workspace);
    float *probabilities = floats(&launch->out[1]);
    TRY(enqueue(launch, in_fours(launch, probabilities) ? row_losses<4> : row_losses<1>,
                blocks_for(rows, ROWS), THREADS, 0, floats(&launch->in[0]), floats(&launch->in[1]), rows,
                classes, probabilities, losses));
    return enqueue(launch, mean, 1, SUM_THREADS, 0, losses, rows, floats(&launch->out[0]));
}

static ttt_status backward(const ttt_launch *launch)
{
    const int64_t rows = launch->in[0].shape.size[0], classes = launch->in[0].shape.size[1];
    float *dlogits = floats(&launch->out[0]);
    return enqueue(launch, in_fours(launch, dlogits) ? differentiate<4> : differentiate<1>,
                   blocks_for(rows, ROWS), THREADS, 0, floats(&launch->in[0]), floats(&launch->in[1]),
                   floats(&launch->in[2]), rows, classes, dlogits);
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
