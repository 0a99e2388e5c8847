/* Gradient norm, accumulation on CUDA. */
#include "ttt/ops/optimiser/pieces.cuh"

extern "C" {
#include "ttt/ops/optimiser/optimiser_rows.h"
}

enum { SUM_THREADS = 1024 };

static float no_value(int)
{
    return 0;
}

/* A sum of squares for each piece, in double: squares of f32 may leave its range. */
static __global__ void __launch_bounds__(PIECE_THREADS)
    add_squares(const __grid_constant__ passed_list<1> list, double *sums)
{
    double sum = 0;
    for_each_element<0>(group_of_block(list), [&](float(&x)[1]) { sum += (double)x[0] * (double)x[0]; });
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(SUM_THREADS)
    root_of_sums(const double *sums, int64_t count, float *norm)
{
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += SUM_THREADS)
        sum += sums[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *norm = (float)sqrt(sum);
}

static int64_t piece_count(const ttt_launch *launch)
{
    int64_t pieces = 0;
    for (int i = 0; i < launch->n_in; i++)
        pieces += blocks_for(ttt_operand_elements(&launch->in[i]), PIECE);
    return pieces;
}

static size_t norm_workspace(const ttt_launch *launch)
{
    return (size_t)piece_count(launch) * sizeof(double);
}

static ttt_status norm_run(const ttt_launch *launch)
{
    double *sums = static_cast<double *>(launch->workspace);
    TRY(for_each_list<1>(launch, 0, no_value, [&](const auto &list, unsigned pieces, int64_t done) {
        return enqueue(launch, add_squares, pieces, PIECE_THREADS, 0, list, sums + done);
    }));
    return enqueue(launch, root_of_sums, 1, SUM_THREADS, 0, sums, piece_count(launch),
                   static_cast<float *>(launch->out[0].data));
}

static __global__ void __launch_bounds__(PIECE_THREADS)
    accumulate(const __grid_constant__ passed_list<2> list)
{
    for_each_element<1 << 0>(group_of_block(list), [=](float(&x)[2]) { x[0] += x[1]; });
}

static __global__ void __launch_bounds__(PIECE_THREADS) assign(const __grid_constant__ passed_list<2> list)
{
    for_each_element<1 << 0>(group_of_block(list), [=](float(&x)[2]) { x[0] = x[1]; });
}

static ttt_status accumulate_run(const ttt_launch *launch)
{
    const auto *attributes = static_cast<const ttt_accumulate_attributes *>(launch->attributes);
    return for_each_list<2>(launch, 0, no_value, [&](const auto &list, unsigned pieces, int64_t) {
        return enqueue(launch, attributes->anew ? assign : accumulate, pieces, PIECE_THREADS, 0, list);
    });
}

static __global__ void __launch_bounds__(PIECE_THREADS) clear(const __grid_constant__ passed_list<1> list)
{
    for_each_element<1 << 0>(group_of_block(list), [=](float(&x)[1]) { x[0] = 0; });
}

static ttt_status clear_run(const ttt_launch *launch)
{
    return for_each_list<1>(launch, 0, no_value, [&](const auto &list, unsigned pieces, int64_t) {
        return enqueue(launch, clear, pieces, PIECE_THREADS, 0, list);
    });
}

extern "C" const ttt_implementation ttt_gradient_norm_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_contiguous_f32,
    .workspace = norm_workspace,
    .run = norm_run,
};

extern "C" const ttt_implementation ttt_accumulate_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_contiguous_f32,
    .run = accumulate_run,
};

extern "C" const ttt_implementation ttt_clear_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_contiguous_f32,
    .run = clear_run,
};
