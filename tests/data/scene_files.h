/* Scenes that tests write: pictures of known content, and scene files around them. */
#ifndef TESTS_DATA_SCENE_FILES_H
#define TESTS_DATA_SCENE_FILES_H

#include "data/image.h"
#include "data/scenes/pose.h"

/* FOLDER is created where it is missing, its parents are not. */

/* Writes a picture of smooth colour waves, different for each seed, as FOLDER/name (PNG). */
void scene_picture(const char *folder, const char *name, int width, int height, int seed);

/* Camera-to-world (OpenCV axes) of camera `i` of `count`, on a ring around the origin, looking at it. */
struct pose scene_ring_pose(int i, int count);

/* A pose as JSON: [[...], ...]; the caller frees it. */
char *scene_pose_text(const struct pose *pose);

/* Writes FOLDER/opencv_cameras.json with `count` cameras on a ring, and their pictures FOLDER/NN.png. */
void scene_write_ring(const char *folder, int count, int width, int height);

/* Writes text as FOLDER/name. */
void scene_text(const char *folder, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
