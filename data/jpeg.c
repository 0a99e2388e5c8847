/* JPEG decoding, whole or a part, over libjpeg-turbo. */
#include "data/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* Fancy upsampling reads one chroma sample beyond a pixel, so two pixels, and treats the outermost columns of
 * what is decoded differently; four pixels of margin, rounded up to whole MCUs, are beyond its reach. */
enum { MARGIN = 4 };

struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const char *text; /* the error, when it is ours */
    char library_text[JMSG_LENGTH_MAX];
    int max_scans;
    bool rows_done; /* all pixels are there: the data may end */
    struct rect part;
    bool unsure; /* the part alone cannot tell: decode everything */
    struct image out;
};

static struct decoder *decoder_of(void *jpeg)
{
    return ((j_common_ptr)jpeg)->client_data;
}

static _Noreturn void on_error(j_common_ptr jpeg)
{
    struct decoder *d = decoder_of(jpeg);
    d->errors.format_message(jpeg, d->library_text);
    d->text = d->library_text;
    longjmp(d->escape, 1);
}

static _Noreturn void give_up(struct decoder *d, const char *text)
{
    d->errors.msg_code = 0;
    d->text = text;
    longjmp(d->escape, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0)
        jpeg->err->num_warnings++;
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg)
{
    struct decoder *d = decoder_of(jpeg);
    if (d->jpeg.input_scan_number > d->max_scans)
        give_up(d, "more scans than the limit allows");
}

static void on_source_start(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

static boolean on_source_empty(j_decompress_ptr jpeg)
{
    struct decoder *d = decoder_of(jpeg);
    if (!d->rows_done)
        give_up(d, "truncated: the data end before the picture does");
    return FALSE;
}

static void on_source_skip(j_decompress_ptr jpeg, long count)
{
    struct jpeg_source_mgr *source = jpeg->src;
    if (count <= 0)
        return;
    size_t skipped = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
    source->next_input_byte += skipped;
    source->bytes_in_buffer -= skipped;
}

/* Runs one step; false when the library or the step gave up. */
static bool run(struct decoder *d, void (*step)(struct decoder *))
{
    if (setjmp(d->escape))
        return false;
    step(d);
    return true;
}

static void read_header(struct decoder *d)
{
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.progress = &d->progress;
    d->jpeg.src = &d->source;
    jpeg_read_header(&d->jpeg, TRUE);
}

/* Sets d up and reads the header.  jpeg_destroy_decompress is due whatever comes of it. */
static bool open_jpeg(struct decoder *d, const uint8_t *bytes, size_t size,
                      const struct decode_options *options)
{
    *d = (struct decoder){.max_scans = options->max_scans};
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->jpeg.client_data = d;
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    d->errors.output_message = on_output;
    d->progress.progress_monitor = on_progress;
    d->source = (struct jpeg_source_mgr){.next_input_byte = bytes,
                                         .bytes_in_buffer = size,
                                         .init_source = on_source_start,
                                         .fill_input_buffer = on_source_empty,
                                         .skip_input_data = on_source_skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = on_source_start};
    return run(d, read_header);
}

/* Why a step failed. */
static ttt_status jpeg_failure(const struct decoder *d)
{
    if (d->errors.msg_code == JERR_OUT_OF_MEMORY)
        return ttt_fail(TTT_MEMORY, "no memory to decode a JPEG picture of %ux%u pixels", d->jpeg.image_width,
                        d->jpeg.image_height);
    return ttt_fail(TTT_FORMAT, "broken JPEG file: %s", d->text);
}

static ttt_status check_header(const struct decoder *d, const struct decode_options *options)
{
    int64_t width = d->jpeg.image_width, height = d->jpeg.image_height;
    if (width * height > options->max_pixels)
        return ttt_fail(TTT_FORMAT, "JPEG picture of %dx%d pixels is over the limit of %lld pixels",
                        (int)width, (int)height, (long long)options->max_pixels);
    int components = d->jpeg.num_components;
    if (components != 1 && components != 3 && components != 4)
        return ttt_fail(TTT_FORMAT, "JPEG picture has %d components, only 1, 3 or 4 have a known meaning",
                        components);
    return TTT_OK;
}

ttt_status jpeg_size(const uint8_t *bytes, size_t size, const struct decode_options *options, int *width,
                     int *height)
{
    struct decoder d;
    ttt_status status;
    if (open_jpeg(&d, bytes, size, options))
        status = check_header(&d, options);
    else
        status = jpeg_failure(&d);
    *width = (int)d.jpeg.image_width;
    *height = (int)d.jpeg.image_height;
    jpeg_destroy_decompress(&d.jpeg);
    return status;
}

static void start(struct decoder *d)
{
    static const J_COLOR_SPACE spaces[] = {[1] = JCS_GRAYSCALE, [3] = JCS_RGB, [4] = JCS_CMYK};
    d->jpeg.out_color_space = spaces[d->jpeg.num_components];
    d->jpeg.dct_method = JDCT_ISLOW;
    d->jpeg.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&d->jpeg);
}

/* x * y / 255, rounded. */
static uint8_t scale_255(unsigned x, unsigned y)
{
    unsigned product = x * y + 128;
    return (uint8_t)((product + (product >> 8)) >> 8);
}

/* One row of the library's samples becomes RGB.  Four components hold inverted CMYK, so Pillow inverts them,
 * and takes nk - round(c * nk / 255) with nk = 255 - k and c as inverted. */
static void row_to_rgb(const uint8_t *from, int components, int width, uint8_t *to)
{
    if (components == 3) {
        memcpy(to, from, 3 * (size_t)width);
    } else if (components == 1) {
        for (int x = 0; x < width; x++)
            memset(to + 3 * x, from[x], 3);
    } else {
        for (int x = 0; x < width; x++, from += 4, to += 3)
            for (int c = 0; c < 3; c++)
                to[c] = (uint8_t)(from[3] - scale_255(255u - from[c], from[3]));
    }
}

/* Reads the rows of d->part, of which column 0 of the library's rows is the picture's column `left`. */
static void read_rows(struct decoder *d, int left)
{
    int components = d->jpeg.num_components;
    bool direct = components == 3 && left == d->part.x && (int)d->jpeg.output_width == d->part.width;
    size_t row_bytes = (size_t)d->jpeg.output_width * (size_t)components;
    /* Off the alignment at which libjpeg-turbo writes past the cache: the row is read again at once. */
    uint8_t *buffer =
        (uint8_t *)d->jpeg.mem->alloc_large((j_common_ptr)&d->jpeg, JPOOL_IMAGE, row_bytes + 1) + 1;
    while ((int)d->jpeg.output_scanline < d->part.y + d->part.height) {
        int y = (int)d->jpeg.output_scanline - d->part.y;
        uint8_t *to = y >= 0 ? image_at(&d->out, 0, y) : NULL;
        uint8_t *row = direct && to ? to : buffer;
        if (jpeg_read_scanlines(&d->jpeg, &row, 1) != 1)
            give_up(d, "the decoder stopped before the last row");
        if (to && row != to)
            row_to_rgb(buffer + (size_t)(d->part.x - left) * (size_t)components, components, d->part.width,
                       to);
    }
}

static void decode_whole(struct decoder *d)
{
    start(d);
    read_rows(d, 0);
    d->rows_done = true;
    jpeg_finish_decompress(&d->jpeg);
}

/* Whether a progressive picture lacks coefficient bits, which the library then smooths over from neighbours
 * that a part does not hold. */
static bool is_incomplete(const struct jpeg_decompress_struct *jpeg)
{
    if (!jpeg->progressive_mode || !jpeg->coef_bits)
        return false;
    for (int c = 0; c < jpeg->num_components; c++)
        for (int i = 0; i < DCTSIZE2; i++)
            if (jpeg->coef_bits[c][i] != 0)
                return true;
    return false;
}

static bool is_restart(int marker)
{
    return marker >= JPEG_RST0 && marker <= JPEG_RST0 + 7;
}

/* Whether the rest of the only scan ends in an EOI marker with nothing else but restarts before it: then
 * decoding it could warn, but not fail.  The decoder may have run into a marker ahead of the pixels. */
static bool ends_well(const struct jpeg_decompress_struct *jpeg)
{
    const uint8_t *at = jpeg->src->next_input_byte, *end = at + jpeg->src->bytes_in_buffer;
    int marker = jpeg->unread_marker;
    while (marker == 0 || is_restart(marker)) {
        at = memchr(at, 0xff, (size_t)(end - at));
        while (at && at < end && *at == 0xff)
            at++;
        if (!at || at == end)
            return false;
        marker = *at++;
    }
    return marker == JPEG_EOI;
}

static void decode_part(struct decoder *d)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    start(d);
    d->unsure = is_incomplete(jpeg);
    if (d->unsure)
        return;
    int mcu_width = jpeg->max_h_samp_factor * DCTSIZE, mcu_height = jpeg->max_v_samp_factor * DCTSIZE;
    int left = d->part.x > MARGIN ? (d->part.x - MARGIN) / mcu_width * mcu_width : 0;
    int right = d->part.x + d->part.width + MARGIN;
    right = (right + mcu_width - 1) / mcu_width * mcu_width;
    right = right < (int)jpeg->output_width ? right : (int)jpeg->output_width;
    JDIMENSION x = (JDIMENSION)left, width = (JDIMENSION)(right - left);
    jpeg_crop_scanline(jpeg, &x, &width);
    int top = d->part.y > MARGIN ? (d->part.y - MARGIN) / mcu_height * mcu_height : 0;
    if (top > 0)
        jpeg_skip_scanlines(jpeg, (JDIMENSION)top);
    read_rows(d, (int)x);
    d->unsure =
        !jpeg_has_multiple_scans(jpeg) && jpeg->output_scanline < jpeg->output_height && !ends_well(jpeg);
}

/* One attempt: everything, or the part alone, into d->out of d->part's size. */
static ttt_status attempt(struct decoder *d, const uint8_t *bytes, size_t size, const struct rect *part,
                          bool whole, const struct decode_options *options)
{
    ttt_status status = TTT_OK;
    if (!open_jpeg(d, bytes, size, options)) {
        status = jpeg_failure(d);
        goto cleanup;
    }
    TRY_TO(check_header(d, options), cleanup);
    int width = (int)d->jpeg.image_width, height = (int)d->jpeg.image_height;
    d->part = part && !whole ? *part : (struct rect){0, 0, width, height};
    if (part && !rect_within(part, width, height)) {
        status =
            ttt_fail(TTT_ARGUMENT, "the crop of %dx%d pixels at (%d, %d) is not within the %dx%d picture",
                     part->width, part->height, part->x, part->y, width, height);
        goto cleanup;
    }
    TRY_TO(image_new(d->part.width, d->part.height, 3, &d->out), cleanup);
    if (!run(d, part && !whole ? decode_part : decode_whole))
        status = jpeg_failure(d);
cleanup:
    jpeg_destroy_decompress(&d->jpeg);
    if (status)
        image_free(&d->out);
    return status;
}

ttt_status jpeg_decode(const uint8_t *bytes, size_t size, const struct rect *crop,
                       const struct decode_options *options, struct image *out, int *warnings)
{
    struct decoder d;
    bool whole = !crop || options->decode_whole;
    *out = (struct image){0};
    TRY(attempt(&d, bytes, size, crop, whole, options));
    if (d.unsure) {
        image_free(&d.out);
        whole = true;
        TRY(attempt(&d, bytes, size, crop, whole, options));
    }
    if (warnings)
        *warnings += (int)d.errors.num_warnings;
    if (!crop || !whole) {
        *out = d.out;
        return TTT_OK;
    }
    ttt_status status = image_crop(&d.out, crop, out);
    image_free(&d.out);
    return status;
}
