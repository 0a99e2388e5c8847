/* PNG decoding: the walk over the chunks, and stb_image for what is in them. */
#include "data/png.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <stb_image.h>

enum { SIGNATURE_BYTES = 8, CHUNK_OVERHEAD = 12, HEADER_BYTES = 13, PALETTE_BYTES = 3 * 256 };

/* stb_image allocates at most this at once (stb.c); eight bytes are a pixel of 16-bit RGBA. */
static const int64_t LARGEST_PICTURE = (1 << 30) / 8;
static const size_t LARGEST_DATA = 1 << 29;

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6 };

struct chunk {
    const uint8_t *type; /* 4 letters */
    const uint8_t *data;
    uint32_t length;
    bool sound; /* the checksum is right */
};

/* What a decoder needs of a file, pointing into its bytes. */
struct png {
    int width, height, colour;
    struct chunk header, palette, transparency;
    const uint8_t *first_data; /* the first IDAT chunk, from its length on */
    size_t data_chunks, data_bytes;
    int warnings;
};

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint8_t *put_big_endian(uint8_t *at, uint32_t x)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(x >> shift);
    return at;
}

/* The CRC of ISO 3309 that PNG uses, four bits at a time. */
static uint32_t checksum(const uint8_t *at, size_t size)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc = table[(crc ^ at[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ at[i] >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

static bool is_type(const struct chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* The chunk at bytes + *at; *at moves behind it. */
static ttt_status next_chunk(const uint8_t *bytes, size_t size, size_t *at, struct chunk *chunk)
{
    if (size - *at < CHUNK_OVERHEAD)
        return ttt_fail(TTT_FORMAT, "truncated PNG file: it ends between two chunks");
    const uint8_t *start = bytes + *at;
    *chunk = (struct chunk){.type = start + 4, .data = start + 8, .length = big_endian(start)};
    for (int i = 0; i < 4; i++)
        if (!((start[4 + i] | 32) >= 'a' && (start[4 + i] | 32) <= 'z'))
            return ttt_fail(TTT_FORMAT, "broken PNG file: no chunk where one should begin, at byte %zu", *at);
    if (chunk->length > size - *at - CHUNK_OVERHEAD)
        return ttt_fail(TTT_FORMAT, "truncated PNG file: its %.4s chunk wants %u bytes, %zu are left",
                        (const char *)chunk->type, chunk->length, size - *at - CHUNK_OVERHEAD);
    chunk->sound =
        checksum(chunk->type, 4 + (size_t)chunk->length) == big_endian(chunk->data + chunk->length);
    *at += CHUNK_OVERHEAD + (size_t)chunk->length;
    return TTT_OK;
}

static ttt_status require_sound(const struct chunk *chunk)
{
    if (!chunk->sound)
        return ttt_fail(TTT_FORMAT, "broken PNG file: the checksum of its %.4s chunk is wrong",
                        (const char *)chunk->type);
    return TTT_OK;
}

static bool depth_allowed(int colour, int depth)
{
    switch (colour) {
    case GREY:
        return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case PALETTE:
        return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case RGB:
    case GREY_ALPHA:
    case RGB_ALPHA:
        return depth == 8 || depth == 16;
    default:
        return false;
    }
}

/* The signature and the IHDR chunk; *at moves behind them. */
static ttt_status read_header(const uint8_t *bytes, size_t size, const struct decode_options *options,
                              size_t *at, struct png *png)
{
    *at = SIGNATURE_BYTES;
    if (size < SIGNATURE_BYTES || memcmp(bytes, "\x89PNG\r\n\x1a\n", SIGNATURE_BYTES) != 0)
        return ttt_fail(TTT_FORMAT, "broken PNG file: its signature is damaged");
    struct chunk *header = &png->header;
    TRY(next_chunk(bytes, size, at, header));
    if (!is_type(header, "IHDR") || header->length != HEADER_BYTES)
        return ttt_fail(TTT_FORMAT, "broken PNG file: it does not begin with an IHDR chunk of 13 bytes");
    TRY(require_sound(header));
    uint32_t width = big_endian(header->data), height = big_endian(header->data + 4);
    if (width == 0 || height == 0 || width > INT_MAX || height > INT_MAX)
        return ttt_fail(TTT_FORMAT, "broken PNG file: a size of %ux%u pixels", width, height);
    int64_t limit = options->max_pixels < LARGEST_PICTURE ? options->max_pixels : LARGEST_PICTURE;
    if (width > limit / height)
        return ttt_fail(TTT_FORMAT, "PNG picture of %ux%u pixels is over the limit of %lld pixels", width,
                        height, (long long)limit);
    int depth = header->data[8];
    png->colour = header->data[9];
    if (!depth_allowed(png->colour, depth))
        return ttt_fail(TTT_FORMAT, "broken PNG file: colour type %d with %d bits", png->colour, depth);
    if (header->data[10] != 0 || header->data[11] != 0 || header->data[12] > 1)
        return ttt_fail(TTT_FORMAT, "broken PNG file: unknown compression, filter or interlace method");
    png->width = (int)width;
    png->height = (int)height;
    return TTT_OK;
}

static ttt_status read_palette(const struct chunk *chunk, struct png *png)
{
    TRY(require_sound(chunk));
    if (png->palette.data || chunk->length % 3 != 0 || chunk->length == 0 || chunk->length > PALETTE_BYTES)
        return ttt_fail(TTT_FORMAT, "broken PNG file: more than one palette, or one of %u bytes",
                        chunk->length);
    png->palette = *chunk;
    return TTT_OK;
}

static ttt_status read_transparency(const struct chunk *chunk, struct png *png)
{
    TRY(require_sound(chunk));
    bool fits = png->colour == PALETTE ? png->palette.data && chunk->length <= png->palette.length / 3
                                       : chunk->length == (png->colour == RGB ? 6 : 2);
    bool has_alpha_channel = png->colour == GREY_ALPHA || png->colour == RGB_ALPHA;
    if (png->transparency.data || !(fits || has_alpha_channel))
        return ttt_fail(TTT_FORMAT, "broken PNG file: more than one tRNS chunk, or one that does not fit");
    if (!has_alpha_channel)
        png->transparency = *chunk;
    return TTT_OK;
}

/* The run of IDAT chunks that begins with `chunk`, ending at *at. */
static ttt_status read_data(const uint8_t *bytes, size_t size, struct chunk chunk, size_t *at,
                            struct png *png)
{
    png->first_data = chunk.type - 4;
    while (is_type(&chunk, "IDAT")) {
        png->data_chunks++;
        png->data_bytes += chunk.length;
        png->warnings += !chunk.sound;
        if (*at == size) { /* nothing follows, not even IEND */
            png->warnings++;
            return TTT_OK;
        }
        TRY(next_chunk(bytes, size, at, &chunk));
    }
    return TTT_OK;
}

/* Walks the chunks up to the end of the picture's data. */
static ttt_status walk(const uint8_t *bytes, size_t size, const struct decode_options *options,
                       struct png *png)
{
    size_t at;
    TRY(read_header(bytes, size, options, &at, png));
    while (!png->first_data) {
        struct chunk chunk;
        TRY(next_chunk(bytes, size, &at, &chunk));
        if (is_type(&chunk, "PLTE"))
            TRY(read_palette(&chunk, png));
        else if (is_type(&chunk, "tRNS"))
            TRY(read_transparency(&chunk, png));
        else if (is_type(&chunk, "IDAT"))
            TRY(read_data(bytes, size, chunk, &at, png));
        else if (is_type(&chunk, "IEND"))
            return ttt_fail(TTT_FORMAT, "broken PNG file: no picture data");
        else if (!(chunk.type[0] & 32))
            return ttt_fail(TTT_FORMAT, "PNG file with a chunk that is required and not known: %.4s",
                            (const char *)chunk.type);
    }
    if (png->colour == PALETTE && !png->palette.data)
        return ttt_fail(TTT_FORMAT, "broken PNG file: no palette");
    if (png->data_bytes > LARGEST_DATA)
        return ttt_fail(TTT_FORMAT, "PNG file with %zu bytes of picture data, over the limit of %zu",
                        png->data_bytes, LARGEST_DATA);
    return TTT_OK;
}

/* Writes a chunk's head, of which data of `length` bytes are then to be put behind. */
static uint8_t *put_head(uint8_t *to, const char *type, size_t length)
{
    to = put_big_endian(to, (uint32_t)length);
    memcpy(to, type, 4);
    return to + 4;
}

static uint8_t *put_chunk(uint8_t *to, const char *type, const uint8_t *data, size_t length)
{
    to = put_head(to, type, length);
    if (length > 0)
        memcpy(to, data, length);
    return put_big_endian(to + length, 0); /* stb_image reads no checksum */
}

/* A file of what stb_image needs and nothing else: one IDAT chunk, and a palette of 256 colours, black after
 * those of the file, since stb_image does not check the indices. */
static ttt_status rebuild(const struct png *png, bool keep_alpha, uint8_t **out, size_t *out_size)
{
    size_t capacity = SIGNATURE_BYTES + 5 * CHUNK_OVERHEAD + HEADER_BYTES + PALETTE_BYTES +
                      png->transparency.length + png->data_bytes;
    uint8_t *file = malloc(capacity);
    if (!file)
        return ttt_fail(TTT_MEMORY, "no memory to decode a PNG picture of %dx%d pixels", png->width,
                        png->height);
    uint8_t *to = file + SIGNATURE_BYTES;
    memcpy(file, "\x89PNG\r\n\x1a\n", SIGNATURE_BYTES);
    to = put_chunk(to, "IHDR", png->header.data, HEADER_BYTES);
    if (png->colour == PALETTE) {
        uint8_t palette[PALETTE_BYTES] = {0};
        memcpy(palette, png->palette.data, png->palette.length);
        to = put_chunk(to, "PLTE", palette, PALETTE_BYTES);
    }
    if (png->transparency.data && keep_alpha)
        to = put_chunk(to, "tRNS", png->transparency.data, png->transparency.length);
    to = put_head(to, "IDAT", png->data_bytes);
    const uint8_t *from = png->first_data;
    for (size_t i = 0; i < png->data_chunks; i++) {
        size_t length = big_endian(from);
        memcpy(to, from + 8, length);
        to += length;
        from += CHUNK_OVERHEAD + length;
    }
    to = put_big_endian(to, 0);
    to = put_chunk(to, "IEND", NULL, 0);
    *out = file;
    *out_size = (size_t)(to - file);
    return TTT_OK;
}

/* stb_image does not check its last allocation of an interlaced picture, so room is tried for first. */
static ttt_status check_room(const struct png *png)
{
    void *room = malloc(2 * 8 * (size_t)png->width * (size_t)png->height);
    if (!room)
        return ttt_fail(TTT_MEMORY, "no memory to decode a PNG picture of %dx%d pixels", png->width,
                        png->height);
    free(room);
    return TTT_OK;
}

ttt_status png_size(const uint8_t *bytes, size_t size, const struct decode_options *options, int *width,
                    int *height)
{
    struct png png = {0};
    size_t at;
    ttt_status status = read_header(bytes, size, options, &at, &png);
    *width = png.width;
    *height = png.height;
    return status;
}

ttt_status png_decode(const uint8_t *bytes, size_t size, const struct rect *crop,
                      const struct decode_options *options, struct image *out, int *warnings)
{
    struct png png = {0};
    *out = (struct image){0};
    TRY(walk(bytes, size, options, &png));
    if (crop && !rect_within(crop, png.width, png.height))
        return ttt_fail(TTT_ARGUMENT, "the crop of %dx%d pixels at (%d, %d) is not within the %dx%d picture",
                        crop->width, crop->height, crop->x, crop->y, png.width, png.height);
    TRY(check_room(&png));
    bool alpha =
        options->keep_alpha && (png.transparency.data || png.colour == GREY_ALPHA || png.colour == RGB_ALPHA);
    uint8_t *file = NULL;
    size_t file_size = 0;
    TRY(rebuild(&png, alpha, &file, &file_size));
    int width, height, components, channels = alpha ? 4 : 3;
    uint8_t *pixels = stbi_load_from_memory(file, (int)file_size, &width, &height, &components, channels);
    free(file);
    if (!pixels)
        return ttt_fail(TTT_FORMAT, "broken PNG file: %s", stbi_failure_reason());
    struct image whole = {width, height, channels, pixels};
    if (warnings)
        *warnings += png.warnings;
    if (!crop) {
        *out = whole;
        return TTT_OK;
    }
    ttt_status status = image_crop(&whole, crop, out);
    image_free(&whole);
    return status;
}
