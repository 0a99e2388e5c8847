/* Cameras to rays. */
#ifndef TTT_OPS_RAYS_RAYS_H
#define TTT_OPS_RAYS_RAYS_H

#include "ttt/graph/graph.h"

/* The Plücker ray through the centre of every pixel, in OpenCV axes (x right, y down, z forward).
 *
 * fxfycxcy  (B, V, 4)     f32: focal lengths and principal point, in pixels
 * c2w       (B, V, 4, 4)  f32: camera to world; the last row is not read
 *
 * With o the camera's place and d = R ((x + 1/2 - cx) / fx, (y + 1/2 - cy) / fy, 1) / |...|, returns
 * (B, V, 9, height, width) f32, contiguous, with channels o, d, o x d: joined with three channels of colour
 * along dimension 2, it is what ttt_patches cuts.  There is no gradient.
 * Fails with TTT_SHAPE, naming both shapes, when the two do not fit or the size is not at least 1 x 1.
 * Plücker, "On a new geometry of space", 1865; rays as pixel features: Sitzmann et al., "Light field
 * networks", 2021.
 */
ttt_tensor ttt_rays(ttt_graph *g, ttt_tensor fxfycxcy, ttt_tensor c2w, int64_t height, int64_t width);

#endif
