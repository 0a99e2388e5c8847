/* Pictures in host memory: 8-bit samples, rows from top to bottom. */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

/* (height, width, channels) samples, without gaps between rows; 3 channels are RGB, 4 are RGBA with
 * straight (not premultiplied) alpha.  All zero is the empty picture, which image_free accepts. */
struct image {
    int width, height, channels;
    uint8_t *pixels; /* owned */
};

/* Columns x .. x + width - 1, rows y .. y + height - 1. */
struct rect {
    int x, y, width, height;
};

/* A picture of undefined content, or TTT_MEMORY; width, height > 0 and 1 <= channels <= 4 are the caller's
 * duty.  On failure *out is the empty picture.  The caller owns *out and frees it. */
ttt_status image_new(int width, int height, int channels, struct image *out)
    __attribute__((warn_unused_result));

/* Frees the samples and makes *image the empty picture. */
void image_free(struct image *image);

/* Bytes of all samples. */
size_t image_bytes(const struct image *image);

/* The first sample of pixel (x, y). */
uint8_t *image_at(const struct image *image, int x, int y);

/* Whether part lies within a picture of this size and is not empty. */
bool rect_within(const struct rect *part, int width, int height);

/* A copy of part, which must lie within the picture.  Fails with TTT_MEMORY. */
ttt_status image_crop(const struct image *image, const struct rect *part, struct image *out)
    __attribute__((warn_unused_result));

/* Mirrors the picture in place: left becomes right. */
void image_flip(struct image *image);

/* RGBA blended over white gives RGB, rounded as Pillow's paste with a mask; RGB is copied.
 * Fails with TTT_MEMORY. */
ttt_status image_over_white(const struct image *image, struct image *out) __attribute__((warn_unused_result));

#endif
