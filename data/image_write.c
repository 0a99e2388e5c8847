/* Encoding pictures and writing files. */
#include "data/image_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h>
#include <stb_image_write.h>

/* Bytes that grow. */
struct buffer {
    uint8_t *bytes;
    size_t size, capacity;
};

static bool buffer_grow(struct buffer *buffer, size_t capacity)
{
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (!bytes)
        return false;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf escape;
    struct buffer buffer;
};

static _Noreturn void on_error(j_common_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    longjmp(e->escape, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level;
}

/* Hands the library the room behind the bytes that it has written. */
static void offer_room(struct encoder *e)
{
    e->destination.next_output_byte = e->buffer.bytes + e->buffer.size;
    e->destination.free_in_buffer = e->buffer.capacity - e->buffer.size;
}

static void on_start(j_compress_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    if (!buffer_grow(&e->buffer, (size_t)1 << 16))
        longjmp(e->escape, 1);
    offer_room(e);
}

static boolean on_full(j_compress_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    e->buffer.size = e->buffer.capacity;
    if (!buffer_grow(&e->buffer, 2 * e->buffer.capacity))
        longjmp(e->escape, 1);
    offer_room(e);
    return TRUE;
}

static void on_end(j_compress_ptr jpeg)
{
    struct encoder *e = jpeg->client_data;
    e->buffer.size = e->buffer.capacity - e->destination.free_in_buffer;
}

static void compress(struct encoder *e, const struct image *image, int quality, enum jpeg_sampling sampling)
{
    struct jpeg_compress_struct *jpeg = &e->jpeg;
    jpeg_create_compress(jpeg);
    jpeg->dest = &e->destination;
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    int factor = sampling == JPEG_SAMPLING_420 ? 2 : 1;
    jpeg->comp_info[0].h_samp_factor = factor;
    jpeg->comp_info[0].v_samp_factor = factor;
    jpeg_start_compress(jpeg, TRUE);
    for (int y = 0; y < image->height; y++) {
        JSAMPROW row = image_at(image, 0, y);
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

/* False when the library gave up, which it does only for want of memory. */
static bool run_compress(struct encoder *e, const struct image *image, int quality,
                         enum jpeg_sampling sampling)
{
    if (setjmp(e->escape))
        return false;
    compress(e, image, quality, sampling);
    return true;
}

ttt_status jpeg_encode(const struct image *image, int quality, enum jpeg_sampling sampling, uint8_t **bytes,
                       size_t *size)
{
    *bytes = NULL;
    *size = 0;
    if (quality < 1 || quality > 100)
        return ttt_fail(TTT_ARGUMENT, "a JPEG quality of %d: must be in 1 to 100", quality);
    if (image->channels != 3 || image->width > JPEG_MAX_DIMENSION || image->height > JPEG_MAX_DIMENSION)
        return ttt_fail(TTT_SHAPE, "a picture of %dx%d pixels and %d channels cannot be a JPEG file",
                        image->width, image->height, image->channels);
    struct encoder e = {.destination = {.init_destination = on_start,
                                        .empty_output_buffer = on_full,
                                        .term_destination = on_end}};
    e.jpeg.err = jpeg_std_error(&e.errors);
    e.jpeg.client_data = &e;
    e.errors.error_exit = on_error;
    e.errors.emit_message = on_message;
    bool done = run_compress(&e, image, quality, sampling);
    jpeg_destroy_compress(&e.jpeg);
    if (!done) {
        free(e.buffer.bytes);
        return ttt_fail(TTT_MEMORY, "no memory to encode a JPEG picture of %dx%d pixels", image->width,
                        image->height);
    }
    *bytes = e.buffer.bytes;
    *size = e.buffer.size;
    return TTT_OK;
}

/* Called once by stb_image_write, with everything. */
static void keep_png(void *context, void *data, int size)
{
    struct buffer *buffer = context;
    if (buffer_grow(buffer, (size_t)size)) {
        memcpy(buffer->bytes, data, (size_t)size);
        buffer->size = (size_t)size;
    }
}

ttt_status png_encode(const struct image *image, uint8_t **bytes, size_t *size)
{
    *bytes = NULL;
    *size = 0;
    /* stb_image_write counts in int and asserts that its buffers, at most twice the picture, can grow. */
    size_t needed = image_bytes(image) + (size_t)image->height;
    if (needed > INT_MAX / 4)
        return ttt_fail(TTT_SHAPE, "a picture of %dx%d pixels is too large to write as PNG", image->width,
                        image->height);
    void *room = malloc(6 * needed + ((size_t)1 << 20));
    struct buffer buffer = {0};
    if (room) {
        free(room);
        stbi_write_png_to_func(keep_png, &buffer, image->width, image->height, image->channels, image->pixels,
                               image->width * image->channels);
    }
    if (!buffer.bytes)
        return ttt_fail(TTT_MEMORY, "no memory to encode a PNG picture of %dx%d pixels", image->width,
                        image->height);
    *bytes = buffer.bytes;
    *size = buffer.size;
    return TTT_OK;
}

static bool write_all(int file, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(file, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

ttt_status file_write(const char *path, const uint8_t *bytes, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return ttt_fail(TTT_IO, "%s: cannot be created: %s", path, strerrordesc_np(errno));
    struct stat about;
    bool is_file = fstat(file, &about) == 0 && S_ISREG(about.st_mode);
    bool written = write_all(file, bytes, size);
    int reason = errno;
    if (close(file) != 0 && written) {
        reason = errno;
        written = false;
    }
    if (written)
        return TTT_OK;
    if (is_file)
        unlink(path);
    return ttt_fail(TTT_IO, "%s: %zu bytes cannot be written: %s", path, size, strerrordesc_np(reason));
}

static ttt_status write_encoded(const char *path, ttt_status status, uint8_t *bytes, size_t size)
{
    if (status)
        return ttt_within(status, "%s", path);
    status = file_write(path, bytes, size);
    free(bytes);
    return status;
}

ttt_status image_write_jpeg(const char *path, const struct image *image, int quality,
                            enum jpeg_sampling sampling)
{
    uint8_t *bytes;
    size_t size;
    ttt_status status = jpeg_encode(image, quality, sampling, &bytes, &size);
    return write_encoded(path, status, bytes, size);
}

ttt_status image_write_png(const char *path, const struct image *image)
{
    uint8_t *bytes;
    size_t size;
    ttt_status status = png_encode(image, &bytes, &size);
    return write_encoded(path, status, bytes, size);
}
