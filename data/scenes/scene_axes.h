/* Do a scene's poses agree with its pictures, or are the cameras' axes flipped?
 *
 * Poses are often written with the wrong axes: OpenGL's or PyTorch3D's in place of OpenCV's, or
 * world-to-camera where camera-to-world is meant.  For some neighbouring views each reading of the poses says
 * along which line in one picture the points of the other lie (a plane sweep); the right reading finds them
 * there.  Where the pictures do not decide, since they show nothing or there are too few, the cameras do:
 * axes of most pairs that part in front of the cameras, rather than meet, mean that they look away from each
 * other's content.
 */
#ifndef DATA_SCENES_SCENE_AXES_H
#define DATA_SCENES_SCENE_AXES_H

#include "data/scenes/scene.h"

enum axes_reading {
    AXES_AS_GIVEN,
    AXES_FLIPPED,          /* columns 1 and 2 of camera-to-world negated */
    AXES_INVERTED,         /* the other direction between camera and world */
    AXES_INVERTED_FLIPPED, /* both */
    AXES_ROLLED,           /* columns 0 and 1 negated: half a turn about the line of sight */
    AXES_TURNED,           /* columns 0 and 2 negated: half a turn about the down axis */
    AXES_READINGS,
};

struct scene_axes {
    double score[AXES_READINGS]; /* mean best correlation of matched patches, up to 1 */
    uint32_t points;             /* that were matched; few: the pictures do not decide */
    uint32_t meeting, parting;   /* pairs of cameras whose axes meet in front, or behind, of both */
    bool by_pictures;            /* the pictures decided */
    bool suspect;                /* the axes look flipped */
    enum axes_reading best;      /* by the pictures; as given where they did not decide */
};

/* The pose as another reading has it. */
struct pose axes_read(const struct pose *c2w, enum axes_reading reading);

/* Judges a scene; a scene of one view is never suspect.  Errors: view_load's. */
ttt_status scene_axes_judge(const struct scene *scene, struct scene_axes *axes)
    __attribute__((warn_unused_result));

#endif
