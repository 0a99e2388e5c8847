/* What a scene holds, and what is wrong with it. */
#ifndef DATA_SCENES_SCENE_CHECK_H
#define DATA_SCENES_SCENE_CHECK_H

#include "data/image.h"
#include "data/scenes/scene.h"
#include "data/scenes/scene_axes.h"

struct scene_range {
    double smallest, median, largest;
};

struct scene_check {
    struct scene_range width, height; /* pixels */
    struct scene_range fx, fy;        /* pixels, as the file says */
    struct scene_range field_of_view; /* horizontal, degrees, of the picture as it is loaded */
    struct scene_range nearest;       /* distance of each camera to the one nearest to it */
    double extent;                    /* largest distance between two cameras */
    double box[3];                    /* sides of the cameras' bounding box, in world axes */
    uint32_t distorted;               /* views with distortion to be taken out */
    uint32_t bad;                     /* pictures that cannot be decoded or undistorted */
    char *first_bad;                  /* a line about the first of them, or NULL */
    struct scene_axes axes;           /* judged where no picture is bad */
};

/* Decodes every picture of a scene and judges its poses, on `threads` threads (0: one for each processor).
 * The caller frees *check with scene_check_free.  TTT_MEMORY, TTT_ARGUMENT for the number of threads. */
ttt_status scene_check(const struct scene *scene, int threads, struct scene_check *check)
    __attribute__((warn_unused_result));
void scene_check_free(struct scene_check *check);

/* Draws the cameras from above, size x size pixels: each a triangle from its position along its view, the
 * first blue, the last red, on a grid of 1, 2 or 5 times a power of ten of the scene's units.  Up is against
 * the mean of the cameras' down axes; the first camera looks up the page.  TTT_MEMORY. */
ttt_status scene_map(const struct scene *scene, int size, struct image *out)
    __attribute__((warn_unused_result));

#endif
