/* PSNR and SSIM of two pictures. */
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { taps = 11, moments = 5 };

double metrics_psnr(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return -10 * log10(sum / (double)n);
}

static void gaussian(double window[taps])
{
    double sum = 0;
    for (int i = 0; i < taps; i++) {
        const double x = (i - taps / 2) / 1.5;
        window[i] = exp(-0.5 * x * x);
        sum += window[i];
    }
    for (int i = 0; i < taps; i++)
        window[i] /= sum;
}

/* One channel under comparison: x, y, xx, yy and xy blurred along rows, all height rows of them, and room
 * for one row of windows. */
struct comparison {
    int height, width, channels;
    int across; /* windows in a row */
    double window[taps];
    double *values;  /* (moments, width) the row before blurring */
    double *rows;    /* (height, moments, across) */
    double *windows; /* (moments, across) */
};

static void blur_row(struct comparison *c, const double *a, const double *b, double *out)
{
    const int w = c->width;
    double *v = c->values;
    for (int i = 0; i < w; i++) {
        const double x = a[(int64_t)i * c->channels], y = b[(int64_t)i * c->channels];
        v[i] = x;
        v[w + i] = y;
        v[2 * (int64_t)w + i] = x * x;
        v[3 * (int64_t)w + i] = y * y;
        v[4 * (int64_t)w + i] = x * y;
    }
    memset(out, 0, sizeof *out * moments * (size_t)c->across);
    for (int64_t m = 0; m < moments; m++)
        for (int t = 0; t < taps; t++)
            for (int i = 0; i < c->across; i++)
                out[m * c->across + i] += c->window[t] * v[m * w + i + t];
}

static void blur_column(struct comparison *c, int top)
{
    const int64_t n = (int64_t)moments * c->across;
    memset(c->windows, 0, sizeof *c->windows * (size_t)n);
    for (int t = 0; t < taps; t++) {
        const double *row = c->rows + (top + t) * n;
        for (int64_t i = 0; i < n; i++)
            c->windows[i] += c->window[t] * row[i];
    }
}

/* Sum of the similarity over one row of windows. */
static double row_similarity(const struct comparison *c)
{
    /* Sample covariance over the 121 values of a window. */
    const double sample = 121.0 / 120.0, c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
    const double *ux = c->windows, *uy = ux + c->across, *xx = uy + c->across, *yy = xx + c->across,
                 *xy = yy + c->across;
    double sum = 0;
    for (int i = 0; i < c->across; i++) {
        const double vx = sample * (xx[i] - ux[i] * ux[i]), vy = sample * (yy[i] - uy[i] * uy[i]),
                     vxy = sample * (xy[i] - ux[i] * uy[i]);
        sum += (2 * ux[i] * uy[i] + c1) * (2 * vxy + c2) /
               ((ux[i] * ux[i] + uy[i] * uy[i] + c1) * (vx + vy + c2));
    }
    return sum;
}

/* a and b point at the channel's first value. */
static double channel_similarity(struct comparison *c, const double *a, const double *b)
{
    const int64_t stride = (int64_t)c->width * c->channels;
    const int down = c->height - taps + 1;
    double sum = 0;
    for (int y = 0; y < c->height; y++)
        blur_row(c, a + y * stride, b + y * stride, c->rows + (int64_t)y * moments * c->across);
    for (int top = 0; top < down; top++) {
        blur_column(c, top);
        sum += row_similarity(c);
    }
    return sum / ((double)down * c->across);
}

ttt_status metrics_ssim(const double *a, const double *b, int height, int width, int channels, double *ssim)
{
    if (height < taps || width < taps || channels < 1)
        return ttt_fail(TTT_SHAPE,
                        "SSIM of %d x %d pixels and %d channels; at least %d x %d and 1 are needed", width,
                        height, channels, taps, taps);
    struct comparison c = {height, width, channels, .across = width - taps + 1};
    const size_t row = moments * (size_t)c.across;
    gaussian(c.window);
    c.values = malloc(sizeof(double) * moments * (size_t)width);
    c.rows = malloc(sizeof(double) * row * (size_t)height);
    c.windows = malloc(sizeof(double) * row);
    ttt_status status = TTT_OK;
    if (c.values && c.rows && c.windows) {
        double sum = 0;
        for (int channel = 0; channel < channels; channel++)
            sum += channel_similarity(&c, a + channel, b + channel);
        *ssim = sum / channels;
    } else {
        status = ttt_fail(TTT_MEMORY, "no memory for the SSIM of %d x %d pixels", width, height);
    }
    free(c.windows);
    free(c.rows);
    free(c.values);
    return status;
}
