/* The kernel gradient of the depthwise 3x3 convolution on the CPU, and the sum of y beside it.
 *
 * Bands of picture rows are summed on their own, then the bands in order, so the result is the same for any
 * number of threads.  A row is swept once for eight channels at a time, with its sums in registers.
 */
#include "ttt/ops/conv3x3/conv3x3_lanes.h"
#include "ttt/ops/conv3x3/conv3x3_rows.h"

enum {
    BAND = 8,   /* rows: few enough to split one small picture, enough that the partial sums stay small */
    BLOCK = 64, /* channels whose bands are added together, in double */
    SUMS = 10,  /* of a channel: nine taps and y itself */
};

/* Adds to sums[t * channels] (lanes channels of tap t, the last of y itself) what one row contributes: pixel
 * j of x meets y[j+1], y[j] and y[j-1] in taps 0, 1 and 2 of its row. */
static inline __attribute__((always_inline)) void add_row(const struct ttt_three_rows *rows, const float *y,
                                                          int64_t y_step, int64_t width, float *sums,
                                                          int64_t channels, int lanes)
{
    const struct ttt_three_rows x = *rows;
    ttt_lanes sum[SUMS] = {0}, before = {0}, here, after;
    ttt_lanes_load(&here, y, lanes);
    for (int64_t j = 0; j < width; j++) {
        if (j + 1 < width)
            ttt_lanes_load(&after, y + (j + 1) * y_step, lanes);
        else
            after = (ttt_lanes){0};
        for (int u = 0; u < 3; u++) {
            ttt_lanes pixel;
            ttt_lanes_load(&pixel, x.pixel[u] + j * x.step[u], lanes);
            sum[3 * u] += pixel * after;
            sum[3 * u + 1] += pixel * here;
            sum[3 * u + 2] += pixel * before;
        }
        sum[9] += here;
        before = here;
        here = after;
    }
    for (int t = 0; t < SUMS; t++) {
        ttt_lanes total;
        ttt_lanes_load(&total, sums + t * channels, lanes);
        total += sum[t];
        ttt_lanes_store(sums + t * channels, &total, lanes);
    }
}

/* sums (SUMS, C) over rows `first` to `end` of sample b. */
static void sum_band(const ttt_operand *x, const ttt_operand *y, int64_t b, int64_t first, int64_t end,
                     float *sums)
{
    const int64_t width = x->shape.size[2], channels = x->shape.size[3];
    memset(sums, 0, (size_t)(SUMS * channels) * sizeof *sums);
    for (int64_t i = first; i < end; i++) {
        for (int64_t c = 0; c < channels; c += TTT_LANES) {
            const struct ttt_three_rows rows = ttt_three_rows_at(x, b, i, c);
            const float *row = (const float *)y->data + b * y->stride[0] + i * y->stride[1] + c;
            if (channels - c >= TTT_LANES)
                add_row(&rows, row, y->stride[2], width, sums + c, channels, TTT_LANES);
            else
                add_row(&rows, row, y->stride[2], width, sums + c, channels, (int)(channels - c));
        }
    }
}

/* to[c * step] = sum over bands of sums[band, t, c], for up to BLOCK channels from c on. */
static void add_bands(const float *sums, int64_t bands, int64_t channels, int t, int64_t c, float *to,
                      int64_t step)
{
    const int64_t count = channels - c < BLOCK ? channels - c : BLOCK;
    double total[BLOCK] = {0};
    for (int64_t band = 0; band < bands; band++) {
        const float *from = sums + (band * SUMS + t) * channels + c;
        for (int64_t k = 0; k < count; k++)
            total[k] += (double)from[k];
    }
    for (int64_t k = 0; k < count; k++)
        to[(c + k) * step] = (float)total[k];
}

static int64_t bands_of(const ttt_operand *x)
{
    return (x->shape.size[1] + BAND - 1) / BAND;
}

static size_t workspace(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0];
    return (size_t)(x->shape.size[0] * bands_of(x) * SUMS * x->shape.size[3]) * sizeof(float);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->in[1];
    float *kernel = launch->out[0].data, *sums = launch->workspace;
    float *y_sum = launch->n_out > 1 ? launch->out[1].data : NULL;
    const int64_t batch = x->shape.size[0], height = x->shape.size[1], channels = x->shape.size[3];
    const int64_t bands = bands_of(x), all = batch * bands;
    const int64_t kernels = launch->out[0].shape.rank == 4 ? batch : 1, bands_each = all / kernels;

#pragma omp parallel num_threads(launch->threads)
    {
#pragma omp for schedule(static)
        for (int64_t n = 0; n < all; n++) {
            const int64_t first = n % bands * BAND;
            const int64_t end = first + BAND < height ? first + BAND : height;
            sum_band(x, y, n / bands, first, end, sums + n * SUMS * channels);
        }
#pragma omp for collapse(3) schedule(static)
        for (int64_t k = 0; k < kernels; k++)
            for (int64_t c = 0; c < channels; c += BLOCK)
                for (int t = 0; t < 9; t++)
                    add_bands(sums + k * bands_each * SUMS * channels, bands_each, channels, t, c,
                              kernel + k * 9 * channels + t, 9);
#pragma omp for schedule(static)
        for (int64_t c = 0; c < channels; c += BLOCK)
            if (y_sum)
                add_bands(sums, all, channels, 9, c, y_sum, 1);
    }
    return TTT_OK;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    for (int i = 0; i < 2; i++) {
        if (launch->in[i].stride[3] != 1 && launch->in[i].shape.size[3] > 1) {
            *why = "the channels of x and y must have unit stride";
            return false;
        }
    }
    return ttt_all_f32(launch, why);
}

const ttt_implementation ttt_conv3x3_kernel_gradient_cpu = {
    .name = "cpu", .device = TTT_CPU, .supports = supports, .workspace = workspace, .run = run};
