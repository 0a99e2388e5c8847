/* Resizing that equals Pillow's Image.resize to the last bit: bilinear, bicubic (a = -0.5) and Lanczos (3).
 *
 * Pillow's method for 8-bit samples: the filter is stretched by the scale when shrinking; each output's
 * weights are normalised in double precision and rounded to 22-bit fixed point; sums are taken in 32-bit
 * integers from one half, shifted and clipped to 0..255; all columns first, then all rows.
 * An axis whose size does not change is left as it is.
 */
#ifndef DATA_RESAMPLE_H
#define DATA_RESAMPLE_H

#include "data/image.h"
#include "ttt/base/status.h"

enum resample_filter { RESAMPLE_BILINEAR, RESAMPLE_BICUBIC, RESAMPLE_LANCZOS };

/* Reads "bilinear", "bicubic" or "lanczos"; another name is TTT_ARGUMENT. */
ttt_status resample_filter_parse(const char *name, enum resample_filter *filter)
    __attribute__((warn_unused_result));

/* Which inputs make which outputs along one axis, and with what weights. */
struct resample_axis {
    int in_size, out_size; /* of the whole picture */
    int first, count;      /* the outputs that are computed */
    int in_first, in_end;  /* the inputs that these need: in_first .. in_end - 1 */
    int taps;              /* row length of weights */
    int *start;            /* (count) the first input of each output */
    int *length;           /* (count) its number of inputs, at most taps */
    int32_t *weights;      /* (count, taps) in units of 2^-22, zero after length */
};

/* Plans outputs first .. first + count - 1 of an axis of in_size samples that becomes out_size.
 * All sizes > 0 and the window within the output are the caller's duty.  Fails with TTT_MEMORY.  The caller
 * frees *axis; on failure it is empty. */
ttt_status resample_axis_new(enum resample_filter filter, int in_size, int out_size, int first, int count,
                             struct resample_axis *axis) __attribute__((warn_unused_result));

/* Frees the tables; an axis of all zeros is allowed. */
void resample_axis_free(struct resample_axis *axis);

/* Resamples a window of a resized picture from the part of the source that it needs.
 *
 * part   pixels of the whole source picture, from its column left and row top on; it must hold at least
 *        what the axes need: columns x->in_first .. x->in_end - 1, rows y->in_first .. y->in_end - 1
 * x, y   the two axes
 * out    (y->count, x->count, channels of part); owned by the caller; empty on failure
 *
 * RGBA is premultiplied before and divided by alpha afterwards, as Pillow does.  Fails with TTT_MEMORY. */
ttt_status image_resample(const struct image *part, int left, int top, const struct resample_axis *x,
                          const struct resample_axis *y, struct image *out)
    __attribute__((warn_unused_result));

/* The whole picture resized.  TTT_ARGUMENT when a size is not positive; TTT_MEMORY. */
ttt_status image_resize(const struct image *image, int width, int height, enum resample_filter filter,
                        struct image *out) __attribute__((warn_unused_result));

#endif
