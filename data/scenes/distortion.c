/* OpenCV's distortion model and undistorted pictures. */
#include "data/scenes/distortion.h"

#include <math.h>

bool distortion_is_none(const struct distortion *d)
{
    return d->k1 == 0 && d->k2 == 0 && d->k3 == 0 && d->p1 == 0 && d->p2 == 0;
}

void distortion_apply(const struct distortion *d, double x, double y, double *distorted_x,
                      double *distorted_y)
{
    double r2 = x * x + y * y;
    double radial = 1 + r2 * (d->k1 + r2 * (d->k2 + r2 * d->k3));
    *distorted_x = x * radial + 2 * d->p1 * x * y + d->p2 * (r2 + 2 * x * x);
    *distorted_y = y * radial + d->p1 * (r2 + 2 * y * y) + 2 * d->p2 * x * y;
}

/* Determinant of the derivatives of distortion_apply: not positive where the model folds over. */
static double determinant(const struct distortion *d, double x, double y)
{
    double r2 = x * x + y * y;
    double radial = 1 + r2 * (d->k1 + r2 * (d->k2 + r2 * d->k3));
    double slope = 2 * (d->k1 + r2 * (2 * d->k2 + r2 * 3 * d->k3)); /* of radial, by x: slope * x */
    double xx = radial + slope * x * x + 2 * d->p1 * y + 6 * d->p2 * x;
    double yy = radial + slope * y * y + 6 * d->p1 * y + 2 * d->p2 * x;
    double xy = slope * x * y + 2 * d->p1 * x + 2 * d->p2 * y;
    return xx * yy - xy * xy;
}

struct lens {
    const struct distortion *distortion;
    const double *fxfycxcy;
    int width, height;
};

/* Whether the point (px, py) of a picture with focal lengths `zoom` times the lens's comes from within the
 * distorted picture, with no fold of the model on the way from the centre. */
static bool point_covered(const struct lens *lens, double zoom, double px, double py)
{
    const double *k = lens->fxfycxcy;
    double x = (px - k[2]) / (k[0] * zoom), y = (py - k[3]) / (k[1] * zoom), at_x, at_y;
    enum { STEPS = 8 };
    for (int i = 1; i <= STEPS; i++)
        if (determinant(lens->distortion, x * i / STEPS, y * i / STEPS) <= 0)
            return false;
    distortion_apply(lens->distortion, x, y, &at_x, &at_y);
    at_x = at_x * k[0] + k[2];
    at_y = at_y * k[1] + k[3];
    return at_x >= 0 && at_x <= lens->width && at_y >= 0 && at_y <= lens->height;
}

/* Whether all of the border is covered; what is inside then is too. */
static bool covered(const struct lens *lens, double zoom)
{
    enum { POINTS = 64 };
    for (int i = 0; i <= POINTS; i++) {
        double x = (double)lens->width * i / POINTS, y = (double)lens->height * i / POINTS;
        if (!point_covered(lens, zoom, x, 0) || !point_covered(lens, zoom, x, lens->height) ||
            !point_covered(lens, zoom, 0, y) || !point_covered(lens, zoom, lens->width, y))
            return false;
    }
    return true;
}

ttt_status distortion_pinhole(const struct distortion *d, const double fxfycxcy[4], int width, int height,
                              double pinhole[4])
{
    const struct lens lens = {d, fxfycxcy, width, height};
    double low = 0.5, high = 4;
    if (!covered(&lens, high))
        return ttt_fail(TTT_UNSUPPORTED,
                        "its distortion k1 %g k2 %g k3 %g p1 %g p2 %g is too strong to be taken out", d->k1,
                        d->k2, d->k3, d->p1, d->p2);
    while (high - low > 1e-6) {
        double middle = 0.5 * (low + high);
        if (covered(&lens, middle))
            high = middle;
        else
            low = middle;
    }
    pinhole[0] = fxfycxcy[0] * high;
    pinhole[1] = fxfycxcy[1] * high;
    pinhole[2] = fxfycxcy[2];
    pinhole[3] = fxfycxcy[3];
    return TTT_OK;
}

static int clamp(int x, int last)
{
    return x < 0 ? 0 : x > last ? last : x;
}

/* The pixel at (x, y), where the first pixel's centre is (0, 0); the edge is continued. */
static void sample(const struct image *image, double x, double y, uint8_t *out)
{
    int left = (int)floor(x), top = (int)floor(y);
    double right_share = x - left, lower_share = y - top, sum[4] = {0}, total = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t *pixel = image_at(image, clamp(left + (i & 1), image->width - 1),
                                        clamp(top + (i >> 1), image->height - 1));
        double weight = (i & 1 ? right_share : 1 - right_share) * (i >> 1 ? lower_share : 1 - lower_share);
        double visible = image->channels == 4 ? weight * pixel[3] / 255 : weight;
        for (int c = 0; c < 3; c++)
            sum[c] += visible * pixel[c];
        total += visible;
    }
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)(total > 0 ? fmin(sum[c] / total, 255) + 0.5 : 0);
    if (image->channels == 4)
        out[3] = (uint8_t)(fmin(total, 1) * 255 + 0.5);
}

ttt_status image_undistort(const struct image *image, const struct distortion *d, const double fxfycxcy[4],
                           const double pinhole[4], struct image *out)
{
    TRY(image_new(image->width, image->height, image->channels, out));
    for (int row = 0; row < out->height; row++)
        for (int column = 0; column < out->width; column++) {
            double x = (column + 0.5 - pinhole[2]) / pinhole[0], y = (row + 0.5 - pinhole[3]) / pinhole[1];
            distortion_apply(d, x, y, &x, &y);
            sample(image, x * fxfycxcy[0] + fxfycxcy[2] - 0.5, y * fxfycxcy[1] + fxfycxcy[3] - 0.5,
                   image_at(out, column, row));
        }
    return TTT_OK;
}
