/* One view at the size of a model's input. */
#ifndef DATA_SCENES_VIEW_H
#define DATA_SCENES_VIEW_H

#include "data/image.h"
#include "data/scenes/scene.h"

/* The intrinsics of a view that is loaded at height x width: after undistortion, resizing until the picture
 * covers that size, and the cut of its centre.  TTT_UNSUPPORTED for a distortion that cannot be taken out. */
ttt_status view_intrinsics(const struct scene_view *view, int height, int width, double fxfycxcy[4])
    __attribute__((warn_unused_result));

/* Decodes, undistorts, resizes with Lanczos until the picture covers height x width, cuts the centre, blends
 * over white: out is (height, width, 3), the caller's, empty on failure.
 *
 * The size between is the smallest one, rounded, with the picture's aspect ratio; the cut starts at half the
 * surplus, rounded down.  Errors: image_decode's, view_intrinsics's, and TTT_FORMAT when the picture no
 * longer has the view's size; all name the picture. */
ttt_status view_load(const struct scene_view *view, int height, int width, struct image *out)
    __attribute__((warn_unused_result));

/* (h, w, 3) bytes become (3, h, w) floats in [0, 1]. */
void view_to_floats(const uint8_t *pixels, int height, int width, float *out);

#endif
