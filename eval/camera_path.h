/* Cameras along a way through a scene, and writing them down.
 *
 * Poses are camera-to-world in the scene's own coordinates, OpenCV axes; intrinsics are pixels of the
 * pictures that are rendered.
 */
#ifndef EVAL_CAMERA_PATH_H
#define EVAL_CAMERA_PATH_H

#include "data/scenes/pose.h"
#include "data/scenes/scene.h"

struct camera {
    struct pose c2w;
    double fxfycxcy[4];
};

enum camera_path {
    CAMERA_TARGETS,     /* views of the scene */
    CAMERA_TURNTABLE,   /* once around what the cameras look at */
    CAMERA_INTERPOLATE, /* from each input view to the next */
};

/* Reads "targets", "turntable" or "interpolate". */
ttt_status camera_path_parse(const char *name, enum camera_path *path) __attribute__((warn_unused_result));
const char *camera_path_name(enum camera_path path);

/* The cameras of views[count] of a scene, for pictures of height x width.  Errors: view_intrinsics. */
ttt_status cameras_of_views(const struct scene *scene, const uint32_t *views, int count, int height,
                            int width, struct camera *cameras) __attribute__((warn_unused_result));

/* A circle of `frames` cameras around the point nearest to all viewing axes, at the cameras' mean distance
 * from the axis through it and at their mean height.  Up is perpendicular to their right axes, as for cameras
 * that are level; where these are parallel, or lie in no plane, against the mean down axis.  The circle
 * starts above the first camera's side and turns to the right-handed side of up; all look at the point.
 * Intrinsics are the cameras' means. TTT_UNSUPPORTED where the cameras have no such point in front of them:
 * axes that are parallel or part. */
ttt_status camera_turntable(const struct camera *cameras, int count, int frames, struct camera *path)
    __attribute__((warn_unused_result));

/* `frames` cameras evenly spread over the way from the first to the last: between two neighbours rotations
 * turn at one speed about one axis (slerp), the shorter way; centres and intrinsics go straight.  The first
 * frame is the first camera, the last the last one; a single frame is the first. */
void camera_interpolate(const struct camera *cameras, int count, int frames, struct camera *path);

/* Writes an opencv_cameras.json whose entry i names the picture "FOLDER/000i.png" (%04d) beside it, of height
 * x width: what scene_open reads back.  TTT_IO, TTT_MEMORY. */
ttt_status cameras_write(const char *path, const struct camera *cameras, int count, int height, int width,
                         const char *folder) __attribute__((warn_unused_result));

#endif
