/* JPEG files, decoded with libjpeg-turbo: slow integer DCT, fancy upsampling, as Pillow's convert("RGB").
 *
 * One component is grey and is replicated; three become RGB; four are taken for inverted (Adobe) CMYK or
 * YCCK, whatever the markers say, and become RGB as Pillow computes it.  EXIF orientation and ICC
 * profiles are ignored.  Precision other than 8 bits and other numbers of components are refused.
 *
 * A file whose data ends before its picture does is an error.  A file with damage that the library gets
 * over (it fills in grey or repeats) is decoded and the faults are counted.
 */
#ifndef DATA_JPEG_H
#define DATA_JPEG_H

#include "data/decode.h"

/* Reads the header alone.  TTT_FORMAT as image_decode. */
ttt_status jpeg_size(const uint8_t *bytes, size_t size, const struct decode_options *options, int *width,
                     int *height) __attribute__((warn_unused_result));

/* image_decode for JPEG bytes; out has 3 channels.
 *
 * A crop is decoded with one MCU of margin on each side, rows above it are only entropy-decoded and rows
 * below it are not touched, so it costs less than the whole picture and its pixels are the same.  A file
 * that is truncated or broken below the crop is refused all the same. */
ttt_status jpeg_decode(const uint8_t *bytes, size_t size, const struct rect *crop,
                       const struct decode_options *options, struct image *out, int *warnings)
    __attribute__((warn_unused_result));

#endif
