/* Gradient norm, accumulation on the CPU. */
#include <math.h>
#include <string.h>

#include "ttt/ops/optimiser/optimiser_rows.h"
#include "ttt/ops/optimiser/pieces.h"

static size_t norm_workspace(const ttt_launch *launch)
{
    return (size_t)ttt_chunk_count(launch, 0, 1) * sizeof(double);
}

static void add_squares(const ttt_launch *launch, const struct ttt_piece *piece, const void *context)
{
    (void)context;
    double *sums = launch->workspace;
    const float *x = (const float *)launch->in[piece->i].data + piece->start;
    const int64_t count = piece->count;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    sums[piece->chunk] += sum;
}

static ttt_status norm_run(const ttt_launch *launch)
{
    const int64_t chunks = ttt_chunk_count(launch, 0, 1);
    double *sums = launch->workspace, total = 0;
    memset(sums, 0, (size_t)chunks * sizeof *sums);
    ttt_for_each_piece(launch, 0, 1, add_squares, NULL);
    for (int64_t i = 0; i < chunks; i++)
        total += sums[i];
    *(float *)launch->out[0].data = (float)sqrt(total);
    return TTT_OK;
}

static void accumulate_piece(const ttt_launch *launch, const struct ttt_piece *piece, const void *context)
{
    (void)context;
    const ttt_operand *pair = &launch->in[2 * piece->i];
    float *restrict sum = (float *)pair[0].data + piece->start;
    const float *restrict x = (const float *)pair[1].data + piece->start;
    const int64_t count = piece->count;
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        sum[i] += x[i];
}

static void assign_piece(const ttt_launch *launch, const struct ttt_piece *piece, const void *context)
{
    (void)context;
    const ttt_operand *pair = &launch->in[2 * piece->i];
    memcpy((float *)pair[0].data + piece->start, (const float *)pair[1].data + piece->start,
           (size_t)piece->count * sizeof(float));
}

static ttt_status accumulate_run(const ttt_launch *launch)
{
    const struct ttt_accumulate_attributes *attributes = launch->attributes;
    ttt_for_each_piece(launch, 0, 2, attributes->anew ? assign_piece : accumulate_piece, NULL);
    return TTT_OK;
}

static void clear_piece(const ttt_launch *launch, const struct ttt_piece *piece, const void *context)
{
    (void)context;
    memset((float *)launch->in[piece->i].data + piece->start, 0, (size_t)piece->count * sizeof(float));
}

static ttt_status clear_run(const ttt_launch *launch)
{
    ttt_for_each_piece(launch, 0, 1, clear_piece, NULL);
    return TTT_OK;
}

const ttt_implementation ttt_gradient_norm_cpu = {.name = "cpu",
                                                  .device = TTT_CPU,
                                                  .supports = ttt_all_contiguous_f32,
                                                  .workspace = norm_workspace,
                                                  .run = norm_run};

const ttt_implementation ttt_accumulate_cpu = {
    .name = "cpu", .device = TTT_CPU, .supports = ttt_all_contiguous_f32, .run = accumulate_run};

const ttt_implementation ttt_clear_cpu = {
    .name = "cpu", .device = TTT_CPU, .supports = ttt_all_contiguous_f32, .run = clear_run};
