/* Pillow's resampling: tables of weights per axis, then columns, then rows, in 32-bit integers. */
#include "data/resample.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Weights are kept in 22 bits: 32 less 8 of the sample and 2 for overshoot and sign. */
enum { PRECISION = 32 - 8 - 2, HALF = 1 << (PRECISION - 1), ROWS = 4, LANES = 4 * ROWS };

/* Eight samples, at any address. */
typedef int32_t vector __attribute__((vector_size(32), aligned(4), may_alias));

ttt_status resample_filter_parse(const char *name, enum resample_filter *filter)
{
    static const char *const names[] = {"bilinear", "bicubic", "lanczos"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *filter = (enum resample_filter)i;
            return TTT_OK;
        }
    return ttt_fail(TTT_ARGUMENT, "unknown filter '%s': bilinear, bicubic or lanczos", name);
}

static double sinc(double x)
{
    if (x == 0)
        return 1;
    x *= M_PI;
    return sin(x) / x;
}

/* The value of a filter at x; the order of the operations is Pillow's, for the last bit's sake. */
static double filter_at(enum resample_filter filter, double x)
{
    static const double a = -0.5; /* Keys' parameter */
    switch (filter) {
    case RESAMPLE_BILINEAR:
        x = fabs(x);
        return x < 1 ? 1 - x : 0;
    case RESAMPLE_BICUBIC:
        x = fabs(x);
        if (x < 1)
            return ((a + 2) * x - (a + 3)) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    case RESAMPLE_LANCZOS:
        return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    }
    return 0;
}

static double filter_support(enum resample_filter filter)
{
    return filter == RESAMPLE_BILINEAR ? 1 : filter == RESAMPLE_BICUBIC ? 2 : 3;
}

/* Fills row i, output axis->first + i; `exact` has room for axis->taps weights. */
static void plan_output(enum resample_filter filter, struct resample_axis *axis, int i, double *exact)
{
    double scale = (double)axis->in_size / axis->out_size;
    double stretch = scale < 1 ? 1 : scale, support = filter_support(filter) * stretch;
    double centre = (axis->first + i + 0.5) * scale, sum = 0;
    int start = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    start = start < 0 ? 0 : start;
    end = end > axis->in_size ? axis->in_size : end;
    double inverse = 1.0 / stretch;
    for (int k = 0; k < end - start; k++) {
        exact[k] = filter_at(filter, (k + start - centre + 0.5) * inverse);
        sum += exact[k];
    }
    int32_t *weights = axis->weights + (size_t)i * (size_t)axis->taps;
    for (int k = 0; k < end - start; k++) {
        double weight = (sum != 0 ? exact[k] / sum : exact[k]) * (1 << PRECISION);
        weights[k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    axis->start[i] = start;
    axis->length[i] = end - start;
}

ttt_status resample_axis_new(enum resample_filter filter, int in_size, int out_size, int first, int count,
                             struct resample_axis *axis)
{
    assert(in_size > 0 && out_size > 0 && first >= 0 && count > 0 && count <= out_size - first);
    double scale = (double)in_size / out_size;
    int taps = (int)ceil(filter_support(filter) * (scale < 1 ? 1 : scale)) * 2 + 1;
    *axis = (struct resample_axis){in_size, out_size, first, count, .taps = taps};
    axis->start = calloc((size_t)count, sizeof *axis->start);
    axis->length = calloc((size_t)count, sizeof *axis->length);
    axis->weights = calloc((size_t)count * (size_t)taps, sizeof *axis->weights);
    double *exact = malloc((size_t)taps * sizeof *exact);
    if (!axis->start || !axis->length || !axis->weights || !exact) {
        free(exact);
        resample_axis_free(axis);
        return ttt_fail(TTT_MEMORY, "no memory to resample %d samples to %d", in_size, out_size);
    }
    for (int i = 0; i < count; i++)
        plan_output(filter, axis, i, exact);
    free(exact);
    axis->in_first = axis->start[0];
    axis->in_end = axis->start[count - 1] + axis->length[count - 1];
    return TTT_OK;
}

void resample_axis_free(struct resample_axis *axis)
{
    free(axis->start);
    free(axis->length);
    free(axis->weights);
    *axis = (struct resample_axis){0};
}

/* x * y / 255, rounded. */
static uint8_t scale_255(unsigned x, unsigned y)
{
    unsigned product = x * y + 128;
    return (uint8_t)((product + (product >> 8)) >> 8);
}

/* RGB becomes four samples a pixel, 16 apart; the fourth, the next pixel's red, is of no account. */
static void spread_rgb(const uint8_t *restrict from, int count, int32_t *restrict to)
{
    for (int x = 0; x < count - 1; x++, from += 3, to += LANES)
        for (int c = 0; c < 4; c++)
            to[c] = from[c];
    for (int c = 0; c < 4; c++)
        to[c] = c < 3 ? from[c] : 0;
}

/* RGBA likewise, premultiplied. */
static void spread_rgba(const uint8_t *restrict from, int count, int32_t *restrict to)
{
    for (int x = 0; x < count; x++, from += 4, to += LANES) {
        for (int c = 0; c < 3; c++)
            to[c] = scale_255(from[c], from[3]);
        to[3] = from[3];
    }
}

/* Sums of weighted samples, shifted back and clipped to 0..255. */
static inline void store_clipped(const int32_t *restrict sums, size_t count, uint8_t *restrict to)
{
    for (size_t i = 0; i < count; i++) {
        int32_t x = sums[i] >> PRECISION;
        to[i] = (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
    }
}

/* Four interleaved rows, from input axis->in_first on, become axis->count pixels of 16 sums. */
static void sum_columns(const int32_t *from, const struct resample_axis *axis, int32_t *sums)
{
    for (int i = 0; i < axis->count; i++, sums += LANES) {
        const int32_t *weights = axis->weights + (size_t)i * (size_t)axis->taps;
        const vector *at = (const vector *)(from + LANES * (size_t)(axis->start[i] - axis->in_first));
        vector low = {0}, high = {0};
        for (int k = 0; k < axis->length[i]; k++, at += 2) {
            low += at[0] * weights[k];
            high += at[1] * weights[k];
        }
        ((vector *)sums)[0] = low + HALF;
        ((vector *)sums)[1] = high + HALF;
    }
}

/* `count` pixels of 16 samples become four rows, `stride` bytes apart. */
static void separate(const uint8_t *pixels, int count, int channels, uint8_t *to, size_t stride)
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < (size_t)count; i++)
            memcpy(to + r * stride + i * (size_t)channels, pixels + LANES * i + 4 * r, 4);
}

/* Adds `length` weighted rows of `bytes` bytes, `stride` bytes apart, to the sums; four at a time, so that
 * the sums are read and written less often. */
static void add_rows(const uint8_t *from, size_t stride, const int32_t *weights, int length, size_t bytes,
                     int32_t *restrict sums)
{
    int k = 0;
    for (; k + 4 <= length; k += 4, from += 4 * stride) {
        const uint8_t *a = from, *b = a + stride, *c = b + stride, *d = c + stride;
        int32_t wa = weights[k], wb = weights[k + 1], wc = weights[k + 2], wd = weights[k + 3];
        for (size_t x = 0; x < bytes; x++)
            sums[x] += a[x] * wa + b[x] * wb + c[x] * wc + d[x] * wd;
    }
    for (; k < length; k++, from += stride)
        for (size_t x = 0; x < bytes; x++)
            sums[x] += from[x] * weights[k];
}

/* Rows axis->in_first .. of `from`, `stride` bytes apart, become out's rows; `sums` has room for one. */
static void resample_rows(const uint8_t *from, size_t stride, const struct resample_axis *axis, int32_t *sums,
                          struct image *out)
{
    size_t bytes = (size_t)out->width * (size_t)out->channels;
    for (int i = 0; i < axis->count; i++) {
        const uint8_t *at = from + stride * (size_t)(axis->start[i] - axis->in_first);
        for (size_t x = 0; x < bytes; x++)
            sums[x] = HALF;
        add_rows(at, stride, axis->weights + (size_t)i * (size_t)axis->taps, axis->length[i], bytes, sums);
        store_clipped(sums, bytes, image_at(out, 0, i));
    }
}

static void divide_by_alpha(struct image *image)
{
    uint8_t *end = image->pixels + image_bytes(image);
    for (uint8_t *pixel = image->pixels; pixel < end; pixel += 4) {
        unsigned alpha = pixel[3];
        for (int c = 0; c < 3 && alpha != 0; c++) {
            unsigned straight = 255u * pixel[c] / alpha;
            pixel[c] = (uint8_t)(straight > 255 ? 255 : straight);
        }
    }
}

/* Room for four rows on their way through the columns, and for one row's sums. */
struct scratch {
    int32_t *interleaved; /* (inputs of x, 4 rows, 4 samples) */
    int32_t *sums;        /* (outputs of x, 16) */
    uint8_t *pixels;      /* (outputs of x, 16) */
    uint8_t *narrow;      /* (inputs of y, rounded up to ROWS; stride) */
    size_t stride;        /* a row of RGB is stored four bytes at a time, so one byte more than it has */
};

static ttt_status scratch_new(const struct resample_axis *x, const struct resample_axis *y, int channels,
                              struct scratch *s)
{
    size_t inputs = (size_t)(x->in_end - x->in_first), outputs = (size_t)x->count;
    size_t rows = ((size_t)(y->in_end - y->in_first) + ROWS - 1) / ROWS * ROWS;
    s->stride = outputs * (size_t)channels + 1;
    s->interleaved = malloc(inputs * LANES * sizeof *s->interleaved);
    s->sums = malloc(outputs * LANES * sizeof *s->sums);
    s->pixels = malloc(outputs * LANES);
    s->narrow = malloc(rows * s->stride);
    if (!s->interleaved || !s->sums || !s->pixels || !s->narrow)
        return ttt_fail(TTT_MEMORY, "no memory to resize a picture to %dx%d pixels", x->out_size,
                        y->out_size);
    return TTT_OK;
}

static void scratch_free(struct scratch *s)
{
    free(s->narrow);
    free(s->pixels);
    free(s->sums);
    free(s->interleaved);
}

/* All rows that y needs, resampled along x, four at a time, into s->narrow. */
static void resample_columns(const struct image *part, int left, int top, const struct resample_axis *x,
                             const struct resample_axis *y, const struct scratch *s)
{
    int rows_needed = y->in_end - y->in_first;
    void (*spread)(const uint8_t *, int, int32_t *) = part->channels == 3 ? spread_rgb : spread_rgba;
    for (int done = 0; done < rows_needed; done += ROWS) {
        for (int r = 0; r < ROWS; r++) {
            int row = done + r < rows_needed ? done + r : rows_needed - 1;
            spread(image_at(part, x->in_first - left, y->in_first - top + row), x->in_end - x->in_first,
                   s->interleaved + 4 * r);
        }
        sum_columns(s->interleaved, x, s->sums);
        store_clipped(s->sums, (size_t)x->count * LANES, s->pixels);
        separate(s->pixels, x->count, part->channels, s->narrow + (size_t)done * s->stride, s->stride);
    }
}

ttt_status image_resample(const struct image *part, int left, int top, const struct resample_axis *x,
                          const struct resample_axis *y, struct image *out)
{
    assert(part->channels == 3 || part->channels == 4);
    assert(left <= x->in_first && x->in_end - left <= part->width);
    assert(top <= y->in_first && y->in_end - top <= part->height);
    struct scratch scratch = {0};
    ttt_status status;
    *out = (struct image){0};
    TRY_TO(scratch_new(x, y, part->channels, &scratch), cleanup);
    TRY_TO(image_new(x->count, y->count, part->channels, out), cleanup);
    resample_columns(part, left, top, x, y, &scratch);
    resample_rows(scratch.narrow, scratch.stride, y, scratch.sums, out);
    if (out->channels == 4)
        divide_by_alpha(out);
cleanup:
    scratch_free(&scratch);
    return status;
}

ttt_status image_resize(const struct image *image, int width, int height, enum resample_filter filter,
                        struct image *out)
{
    struct resample_axis x = {0}, y = {0};
    *out = (struct image){0};
    if (width <= 0 || height <= 0)
        return ttt_fail(TTT_ARGUMENT, "a picture cannot be resized to %dx%d pixels", width, height);
    if (width == image->width && height == image->height)
        return image_crop(image, &(struct rect){0, 0, width, height}, out);
    ttt_status status;
    TRY_TO(resample_axis_new(filter, image->width, width, 0, width, &x), cleanup);
    TRY_TO(resample_axis_new(filter, image->height, height, 0, height, &y), cleanup);
    status = image_resample(image, 0, 0, &x, &y, out);
cleanup:
    resample_axis_free(&y);
    resample_axis_free(&x);
    return status;
}
