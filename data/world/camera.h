/* Pinhole cameras with the axes of OpenCV: x to the right, y down, z into the picture. */
#ifndef DATA_WORLD_CAMERA_H
#define DATA_WORLD_CAMERA_H

#include "data/world/vector.h"

struct world_camera {
    float fx, fy, cx, cy; /* pixels; the centre of the first pixel is at (0.5, 0.5) */
    struct vec3 axes[3];  /* the camera's x, y and z in world coordinates: the columns of c2w */
    struct vec3 position; /* its last column */
};

/* A camera at `position` that looks at `target`, upright; the two must not stand above one another.
 * `view` is the angle, in radians, that the shorter side of a width x height picture sees. */
struct world_camera world_camera_look_at(struct vec3 position, struct vec3 target, float view, int width,
                                         int height);

/* Unit direction of the ray through the point (x, y) of the picture, in pixels. */
struct vec3 world_camera_ray(const struct world_camera *camera, float x, float y);

#endif
