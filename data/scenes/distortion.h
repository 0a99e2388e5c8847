/* Lens distortion by OpenCV's model of five numbers, and taking it out of a picture.
 *
 * With x, y the undistorted normalised coordinates and r2 = x^2 + y^2 the picture shows the point at
 *   x' = x (1 + k1 r2 + k2 r2^2 + k3 r2^3) + 2 p1 x y + p2 (r2 + 2 x^2)
 *   y' = y (1 + k1 r2 + k2 r2^2 + k3 r2^3) + p1 (r2 + 2 y^2) + 2 p2 x y.
 */
#ifndef DATA_SCENES_DISTORTION_H
#define DATA_SCENES_DISTORTION_H

#include <stdbool.h>

#include "data/image.h"
#include "ttt/base/status.h"

struct distortion {
    double k1, k2, k3, p1, p2;
};

bool distortion_is_none(const struct distortion *d);

/* Where the undistorted point (x, y) appears, in normalised coordinates. */
void distortion_apply(const struct distortion *d, double x, double y, double *distorted_x,
                      double *distorted_y);

/* The intrinsics of the undistorted picture of the same size: the principal point stays, and both focal
 * lengths are multiplied by the smallest factor of 0.5 to 4 with which every pixel comes from within the
 * distorted picture.  TTT_UNSUPPORTED where there is none. */
ttt_status distortion_pinhole(const struct distortion *d, const double fxfycxcy[4], int width, int height,
                              double pinhole[4]) __attribute__((warn_unused_result));

/* The picture as a camera without distortion and with intrinsics `pinhole` takes it, sampled bilinearly;
 * transparent pixels give no colour to their neighbours.  The caller owns *out; empty on failure.
 * TTT_MEMORY. */
ttt_status image_undistort(const struct image *image, const struct distortion *d, const double fxfycxcy[4],
                           const double pinhole[4], struct image *out) __attribute__((warn_unused_result));

#endif
