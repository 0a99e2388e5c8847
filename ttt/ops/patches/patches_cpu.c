/* Pictures to patches and back on the CPU: one row of patches of one picture at a time. */
#include <string.h>

#include "ttt/ops/patches/patches_rows.h"

struct sizes {
    int64_t p, channels, rows, columns; /* rows and columns of patches */
    int64_t channel_step, pixel_step;   /* inside a patch, between elements of one picture row */
};

static struct sizes sizes_of(const ttt_operand *images, const struct ttt_patches_attributes *attributes)
{
    const int64_t p = attributes->p, channels = images->shape.size[1];
    const bool channel_first = attributes->order == TTT_PATCH_CHANNEL_FIRST;
    return (struct sizes){.p = p,
                          .channels = channels,
                          .rows = images->shape.size[2] / p,
                          .columns = images->shape.size[3] / p,
                          .channel_step = channel_first ? p * p : 1,
                          .pixel_step = channel_first ? 1 : channels};
}

/* Copies `count` floats between places whose neighbours are a step apart. */
static inline void copy_row(float *restrict to, int64_t to_step, const float *restrict from,
                            int64_t from_step, int64_t count)
{
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)count * sizeof *to);
        return;
    }
    for (int64_t v = 0; v < count; v++)
        to[v * to_step] = from[v * from_step];
}

/* Moves row of patches `i` of one picture (C, H, W), from or to its patches (columns, C*p*p). */
static inline void move_patches(const struct sizes *s, int64_t i, float *to, const float *from, bool cut)
{
    const int64_t p = s->p, width = s->columns * p, height = s->rows * p, patch = s->channels * p * p;
    for (int64_t c = 0; c < s->channels; c++) {
        for (int64_t u = 0; u < p; u++) {
            const int64_t picture_row = (c * height + i * p + u) * width;
            const int64_t inside = c * s->channel_step + u * p * s->pixel_step;
            for (int64_t j = 0; j < s->columns; j++) {
                const int64_t pixel = picture_row + j * p, element = j * patch + inside;
                if (cut)
                    copy_row(to + element, s->pixel_step, from + pixel, 1, p);
                else
                    copy_row(to + pixel, 1, from + element, s->pixel_step, p);
            }
        }
    }
}

static ttt_status cut_patches(const ttt_launch *launch)
{
    const struct sizes s = sizes_of(&launch->in[0], launch->attributes);
    const float *images = launch->in[0].data;
    float *patches = launch->out[0].data;
    const int64_t batch = launch->in[0].shape.size[0], row = s.columns * s.channels * s.p * s.p;
#pragma omp parallel for collapse(2) schedule(static) num_threads(launch->threads)
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < s.rows; i++)
            move_patches(&s, i, patches + (b * s.rows + i) * row, images + b * s.rows * row, true);
    return TTT_OK;
}

static ttt_status join_patches(const ttt_launch *launch)
{
    const struct sizes s = sizes_of(&launch->out[0], launch->attributes);
    const float *patches = launch->in[0].data;
    float *images = launch->out[0].data;
    const int64_t batch = launch->in[0].shape.size[0], row = s.columns * s.channels * s.p * s.p;
#pragma omp parallel for collapse(2) schedule(static) num_threads(launch->threads)
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < s.rows; i++)
            move_patches(&s, i, images + b * s.rows * row, patches + (b * s.rows + i) * row, false);
    return TTT_OK;
}

const ttt_implementation ttt_patches_cpu = {
    .name = "cpu", .device = TTT_CPU, .supports = ttt_all_contiguous_f32, .run = cut_patches};

const ttt_implementation ttt_unpatches_cpu = {
    .name = "cpu", .device = TTT_CPU, .supports = ttt_all_contiguous_f32, .run = join_patches};
