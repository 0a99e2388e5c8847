/* "mse" on CUDA: reads x and target once, each f32 or bf16.  A fixed number of blocks sum squares in f32, and
 * one block adds up theirs in double.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/mse/mse_operator.h"
}

enum { THREADS = 256 };

template <int N, class X, class T> static __device__ inline float sum_of_squares(const X *x, const T *target)
{
    float a[N], b[N], sum = 0;
    load<N>(x, a);
    load<N>(target, b);
#pragma unroll
    for (int i = 0; i < N; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* The first `in_eights` elements are taken eight at a time. */
template <class X, class T>
static __global__ void __launch_bounds__(THREADS)
    partial_sums(const X *x, const T *target, int64_t count, int64_t in_eights, float *sums)
{
    const int64_t thread = (int64_t)blockIdx.x * THREADS + threadIdx.x,
                  threads = (int64_t)gridDim.x * THREADS;
    float sum = 0;
    for (int64_t i = 8 * thread; i < in_eights; i += 8 * threads)
        sum += sum_of_squares<8>(x + i, target + i);
    for (int64_t i = in_eights + thread; i < count; i += threads)
        sum += sum_of_squares<1>(x + i, target + i);
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(THREADS)
    mean(const float *sums, int n_sums, int64_t count, float *loss)
{
    double sum = 0;
    for (int i = (int)threadIdx.x; i < n_sums; i += THREADS)
        sum += (double)sums[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *loss = (float)(sum / (double)count);
}

static dim3 grid(const ttt_launch *launch)
{
    return grid_for(launch, blocks_for(ttt_operand_elements(&launch->in[0]), 8), THREADS);
}

/* A sum for each block. */
static size_t workspace(const ttt_launch *launch)
{
    return grid(launch).x * sizeof(float);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *target = &launch->in[1];
    const int64_t count = ttt_operand_elements(x);
    const bool aligned = ((uintptr_t)x->data | (uintptr_t)target->data) % 16 == 0;
    float *sums = static_cast<float *>(launch->workspace), *loss = static_cast<float *>(launch->out[0].data);
    const dim3 blocks = grid(launch);
    TRY(by_type(x->dtype, [&](auto a) {
        return by_type(target->dtype, [&](auto b) {
            typedef decltype(a) X;
            typedef decltype(b) T;
            return enqueue(launch, partial_sums<X, T>, blocks, THREADS, 0, static_cast<const X *>(x->data),
                           static_cast<const T *>(target->data), count, aligned ? count / 8 * 8 : 0, sums);
        });
    }));
    return enqueue(launch, mean, 1, THREADS, 0, sums, (int)blocks.x, count, loss);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const bool contiguous = ttt_operand_contiguous(&launch->in[0]) && ttt_operand_contiguous(&launch->in[1]);
    if (!contiguous)
        *why = "an operand is strided";
    return contiguous && ttt_all_f32_or_bf16(launch, why);
}

extern "C" const ttt_implementation ttt_mse_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
