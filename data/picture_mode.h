/* What kind of picture a file says it is, for reports: the decoder judges for itself. */
#ifndef DATA_PICTURE_MODE_H
#define DATA_PICTURE_MODE_H

#include <stddef.h>
#include <stdint.h>

enum picture_mode {
    PICTURE_UNKNOWN,
    PICTURE_JPEG_GREY,
    PICTURE_JPEG_RGB,
    PICTURE_JPEG_CMYK,
    PICTURE_PNG_GREY,
    PICTURE_PNG_RGB,
    PICTURE_PNG_PALETTE,
    PICTURE_PNG_GREY_ALPHA,
    PICTURE_PNG_RGBA,
    PICTURE_MODE_COUNT,
};

/* From the first bytes, and for JPEG the frame header; PICTURE_UNKNOWN where there is none. */
enum picture_mode picture_mode(const uint8_t *bytes, size_t size);

/* "JPEG grey", "PNG palette", ... */
const char *picture_mode_name(enum picture_mode mode);

#endif
