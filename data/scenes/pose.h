/* Camera poses: 4x4 rigid transforms in double precision, and the frame in which a model sees them.
 *
 * A pose is camera-to-world with the axes of OpenCV unless its name says otherwise: the columns are the
 * camera's right, down and forward axes and its position, in world coordinates; the last row is 0 0 0 1.
 */
#ifndef DATA_SCENES_POSE_H
#define DATA_SCENES_POSE_H

#include <stddef.h>

#include "ttt/base/status.h"

struct pose {
    double m[4][4]; /* rows, then columns */
};

/* TTT_FORMAT, saying what is wrong, unless every number is finite, the last row is 0 0 0 1 and the rest of
 * the matrix is a rotation: orthonormal to 1e-3, which files of rounded numbers keep, and not mirrored. */
ttt_status pose_check(const struct pose *pose) __attribute__((warn_unused_result));

/* The inverse of a rigid transform: world-to-camera from camera-to-world and back. */
struct pose pose_inverse(const struct pose *pose);

/* a b: first b, then a. */
struct pose pose_product(const struct pose *a, const struct pose *b);

/* Between the axes of OpenCV (right, down, forward) and of OpenGL (right, up, backward): columns 1 and 2
 * change sign.  It is its own inverse. */
struct pose pose_flip_axes(const struct pose *pose);

/* Coordinates in which a model sees a scene: x -> to_frame x, positions then divided by `scale`. */
struct pose_frame {
    struct pose to_frame;
    double scale; /* > 0 */
};

enum pose_normalisation { POSES_NONE, POSES_MEAN };

/* Reads "none" or "mean_pose"; another name is TTT_ARGUMENT. */
ttt_status pose_normalisation_parse(const char *name, enum pose_normalisation *normalisation)
    __attribute__((warn_unused_result));

/* The frame of `count` >= 1 poses, as in the published code of LVSM and LaCT.
 *
 * POSES_NONE leaves them as they are.  POSES_MEAN: the mean pose becomes the identity (its centre is the
 * mean of the positions, its forward axis the mean of theirs, its right axis the cross product of their mean
 * down axis with forward), and `factor` times the largest coordinate of a position becomes 1.
 *
 * Where a mean leaves no direction (cameras evenly around an object) the first pose's axis stands in, and
 * where all positions are the same nothing is scaled, so the frame is finite for any sound poses.
 */
struct pose_frame pose_frame_of(enum pose_normalisation normalisation, double factor,
                                const struct pose *poses, size_t count);

struct pose pose_in_frame(const struct pose_frame *frame, const struct pose *pose);

#endif
