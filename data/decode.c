/* Picture files: reading them, telling their format by the first bytes, handing them to a decoder. */
#include "data/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/jpeg.h"
#include "data/png.h"

struct magic {
    const char *name;
    size_t offset, length;
    const char *bytes;
};

/* What turns up under the names of JPEG files; WebP and AVIF stand in a container. */
static const struct magic OTHERS[] = {
    {"a GIF file", 0, 4, "GIF8"},
    {"a BMP file", 0, 2, "BM"},
    {"a WebP file", 8, 4, "WEBP"},
    {"a TIFF file", 0, 4, "II*\0"},
    {"a TIFF file", 0, 4, "MM\0*"},
    {"an AVIF or HEIF file", 4, 4, "ftyp"},
    {"a JPEG 2000 file", 4, 4, "jP  "},
    {"a JPEG XL file", 0, 2, "\xff\x0a"},
    {"a PNG file with a damaged signature", 1, 3, "PNG"},
    {"a PNG file with a damaged signature", 0, 2, "\x89P"},
    {"the damaged beginning of a JPEG file", 0, 2, "\xff\xd8"},
};

static bool starts_with(const uint8_t *bytes, size_t size, size_t offset, const char *magic, size_t length)
{
    return size >= offset + length && memcmp(bytes + offset, magic, length) == 0;
}

static bool is_jpeg(const uint8_t *bytes, size_t size)
{
    return starts_with(bytes, size, 0, "\xff\xd8\xff", 3);
}

static bool is_png(const uint8_t *bytes, size_t size)
{
    return starts_with(bytes, size, 0, "\x89PNG\r\n\x1a\n", 8);
}

static ttt_status refuse(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (starts_with(bytes, size, OTHERS[i].offset, OTHERS[i].bytes, OTHERS[i].length))
            return ttt_fail(TTT_FORMAT, "is %s; only whole JPEG and PNG files are read", OTHERS[i].name);
    return ttt_fail(TTT_FORMAT, "is neither a JPEG nor a PNG file");
}

static ttt_status check_bytes(size_t size, size_t max_bytes)
{
    if (size == 0)
        return ttt_fail(TTT_FORMAT, "is an empty file");
    if (size > max_bytes)
        return ttt_fail(TTT_FORMAT, "has %zu bytes, over the limit of %zu", size, max_bytes);
    return TTT_OK;
}

struct decode_options decode_options_default(void)
{
    return (struct decode_options){.max_pixels = 178956970, .max_bytes = (size_t)256 << 20, .max_scans = 100};
}

ttt_status image_size(const uint8_t *bytes, size_t size, const struct decode_options *options, int *width,
                      int *height)
{
    *width = *height = 0;
    TRY(check_bytes(size, options->max_bytes));
    if (is_jpeg(bytes, size))
        return jpeg_size(bytes, size, options, width, height);
    if (is_png(bytes, size))
        return png_size(bytes, size, options, width, height);
    return refuse(bytes, size);
}

ttt_status image_decode(const uint8_t *bytes, size_t size, const struct rect *crop,
                        const struct decode_options *options, struct image *out, int *warnings)
{
    *out = (struct image){0};
    TRY(check_bytes(size, options->max_bytes));
    if (is_jpeg(bytes, size))
        return jpeg_decode(bytes, size, crop, options, out, warnings);
    if (is_png(bytes, size))
        return png_decode(bytes, size, crop, options, out, warnings);
    return refuse(bytes, size);
}

static ttt_status read_all(int file, uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(file, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ttt_fail(TTT_IO, "cannot be read: %s", strerrordesc_np(errno));
        if (n == 0)
            return ttt_fail(TTT_IO, "became shorter while it was read");
        done += (size_t)n;
    }
    return TTT_OK;
}

static ttt_status read_open(int file, size_t max_bytes, uint8_t **bytes, size_t *size)
{
    struct stat about;
    if (fstat(file, &about) != 0)
        return ttt_fail(TTT_IO, "cannot be read: %s", strerrordesc_np(errno));
    if (!S_ISREG(about.st_mode))
        return ttt_fail(TTT_IO, "is not a file but a folder or a device");
    size_t wanted = (size_t)about.st_size;
    TRY(check_bytes(wanted, max_bytes));
    uint8_t *memory = malloc(wanted);
    if (!memory)
        return ttt_fail(TTT_MEMORY, "no memory for its %zu bytes", wanted);
    ttt_status status = read_all(file, memory, wanted);
    if (status) {
        free(memory);
        return status;
    }
    *bytes = memory;
    *size = wanted;
    return TTT_OK;
}

ttt_status file_read(const char *path, size_t max_bytes, uint8_t **bytes, size_t *size)
{
    *bytes = NULL;
    *size = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return ttt_fail(TTT_IO, "%s: cannot be opened: %s", path, strerrordesc_np(errno));
    ttt_status status = read_open(file, max_bytes, bytes, size);
    close(file);
    return ttt_within(status, "%s", path);
}

ttt_status image_decode_file(const char *path, const struct decode_options *options, struct image *out,
                             int *warnings)
{
    uint8_t *bytes;
    size_t size;
    *out = (struct image){0};
    TRY(file_read(path, options->max_bytes, &bytes, &size));
    ttt_status status = image_decode(bytes, size, NULL, options, out, warnings);
    free(bytes);
    return ttt_within(status, "%s", path);
}
