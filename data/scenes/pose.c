/* Rigid transforms and the normalisation of poses. */
#include "data/scenes/pose.h"

#include <math.h>
#include <string.h>

static const struct pose IDENTITY = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};

/* A mean of unit vectors, or a cross product of them, that is shorter than this says nothing but rounding. */
static const double NO_DIRECTION = 1e-6;

/* How far from orthonormal a rotation in a file may be; rounding to 4 digits stays below it. */
static const double ROTATION_TOLERANCE = 1e-3;

struct vector {
    double at[3];
};

static double dot(struct vector a, struct vector b)
{
    return a.at[0] * b.at[0] + a.at[1] * b.at[1] + a.at[2] * b.at[2];
}

static struct vector cross(struct vector a, struct vector b)
{
    return (struct vector){{a.at[1] * b.at[2] - a.at[2] * b.at[1], a.at[2] * b.at[0] - a.at[0] * b.at[2],
                            a.at[0] * b.at[1] - a.at[1] * b.at[0]}};
}

static struct vector unit(struct vector a)
{
    double length = sqrt(dot(a, a));
    return (struct vector){{a.at[0] / length, a.at[1] / length, a.at[2] / length}};
}

static struct vector column(const struct pose *pose, int c)
{
    return (struct vector){{pose->m[0][c], pose->m[1][c], pose->m[2][c]}};
}

static void set_column(struct pose *pose, int c, struct vector v)
{
    for (int i = 0; i < 3; i++)
        pose->m[i][c] = v.at[i];
}

static ttt_status check_rotation(const struct pose *pose)
{
    double worst = 0;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            double off = fabs(dot(column(pose, i), column(pose, k)) - (i == k));
            worst = off > worst ? off : worst;
        }
    double determinant = dot(cross(column(pose, 0), column(pose, 1)), column(pose, 2));
    if (fabs(determinant) < 1e-6)
        return ttt_fail(TTT_FORMAT, "is singular: its upper left 3x3 has determinant %g, a rotation has 1",
                        determinant);
    if (worst > ROTATION_TOLERANCE)
        return ttt_fail(TTT_FORMAT,
                        "is no rotation: its upper left 3x3 is off orthonormal by %.3g, determinant %.4g",
                        worst, determinant);
    if (determinant < 0)
        return ttt_fail(TTT_FORMAT, "is no rotation but mirrored: its upper left 3x3 has determinant %.4g",
                        determinant);
    return TTT_OK;
}

ttt_status pose_check(const struct pose *pose)
{
    static const double last[4] = {0, 0, 0, 1};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            if (!isfinite(pose->m[i][k]))
                return ttt_fail(TTT_FORMAT, "row %d, column %d is not a finite number", i, k);
    for (int k = 0; k < 4; k++)
        if (fabs(pose->m[3][k] - last[k]) > 1e-6)
            return ttt_fail(TTT_FORMAT, "its last row is %g %g %g %g: must be 0 0 0 1", pose->m[3][0],
                            pose->m[3][1], pose->m[3][2], pose->m[3][3]);
    for (int i = 0; i < 3; i++)
        if (fabs(pose->m[i][3]) > 1e9)
            return ttt_fail(TTT_FORMAT, "its translation %g is beyond 1e9", pose->m[i][3]);
    return check_rotation(pose);
}

struct pose pose_inverse(const struct pose *pose)
{
    struct pose inverse = IDENTITY;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++)
            inverse.m[i][k] = pose->m[k][i];
        inverse.m[i][3] = -dot(column(pose, i), column(pose, 3));
    }
    return inverse;
}

struct pose pose_product(const struct pose *a, const struct pose *b)
{
    struct pose product = {0};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            for (int j = 0; j < 4; j++)
                product.m[i][k] += a->m[i][j] * b->m[j][k];
    return product;
}

struct pose pose_flip_axes(const struct pose *pose)
{
    struct pose flipped = *pose;
    for (int i = 0; i < 3; i++) {
        flipped.m[i][1] = -flipped.m[i][1];
        flipped.m[i][2] = -flipped.m[i][2];
    }
    return flipped;
}

ttt_status pose_normalisation_parse(const char *name, enum pose_normalisation *normalisation)
{
    if (strcmp(name, "none") == 0)
        *normalisation = POSES_NONE;
    else if (strcmp(name, "mean_pose") == 0)
        *normalisation = POSES_MEAN;
    else
        return ttt_fail(TTT_ARGUMENT, "unknown pose normalisation '%.40s': none or mean_pose", name);
    return TTT_OK;
}

static struct vector mean_column(const struct pose *poses, size_t count, int c)
{
    struct vector sum = {{0}};
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 3; k++)
            sum.at[k] += poses[i].m[k][c];
    for (int k = 0; k < 3; k++)
        sum.at[k] /= (double)count;
    return sum;
}

/* The right axis of the mean pose, from the first of these that is not along forward: the mean down axis,
 * the first pose's down axis, its forward axis. */
static struct vector right_axis(const struct pose *poses, size_t count, struct vector forward)
{
    struct vector right = cross(mean_column(poses, count, 1), forward);
    for (int c = 1; c <= 2 && dot(right, right) < NO_DIRECTION * NO_DIRECTION; c++)
        right = cross(column(&poses[0], c), forward);
    return unit(right);
}

static struct pose mean_pose(const struct pose *poses, size_t count)
{
    struct pose mean = IDENTITY;
    struct vector forward = mean_column(poses, count, 2);
    if (dot(forward, forward) < NO_DIRECTION * NO_DIRECTION)
        forward = column(&poses[0], 2);
    forward = unit(forward);
    struct vector right = right_axis(poses, count, forward);
    set_column(&mean, 0, right);
    set_column(&mean, 1, unit(cross(forward, right)));
    set_column(&mean, 2, forward);
    set_column(&mean, 3, mean_column(poses, count, 3));
    return mean;
}

struct pose_frame pose_frame_of(enum pose_normalisation normalisation, double factor,
                                const struct pose *poses, size_t count)
{
    struct pose_frame frame = {IDENTITY, 1};
    if (normalisation == POSES_NONE)
        return frame;
    struct pose mean = mean_pose(poses, count);
    frame.to_frame = pose_inverse(&mean);
    double largest = 0, extent = 0;
    for (size_t i = 0; i < count; i++) {
        struct pose pose = pose_in_frame(&frame, &poses[i]);
        for (int k = 0; k < 3; k++) {
            largest = fmax(largest, fabs(pose.m[k][3]));
            extent = fmax(extent, fabs(poses[i].m[k][3]));
        }
    }
    /* Positions that are the same differ by rounding. */
    if (largest > 1e-12 * extent)
        frame.scale = largest * factor;
    return frame;
}

struct pose pose_in_frame(const struct pose_frame *frame, const struct pose *pose)
{
    struct pose seen = pose_product(&frame->to_frame, pose);
    for (int k = 0; k < 3; k++)
        seen.m[k][3] /= frame->scale;
    return seen;
}
