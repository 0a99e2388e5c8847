/* "rmsnorm" and "rmsnorm_backward" on the CPU.
 *
 * Rows are shared out by chunks of 64.  The gradient of gain is summed by chunk, then over the chunks in
 * double, whatever the number of threads.
 */
#include <math.h>
#include <string.h>

#include "ttt/ops/reduce/lanes.h"
#include "ttt/ops/reduce/rows.h"
#include "ttt/ops/rmsnorm/rmsnorm_operator.h"

enum {
    PARALLEL_ELEMENTS = 1 << 13, /* fewer are done faster than threads are woken */
    AHEAD = 8,                   /* rows; heads lie apart, which defeats the processor's own guess */
    LINE = 16,                   /* elements of a cache line */
    MOST_ASKED = 8 * LINE,       /* longer rows are guessed */
};

static int64_t row_length(const ttt_launch *launch)
{
    return launch->in[0].shape.size[launch->in[0].shape.rank - 1];
}

static int64_t row_count(const ttt_launch *launch)
{
    return ttt_operand_elements(&launch->in[0]) / row_length(launch);
}

static int64_t chunk_count(const ttt_launch *launch)
{
    return (row_count(launch) + TTT_ROWS_PER_CHUNK - 1) / TTT_ROWS_PER_CHUNK;
}

static int threads_for(const ttt_launch *launch)
{
    return ttt_operand_elements(&launch->in[0]) < PARALLEL_ELEMENTS ? 1 : launch->threads;
}

/* A walk over the rows of a strided tensor, in order. */
struct row_walk {
    const ttt_operand *x;
    int64_t index[TTT_MAX_RANK]; /* of the row in the leading dimensions */
    int64_t offset;              /* of its first element */
};

static struct row_walk walk_from(const ttt_operand *x, int64_t row)
{
    struct row_walk walk = {.x = x};
    for (int d = x->shape.rank - 2; d >= 0; d--) {
        walk.index[d] = row % x->shape.size[d];
        walk.offset += walk.index[d] * x->stride[d];
        row /= x->shape.size[d];
    }
    return walk;
}

/* The row that the walk is at; the walk goes on to the next. */
static float *next_row(struct row_walk *walk)
{
    const ttt_operand *x = walk->x;
    float *row = (float *)x->data + walk->offset;
    for (int d = x->shape.rank - 2; d >= 0; d--) {
        walk->offset += x->stride[d];
        if (++walk->index[d] < x->shape.size[d])
            break;
        walk->offset -= walk->index[d] * x->stride[d];
        walk->index[d] = 0;
    }
    return row;
}

/* Asks memory for the row that the walk is at, which goes on to the next. */
static void ask_row(struct row_walk *walk, int64_t d)
{
    const float *row = next_row(walk);
    for (int64_t i = 0; i < d && i < MOST_ASKED; i += LINE)
        __builtin_prefetch(row + i);
}

static void scale_row(const float *x, const float *gain, float rrms, float *y, int64_t d)
{
    if (!gain) {
#pragma omp simd
        for (int64_t i = 0; i < d; i++)
            y[i] = x[i] * rrms;
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        y[i] = x[i] * rrms * gain[i];
}

static ttt_status forward(const ttt_launch *launch)
{
    const struct ttt_rmsnorm_attributes *attributes = launch->attributes;
    const int64_t d = row_length(launch), rows = row_count(launch), chunks = chunk_count(launch);
    const float *gain = launch->in[1].data, eps = attributes->eps;
    float *y = launch->out[0].data, *rrms = launch->out[1].data;
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        struct row_walk walk = walk_from(&launch->in[0], chunk * TTT_ROWS_PER_CHUNK);
        struct row_walk ahead = walk_from(&launch->in[0], chunk * TTT_ROWS_PER_CHUNK + AHEAD);
        for (int64_t r = chunk * TTT_ROWS_PER_CHUNK; r < rows && r < (chunk + 1) * TTT_ROWS_PER_CHUNK; r++) {
            const float *x = next_row(&walk);
            ask_row(&ahead, d);
            const float scale = 1 / sqrtf(ttt_row_dot(x, x, d) / (float)d + eps);
            scale_row(x, gain, scale, y + r * d, d);
            if (rrms)
                rrms[r] = scale;
        }
    }
    return TTT_OK;
}

/* One row of dx; adds the row's part to dgain.  dx may be dy or x. */
static void backward_row(const float *x, const float *gain, float rrms, const float *dy, float *dx,
                         float *dgain, int64_t d)
{
    ttt_lanes sum = {0}, of_x, of_dy, of_gain, of_dgain;
    for (int64_t i = 0; i < d; i += TTT_LANES) {
        ttt_lanes_load(&of_x, x + i, d - i);
        ttt_lanes_load(&of_dy, dy + i, d - i);
        ttt_lanes_load(&of_gain, gain + i, d - i);
        ttt_lanes_load(&of_dgain, dgain + i, d - i);
        of_dy *= of_x * rrms;
        sum += of_dy * of_gain;
        of_dgain += of_dy;
        ttt_lanes_store(dgain + i, &of_dgain, d - i);
    }
    const float pull = rrms * (ttt_lanes_sum(&sum) / (float)d);
#pragma omp simd
    for (int64_t i = 0; i < d; i++)
        dx[i] = rrms * (dy[i] * gain[i] - x[i] * pull);
}

/* Ones for a missing gain (d), then dgain (d) for each chunk. */
static size_t backward_workspace(const ttt_launch *launch)
{
    return (size_t)((1 + chunk_count(launch)) * row_length(launch)) * sizeof(float);
}

static ttt_status backward(const ttt_launch *launch)
{
    const int64_t d = row_length(launch), rows = row_count(launch), chunks = chunk_count(launch);
    float *ones = launch->workspace, *partials = ones + d; /* partials: (chunks, d) */
    const float *gain = launch->in[1].data ? launch->in[1].data : ones, *rrms = launch->in[2].data;
    float *dgain = launch->out[1].data;
    for (int64_t i = 0; i < d; i++)
        ones[i] = 1;
#pragma omp parallel for schedule(static) num_threads(threads_for(launch))
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        struct row_walk x = walk_from(&launch->in[0], chunk * TTT_ROWS_PER_CHUNK);
        struct row_walk dy = walk_from(&launch->in[3], chunk * TTT_ROWS_PER_CHUNK);
        struct row_walk dx = walk_from(&launch->out[0], chunk * TTT_ROWS_PER_CHUNK);
        struct row_walk x_ahead = walk_from(&launch->in[0], chunk * TTT_ROWS_PER_CHUNK + AHEAD);
        struct row_walk dy_ahead = walk_from(&launch->in[3], chunk * TTT_ROWS_PER_CHUNK + AHEAD);
        struct row_walk dx_ahead = walk_from(&launch->out[0], chunk * TTT_ROWS_PER_CHUNK + AHEAD);
        float *partial = partials + chunk * d;
        memset(partial, 0, (size_t)d * sizeof *partial);
        for (int64_t r = chunk * TTT_ROWS_PER_CHUNK; r < rows && r < (chunk + 1) * TTT_ROWS_PER_CHUNK; r++) {
            ask_row(&x_ahead, d);
            ask_row(&dy_ahead, d);
            ask_row(&dx_ahead, d);
            backward_row(next_row(&x), gain, rrms[r], next_row(&dy), next_row(&dx), partial, d);
        }
    }
    if (dgain)
        ttt_sum_rows(partials, chunks, d, d, 1, dgain, 1);
    return TTT_OK;
}

const ttt_implementation ttt_rmsnorm_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = forward,
};

const ttt_implementation ttt_rmsnorm_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = backward_workspace,
    .run = backward,
};
