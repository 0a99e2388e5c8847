/* Pictures written to files: JPEG with libjpeg-turbo, PNG with stb_image_write. */
#ifndef DATA_IMAGE_WRITE_H
#define DATA_IMAGE_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "data/image.h"
#include "ttt/base/status.h"

enum jpeg_sampling { JPEG_SAMPLING_444, JPEG_SAMPLING_420 };

/* Encodes an RGB picture as baseline JPEG, quality 1..100, the caller frees *bytes.
 * TTT_ARGUMENT for another quality, TTT_SHAPE for channels other than 3 or a side over 65500; TTT_MEMORY. */
ttt_status jpeg_encode(const struct image *image, int quality, enum jpeg_sampling sampling, uint8_t **bytes,
                       size_t *size) __attribute__((warn_unused_result));

/* Encodes a picture of 1 to 4 channels as 8-bit PNG; the caller frees *bytes.  TTT_MEMORY. */
ttt_status png_encode(const struct image *image, uint8_t **bytes, size_t *size)
    __attribute__((warn_unused_result));

/* Writes bytes to a file, replacing it.  When something fails (no space left, a folder not writable), the
 * partial file is removed and a TTT_IO error names the path, the reason and, for a full disk, the bytes
 * needed. */
ttt_status file_write(const char *path, const uint8_t *bytes, size_t size)
    __attribute__((warn_unused_result));

/* Encodes and writes: the errors of both, naming the path. */
ttt_status image_write_jpeg(const char *path, const struct image *image, int quality,
                            enum jpeg_sampling sampling) __attribute__((warn_unused_result));
ttt_status image_write_png(const char *path, const struct image *image) __attribute__((warn_unused_result));

#endif
