/* The embedded picture set as JPEG class folders. */
#ifndef DATA_MAKE_PICTURES_H
#define DATA_MAKE_PICTURES_H

#include <stdint.h>

#include "ttt/base/status.h"

struct make_pictures_options {
    int classes;   /* 2 .. 16: that many of the world's solids */
    int64_t train; /* pictures in train/, over all classes; classes .. 10,000,000 */
    int64_t val;   /* pictures in val/, likewise */
    int size;      /* side in pixels, 16 .. 1024 */
    uint64_t seed;
    int threads; /* 0: one for each processor */
    /* NULL, or called after every picture, by one thread at a time. */
    void (*progress)(void *context, int64_t done, int64_t total);
    void *context;
};

/* 10 classes, 2000 + 500 pictures of 64 x 64, seed 0, every processor. */
struct make_pictures_options make_pictures_options_default(void);

/* Renders OUT/train/<solid>/<number>.jpeg and OUT/val/<solid>/<number>.jpeg.
 *
 * Picture n of a part shows solid n mod classes, so classes are as even as the total allows.  The files are a
 * pure function of the options other than threads; the same call may be repeated, also after it was
 * interrupted: it writes the same files again, each whole or not at all.  OUT is created where missing; its
 * file made-by-ttt.txt says with which options it was made.
 *
 * TTT_ARGUMENT  an option out of range; OUT holds other things, or pictures made with other options
 * TTT_IO        a folder or file that cannot be written; a full disk, with what is needed and free
 */
ttt_status make_pictures(const char *out, const struct make_pictures_options *options)
    __attribute__((warn_unused_result));

#endif
