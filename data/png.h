/* PNG files, decoded with stb_image: every colour type, bit depth and interlacing becomes 8-bit RGB(A).
 *
 * Grey is replicated; alpha is dropped, or kept (decode_options.keep_alpha) when the file has an alpha
 * channel or a tRNS chunk; of 16-bit samples the upper byte is taken.  For 16-bit grey this differs from
 * Pillow, whose convert("RGB") clips such samples at 255 and leaves an almost white picture.
 * Gamma, colour profiles and background are ignored.
 *
 * stb_image checks little, so it never sees the file itself: the chunks are walked here first, lengths,
 * order, checksums and the palette are checked, and what a decoder needs is copied for it.  As in Pillow a
 * wrong checksum is an error, except in IDAT, where it counts as a warning.
 */
#ifndef DATA_PNG_H
#define DATA_PNG_H

#include "data/decode.h"

/* Reads the header alone.  TTT_FORMAT as image_decode. */
ttt_status png_size(const uint8_t *bytes, size_t size, const struct decode_options *options, int *width,
                    int *height) __attribute__((warn_unused_result));

/* image_decode for PNG bytes; out has 3 or 4 channels.  The whole picture is always decoded. */
ttt_status png_decode(const uint8_t *bytes, size_t size, const struct rect *crop,
                      const struct decode_options *options, struct image *out, int *warnings)
    __attribute__((warn_unused_result));

#endif
