/* Posed scenes: views, each a picture file with a pinhole camera.
 *
 * What is read, by content and not by name:
 *   opencv_cameras.json   a list of {w, h, fx, fy, cx, cy (pixels), w2c (4x4, OpenCV axes), file_path}
 *   transforms.json       nerfstudio, instant-ngp: {fl_x, fl_y, cx, cy, w, h or camera_angle_x, frames: [
 *                         {file_path, transform_matrix (4x4 camera-to-world, OpenGL axes)}]}; intrinsics may
 *                         stand in a frame, missing ones follow from the angle and from the picture's size
 *   transforms_train.json, _val, _test   Blender's (NeRF synthetic), of the same form
 * A folder stands for its opencv_cameras.json, else its transforms.json, else its Blender files together.
 *
 * Distortion k1 k2 k3 p1 p2 (OpenCV's model) is kept and taken out when a view is loaded; any other camera
 * model, and any other distortion that is not zero, is refused by name.
 *
 * Pictures lie in the scene's folder: absolute paths and paths that leave it through ".." are refused.  A
 * name without extension gets .png.  Every picture's header is read when the scene is opened.
 */
#ifndef DATA_SCENES_SCENE_H
#define DATA_SCENES_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/scenes/distortion.h"
#include "data/scenes/pose.h"
#include "ttt/base/status.h"

/* Limits of one scene file: far above any that was seen, and small enough to be read without harm. */
enum { SCENE_VIEWS_MAX = 100000, SCENE_SIDE_MAX = 65535 };

struct scene_view {
    struct pose c2w;              /* OpenCV axes */
    double fxfycxcy[4];           /* pixels; the centre of the first pixel is at (0.5, 0.5) */
    struct distortion distortion; /* all zero: none */
    int width, height;            /* of the picture file */
    uint32_t entry;               /* number in the file (in the files together, for Blender's) */
    char *path;                   /* of the picture; owned */
    char *split;                  /* "train", "test", ...; "" where the file does not say; owned */
};

struct scene {
    char *name;          /* of the folder, or of the file without extension when it has a name of its own */
    char *path;          /* of the file or folder that was opened */
    uint32_t view_count; /* >= 1 */
    struct scene_view *views;
    uint32_t missing; /* views left out since their picture is missing */
};

struct scene_options {
    bool leave_out_missing; /* views without a picture are left out and counted; else they are an error */
};

/* Opens a file or folder as described above.  The caller frees *scene with scene_free; on failure it is
 * empty.
 *
 * TTT_ARGUMENT     there is no such file, or the folder holds no scene file
 * TTT_FORMAT       the file is not what it should be; the line names file, entry and key
 * TTT_UNSUPPORTED  a camera model or distortion that is not served
 * TTT_MEMORY, TTT_IO
 */
ttt_status scene_open(const char *path, const struct scene_options *options, struct scene *scene)
    __attribute__((warn_unused_result));

/* TTT_ARGUMENT, naming the first picture that has a side of fewer pixels than a patch. */
ttt_status scene_check_sides(const struct scene *scene, int patch) __attribute__((warn_unused_result));

/* An empty scene is allowed. */
void scene_free(struct scene *scene);

/* Whether a path is a scene file by its name, or a folder with one in it, even if it cannot be read. */
bool scene_exists(const char *path);

#endif
