/* A sheet of pictures: rows with a label each, drawn on white. */
#ifndef EVAL_SHEET_H
#define EVAL_SHEET_H

#include "data/image.h"

struct sheet_row {
    const char *label;     /* letters, digits, spaces; NULL: none */
    const float *pictures; /* (count, 3, height, width) in [0, 1] */
    int count;
};

/* Draws rows of pictures of height x width, `across` at most side by side; longer rows go on below.  Small
 * pictures are enlarged by a whole factor, every pixel to a square, until their shorter side has 96 pixels.
 * The caller frees *out.  TTT_ARGUMENT when the sheet would have a side over 30,000 pixels; TTT_MEMORY. */
ttt_status sheet_draw(const struct sheet_row *rows, int count, int height, int width, int across,
                      struct image *out) __attribute__((warn_unused_result));

/* (3, height, width) floats in [0, 1] become (height, width, 3) bytes, rounded. */
void picture_to_bytes(const float *picture, int height, int width, uint8_t *bytes);

#endif
