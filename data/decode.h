/* A picture file becomes pixels: its type comes from its first bytes, never from its name. */
#ifndef DATA_DECODE_H
#define DATA_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/image.h"
#include "ttt/base/status.h"

/* What a decoder may spend and how it works. */
struct decode_options {
    int64_t max_pixels; /* width * height of the whole picture; checked before anything is allocated */
    size_t max_bytes;   /* of the file */
    int max_scans;      /* of a progressive JPEG */
    bool keep_alpha;    /* a PNG with transparency becomes RGBA; everything else is RGB */
    bool decode_whole;  /* a crop is cut from the whole decoded picture: the same pixels, only slower */
};

/* 178,956,970 pixels (where Pillow refuses a picture), 256 MiB, 100 scans, RGB, crops decoded alone. */
struct decode_options decode_options_default(void);

/* The width and height that the header states.  The errors of image_decode. */
ttt_status image_size(const uint8_t *bytes, size_t size, const struct decode_options *options, int *width,
                      int *height) __attribute__((warn_unused_result));

/* Decodes the bytes of a JPEG or PNG file; see jpeg.h and png.h for how each becomes RGB.
 *
 * crop      the part to decode, or NULL for all; the pixels equal those of the whole picture, cut
 * out       RGB, or RGBA as options->keep_alpha says; owned by the caller; empty on failure
 * warnings  how many faults the decoder met and got over is added to it; may be NULL
 *
 * Whatever is wrong with the file (no picture, another format, truncated, broken, over a limit) is
 * TTT_FORMAT, with one line that does not name the file.  A crop outside the picture is TTT_ARGUMENT;
 * TTT_MEMORY when memory runs out. */
ttt_status image_decode(const uint8_t *bytes, size_t size, const struct rect *crop,
                        const struct decode_options *options, struct image *out, int *warnings)
    __attribute__((warn_unused_result));

/* Reads a whole file; the caller frees *bytes.  TTT_IO when it cannot be read, TTT_FORMAT when it is empty or
 * has more than max_bytes; the line names the path. */
ttt_status file_read(const char *path, size_t max_bytes, uint8_t **bytes, size_t *size)
    __attribute__((warn_unused_result));

/* file_read and image_decode; every error names the path. */
ttt_status image_decode_file(const char *path, const struct decode_options *options, struct image *out,
                             int *warnings) __attribute__((warn_unused_result));

#endif
