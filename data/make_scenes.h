/* The embedded world as posed scenes. */
#ifndef DATA_MAKE_SCENES_H
#define DATA_MAKE_SCENES_H

#include <stdint.h>

#include "ttt/base/status.h"

struct make_scenes_options {
    int64_t count; /* scenes, 2 .. 100,000; one in ten, at least one, is for validation */
    int views;     /* of each scene, 2 .. 1000 */
    int size;      /* side of the pictures in pixels, 16 .. 1024 */
    uint64_t seed;
    int threads; /* 0: one for each processor */
    /* NULL, or called after every picture, by one thread at a time. */
    void (*progress)(void *context, int64_t done, int64_t total);
    void *context;
};

/* 100 scenes of 24 views of 64 x 64, seed 0, every processor. */
struct make_scenes_options make_scenes_options_default(void);

/* How many of `count` scenes are for validation: the last ones. */
int64_t make_scenes_val_count(int64_t count);

/* Renders OUT/00000/opencv_cameras.json and OUT/00000/images/000.png and so on, and the lists OUT/train.json,
 * OUT/val.json and OUT/scenes.json (both together) of the scenes' paths.
 *
 * The files are a pure function of the options other than threads; scene n does not depend on count.  The
 * same call may be repeated, also after it was interrupted.  OUT is created where missing; its file
 * made-by-ttt.txt says with which options it was made.
 *
 * TTT_ARGUMENT  an option out of range; OUT holds other things, or scenes made with other options
 * TTT_IO        a folder or file that cannot be written; a full disk, with what is needed and free
 */
ttt_status make_scenes(const char *out, const struct make_scenes_options *options)
    __attribute__((warn_unused_result));

#endif
