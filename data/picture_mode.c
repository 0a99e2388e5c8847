/* The kind of a picture, from its header. */
#include "data/picture_mode.h"

#include <string.h>

/* A start-of-frame marker, SOF0 .. SOF15, without the three codes of that range that mean something else. */
static int is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* Walks the segments up to the frame header, whose tenth byte counts the components (ITU-T T.81, B.2.2). */
static enum picture_mode jpeg_mode(const uint8_t *bytes, size_t size)
{
    size_t at = 2;
    while (at + 10 <= size && bytes[at] == 0xFF) {
        uint8_t marker = bytes[at + 1];
        if (marker == 0xFF) {
            at++;
            continue;
        }
        if (is_frame(marker)) {
            uint8_t components = bytes[at + 9];
            return components == 1   ? PICTURE_JPEG_GREY
                   : components == 3 ? PICTURE_JPEG_RGB
                   : components == 4 ? PICTURE_JPEG_CMYK
                                     : PICTURE_UNKNOWN;
        }
        at += 2 + (size_t)bytes[at + 2] * 256 + bytes[at + 3];
    }
    return PICTURE_UNKNOWN;
}

enum picture_mode picture_mode(const uint8_t *bytes, size_t size)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    if (size >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF)
        return jpeg_mode(bytes, size);
    if (size < 26 || memcmp(bytes, png, sizeof(png)) != 0)
        return PICTURE_UNKNOWN;
    switch (bytes[25]) { /* colour type, in the first chunk */
    case 0:
        return PICTURE_PNG_GREY;
    case 2:
        return PICTURE_PNG_RGB;
    case 3:
        return PICTURE_PNG_PALETTE;
    case 4:
        return PICTURE_PNG_GREY_ALPHA;
    case 6:
        return PICTURE_PNG_RGBA;
    default:
        return PICTURE_UNKNOWN;
    }
}

const char *picture_mode_name(enum picture_mode mode)
{
    static const char *const names[PICTURE_MODE_COUNT] = {"unknown",     "JPEG grey",      "JPEG RGB",
                                                          "JPEG CMYK",   "PNG grey",       "PNG RGB",
                                                          "PNG palette", "PNG grey+alpha", "PNG RGBA"};
    return names[mode];
}
