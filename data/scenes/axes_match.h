/* Matching patches of one view along the lines in another that a relative pose gives. */
#ifndef DATA_SCENES_AXES_MATCH_H
#define DATA_SCENES_AXES_MATCH_H

#include <stdint.h>

#include "data/scenes/pose.h"

/* A small grey picture with its camera. */
struct axes_plane {
    int width, height;
    double fxfycxcy[4];
    float *grey; /* (height, width), 0..255 */
};

/* Takes the luminance of (height, width, 3) pixels; the size must be set.  TTT_MEMORY. */
ttt_status axes_plane_fill(struct axes_plane *plane, const uint8_t *pixels)
    __attribute__((warn_unused_result));
void axes_plane_free(struct axes_plane *plane);

/* For points of `a` with texture around them: the best correlation (zero-mean, normalised) of their patch
 * with a patch of `b`, over depths from infinity down to the distance between the cameras; 0 where no depth
 * puts the point into b.  Returns the sum over the points, *points how many there are.
 * relative: from a's camera coordinates to b's. */
double axes_match(const struct axes_plane *a, const struct axes_plane *b, const struct pose *relative,
                  uint32_t *points);

#endif
