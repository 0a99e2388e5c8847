/* Depthwise 3x3 convolution on the CPU.
 *
 * The kernel is laid out tap by tap first.  Then each output row is swept once for eight channels at a time,
 * with the nine taps and three unfinished outputs in registers: three loads and one store for nine
 * multiply-adds.
 */
#include "ttt/ops/conv3x3/conv3x3_lanes.h"
#include "ttt/ops/conv3x3/conv3x3_rows.h"

enum {
    BAND = 4,   /* rows for one thread at a time */
    GROUP = 32, /* channels swept down a band before the next: three rows of them stay in L1 up to width 64 */
};

/* An output row being computed, for `lanes` channels. */
struct row {
    struct ttt_three_rows x;
    const float *taps; /* tap t of these channels at taps + t * channels */
    const float *bias; /* or NULL */
    float *y;
    int64_t y_step; /* from pixel to pixel */
    int64_t width, channels;
};

/* The outputs that the current pixel adds to. */
struct unfinished {
    ttt_lanes before, here, after;
};

/* Adds pixel j of the three rows to outputs j-1, j and j+1, where it meets taps 2, 1 and 0 of each row. */
static inline __attribute__((always_inline)) void add_pixel(struct unfinished *y,
                                                            const struct ttt_three_rows *x,
                                                            const ttt_lanes tap[9], const ttt_lanes *bias,
                                                            int64_t j, int lanes)
{
    ttt_lanes above, level, below;
    ttt_lanes_load(&above, x->pixel[0] + j * x->step[0], lanes);
    ttt_lanes_load(&level, x->pixel[1] + j * x->step[1], lanes);
    ttt_lanes_load(&below, x->pixel[2] + j * x->step[2], lanes);
    y->after = *bias + above * tap[0] + level * tap[3] + below * tap[6];
    y->here += above * tap[1] + level * tap[4] + below * tap[7];
    y->before += above * tap[2] + level * tap[5] + below * tap[8];
}

static inline __attribute__((always_inline)) void convolve_row(const struct row *row, int lanes)
{
    const struct ttt_three_rows x = row->x;
    const int64_t width = row->width, channels = row->channels;
    ttt_lanes tap[9], bias = {0};
    for (int t = 0; t < 9; t++)
        ttt_lanes_load(&tap[t], row->taps + t * channels, lanes);
    if (row->bias)
        ttt_lanes_load(&bias, row->bias, lanes);

    struct unfinished y = {.before = bias, .here = bias};
    add_pixel(&y, &x, tap, &bias, 0, lanes);
    for (int64_t j = 1; j < width; j++) {
        y.before = y.here;
        y.here = y.after;
        add_pixel(&y, &x, tap, &bias, j, lanes);
        ttt_lanes_store(row->y + (j - 1) * row->y_step, &y.before, lanes);
    }
    ttt_lanes_store(row->y + (width - 1) * row->y_step, &y.here, lanes);
}

/* taps[t * C + c] = kernel[b, c, t], or tap 8 - t when flipped; x itself is one more in the middle. */
static void lay_out_taps(const ttt_operand *kernel, int64_t b,
                         const struct ttt_conv3x3_attributes *attributes, float *taps)
{
    const int rank = kernel->shape.rank;
    const int64_t channels = kernel->shape.size[rank - 3];
    const int64_t *stride = &kernel->stride[rank - 3];
    const float *from = (const float *)kernel->data + (rank == 4 ? b * kernel->stride[0] : 0);
    for (int64_t c = 0; c < channels; c++)
        for (int t = 0; t < 9; t++)
            taps[(attributes->flipped ? 8 - t : t) * channels + c] =
                from[c * stride[0] + (t / 3) * stride[1] + (t % 3) * stride[2]];
    for (int64_t c = 0; c < channels && attributes->adds_input; c++)
        taps[4 * channels + c] += 1;
}

static int64_t kernel_count(const ttt_operand *kernel)
{
    return kernel->shape.rank == 4 ? kernel->shape.size[0] : 1;
}

static size_t workspace(const ttt_launch *launch)
{
    return (size_t)ttt_operand_elements(&launch->in[1]) * sizeof(float);
}

/* One output row of sample b, for up to TTT_LANES channels from c on. */
static void convolve_channels(const ttt_launch *launch, int64_t b, int64_t i, int64_t c, const float *taps)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->out[0];
    const float *bias = launch->in[2].data;
    const int64_t width = x->shape.size[2], channels = x->shape.size[3];
    const struct row row = {
        .x = ttt_three_rows_at(x, b, i, c),
        .taps = taps + c,
        .bias = bias ? bias + c : NULL,
        .y = (float *)y->data + b * y->stride[0] + i * y->stride[1] + c,
        .y_step = y->stride[2],
        .width = width,
        .channels = channels,
    };
    if (channels - c >= TTT_LANES)
        convolve_row(&row, TTT_LANES);
    else
        convolve_row(&row, (int)(channels - c));
}

/* Rows of sample b from `first` on, with the taps of its kernel. */
static void convolve_band(const ttt_launch *launch, int64_t b, int64_t first, const float *taps)
{
    const int64_t height = launch->in[0].shape.size[1], channels = launch->in[0].shape.size[3];
    const int64_t end = first + BAND < height ? first + BAND : height;
    for (int64_t group = 0; group < channels; group += GROUP)
        for (int64_t i = first; i < end; i++)
            for (int64_t c = group; c < channels && c < group + GROUP; c += TTT_LANES)
                convolve_channels(launch, b, i, c, taps);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *kernel = &launch->in[1];
    const struct ttt_conv3x3_attributes *attributes = launch->attributes;
    float *taps = launch->workspace;
    const int64_t batch = x->shape.size[0], height = x->shape.size[1], channels = x->shape.size[3];
    const int64_t kernels = kernel_count(kernel), next_kernel = kernels > 1 ? 9 * channels : 0;

#pragma omp parallel num_threads(launch->threads)
    {
#pragma omp for schedule(static)
        for (int64_t b = 0; b < kernels; b++)
            lay_out_taps(kernel, b, attributes, taps + b * 9 * channels);
#pragma omp for collapse(2) schedule(static)
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < height; i += BAND)
                convolve_band(launch, b, i, taps + b * next_kernel);
    }
    return TTT_OK;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (launch->in[0].stride[3] != 1 && launch->in[0].shape.size[3] > 1) {
        *why = "x's channels must have unit stride";
        return false;
    }
    if (launch->in[2].dtype && !ttt_operand_contiguous(&launch->in[2])) {
        *why = "bias must be contiguous";
        return false;
    }
    return ttt_all_f32(launch, why);
}

const ttt_implementation ttt_conv3x3_cpu = {
    .name = "cpu", .device = TTT_CPU, .supports = supports, .workspace = workspace, .run = run};
