/* PNG: every kind of picture, the chunk walk's refusals, damage, writing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode.h"
#include "data/image_write.h"
#include "data/png.h"
#include "tests/data/picture_fixture.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"

enum { CAPACITY = 4096 };

/* A PNG file put together by hand. */
struct file {
    uint8_t bytes[CAPACITY];
    size_t size;
};

static uint32_t crc(const uint8_t *at, size_t size)
{
    uint32_t x = UINT32_MAX;
    for (; size-- > 0; at++)
        for (int bit = 0; bit < 8; bit++)
            x = x >> 1 ^ ((x ^ *at >> bit) & 1 ? 0xedb88320 : 0);
    return ~x;
}

static void put_u32(struct file *file, uint32_t x)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        file->bytes[file->size++] = (uint8_t)(x >> shift);
}

static void put_chunk(struct file *file, const char *type, const void *data, size_t size)
{
    put_u32(file, (uint32_t)size);
    memcpy(file->bytes + file->size, type, 4);
    if (size > 0)
        memcpy(file->bytes + file->size + 4, data, size);
    file->size += 4 + size;
    put_u32(file, crc(file->bytes + file->size - 4 - size, 4 + size));
}

static struct file start(uint32_t width, uint32_t height, int depth, int colour)
{
    struct file file = {.size = 8}, header = {0};
    memcpy(file.bytes, "\x89PNG\r\n\x1a\n", 8);
    put_u32(&header, width);
    put_u32(&header, height);
    header.bytes[8] = (uint8_t)depth;
    header.bytes[9] = (uint8_t)colour;
    put_chunk(&file, "IHDR", header.bytes, 13);
    return file;
}

/* The rows, each with its filter byte, as one stored zlib block. */
static void put_rows(struct file *file, const uint8_t *rows, size_t size)
{
    uint8_t data[CAPACITY] = {
        0x78, 0x01, 1, (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)~size, (uint8_t)(~size >> 8)};
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < size; i++) {
        data[7 + i] = rows[i];
        a = (a + rows[i]) % 65521;
        b = (b + a) % 65521;
    }
    uint8_t adler[4] = {(uint8_t)(b >> 8), (uint8_t)b, (uint8_t)(a >> 8), (uint8_t)a};
    memcpy(data + 7 + size, adler, 4);
    put_chunk(file, "IDAT", data, size + 11);
}

static ttt_status decode(const struct file *file, bool keep_alpha, struct image *out, int *warnings)
{
    struct decode_options options = decode_options_default();
    options.keep_alpha = keep_alpha;
    return image_decode(file->bytes, file->size, NULL, &options, out, warnings);
}

static void check_pixels(const struct file *file, bool keep_alpha, int channels, const uint8_t *expected,
                         int expected_warnings)
{
    struct image picture;
    int warnings = 0;
    check_ok(decode(file, keep_alpha, &picture, &warnings));
    assert_int_equal(picture.channels, channels);
    assert_memory_equal(picture.pixels, expected, image_bytes(&picture));
    assert_int_equal(warnings, expected_warnings);
    image_free(&picture);
}

static void check_refused(const struct file *file, const char *text)
{
    struct image picture;
    check_error(decode(file, false, &picture, NULL), TTT_FORMAT, text);
    assert_null(picture.pixels);
}

static void every_kind_becomes_rgb(void **state)
{
    (void)state;
    struct file grey16 = start(2, 1, 16, 0);
    put_rows(&grey16, (uint8_t[]){0, 0x12, 0xff, 0xfe, 0x00}, 5);
    put_chunk(&grey16, "IEND", NULL, 0);
    check_pixels(&grey16, false, 3, (uint8_t[]){0x12, 0x12, 0x12, 0xfe, 0xfe, 0xfe}, 0);

    struct file grey2 = start(3, 1, 2, 0);
    put_chunk(&grey2, "tRNS", (uint8_t[]){0, 3}, 2);
    put_rows(&grey2, (uint8_t[]){0, 0x1c}, 2); /* 0, 1, 3 */
    put_chunk(&grey2, "IEND", NULL, 0);
    check_pixels(&grey2, false, 3, (uint8_t[]){0, 0, 0, 85, 85, 85, 255, 255, 255}, 0);
    check_pixels(&grey2, true, 4, (uint8_t[]){0, 0, 0, 255, 85, 85, 85, 255, 255, 255, 255, 0}, 0);

    struct file grey_alpha = start(1, 1, 8, 4);
    put_rows(&grey_alpha, (uint8_t[]){0, 7, 9}, 3);
    put_chunk(&grey_alpha, "IEND", NULL, 0);
    check_pixels(&grey_alpha, false, 3, (uint8_t[]){7, 7, 7}, 0);
    check_pixels(&grey_alpha, true, 4, (uint8_t[]){7, 7, 7, 9}, 0);

    struct file rgba16 = start(1, 1, 16, 6);
    put_rows(&rgba16, (uint8_t[]){0, 1, 255, 2, 255, 3, 255, 4, 255}, 9);
    put_chunk(&rgba16, "IEND", NULL, 0);
    check_pixels(&rgba16, false, 3, (uint8_t[]){1, 2, 3}, 0);
    check_pixels(&rgba16, true, 4, (uint8_t[]){1, 2, 3, 4}, 0);
}

/* An index beyond the palette is black, whatever lay in memory. */
static void palettes_are_padded(void **state)
{
    (void)state;
    struct file file = start(3, 1, 8, 3);
    put_chunk(&file, "PLTE", (uint8_t[]){1, 2, 3, 4, 5, 6}, 6);
    put_chunk(&file, "tRNS", (uint8_t[]){77}, 1);
    put_rows(&file, (uint8_t[]){0, 1, 200, 0}, 4);
    put_chunk(&file, "IEND", NULL, 0);
    check_pixels(&file, false, 3, (uint8_t[]){4, 5, 6, 0, 0, 0, 1, 2, 3}, 0);
    check_pixels(&file, true, 4, (uint8_t[]){4, 5, 6, 255, 0, 0, 0, 255, 1, 2, 3, 77}, 0);
}

static void small_faults_are_warnings(void **state)
{
    (void)state;
    struct file file = start(1, 1, 8, 2);
    put_chunk(&file, "zzZz", "unknown, optional", 17);
    put_rows(&file, (uint8_t[]){0, 1, 2, 3}, 4);
    check_pixels(&file, false, 3, (uint8_t[]){1, 2, 3}, 1); /* no IEND */
    file.bytes[file.size - 1] ^= 1;
    check_pixels(&file, false, 3, (uint8_t[]){1, 2, 3}, 2); /* and a wrong checksum */
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    struct file file = start(0, 1, 8, 2);
    check_refused(&file, "a size of 0x1 pixels");
    file = start(0x80000000u, 1, 8, 2);
    check_refused(&file, "a size of 2147483648x1");
    file = start(65500, 65500, 8, 2);
    check_refused(&file, "65500x65500 pixels is over the limit");
    file = start(1, 1, 4, 2);
    check_refused(&file, "colour type 2 with 4 bits");
    file = start(1, 1, 8, 2);
    check_refused(&file, "ends between two chunks");
    put_chunk(&file, "IEND", NULL, 0);
    check_refused(&file, "no picture data");
    file = start(1, 1, 8, 2);
    file.bytes[20] ^= 1;
    check_refused(&file, "the checksum of its IHDR chunk is wrong");
    file = start(1, 1, 8, 2);
    put_chunk(&file, "CgBI", NULL, 0);
    check_refused(&file, "not known: CgBI");
    file = start(1, 1, 8, 3);
    put_rows(&file, (uint8_t[]){0, 0}, 2);
    check_refused(&file, "no palette");
    file = start(1, 1, 8, 3);
    put_chunk(&file, "PLTE", "1234", 4);
    check_refused(&file, "one of 4 bytes");
    file = start(1, 1, 8, 3);
    put_chunk(&file, "tRNS", "1", 1);
    check_refused(&file, "tRNS");
    file = start(1, 2, 8, 2);
    put_rows(&file, (uint8_t[]){0, 1, 2, 3}, 4);
    check_refused(&file, "not enough pixels");
    file.size -= 10;
    check_refused(&file, "its IDAT chunk wants 15 bytes, 5 are left");
}

static void written_files_are_read_back(void **state)
{
    (void)state;
    char *folder = temporary_folder(), *path = temporary_path(folder, "picture.png");
    struct decode_options options = decode_options_default();
    options.keep_alpha = true;
    for (int channels = 3; channels <= 4; channels++) {
        struct image picture = fixture_picture(61, 43, channels, 9), back, part, cut;
        check_ok(image_write_png(path, &picture));
        check_ok(image_decode_file(path, &options, &back, NULL));
        check_same_picture(&back, &picture);
        size_t size;
        uint8_t *bytes = temporary_read(path, &size);
        struct rect middle = {13, 7, 30, 20};
        check_ok(image_decode(bytes, size, &middle, &options, &part, NULL));
        check_ok(image_crop(&picture, &middle, &cut));
        check_same_picture(&part, &cut);
        image_free(&part);
        middle.x = 32;
        check_error(image_decode(bytes, size, &middle, &options, &part, NULL), TTT_ARGUMENT, "not within");
        free(bytes);
        image_free(&cut);
        image_free(&back);
        check_error(image_write_png("/dev/full", &picture), TTT_IO, "No space left");
        image_free(&picture);
    }
    free(path);
    temporary_remove(folder);
}

static void damaged_files_never_crash(void **state)
{
    (void)state;
    struct decode_options options = decode_options_default();
    options.max_pixels = 1 << 20;
    ttt_random random = ttt_random_start(0, TTT_RANDOM_TEST, 3, 0);
    int decoded = 0, refused = 0;
    for (int i = 0; i < 3000; i++) {
        struct image picture = fixture_picture(20, 12, 3 + i % 2, (uint32_t)i), back;
        uint8_t *bytes;
        size_t size;
        check_ok(png_encode(&picture, &bytes, &size));
        for (uint32_t n = 1 + ttt_random_below(&random, 3); n > 0; n--) {
            /* Sparing the header's checksum now and then would hardly happen by chance. */
            uint32_t at = ttt_random_below(&random, (uint32_t)size);
            bytes[i % 4 == 0 || at > 40 ? at : 41 + at] = (uint8_t)ttt_random_bits(&random);
        }
        if (i % 5 == 0)
            size -= ttt_random_below(&random, (uint32_t)size);
        options.keep_alpha = i % 3 == 0;
        ttt_status status = image_decode(bytes, size, NULL, &options, &back, NULL);
        if (status)
            refused++;
        else
            decoded++;
        ttt_status_free(status);
        image_free(&back);
        image_free(&picture);
        free(bytes);
    }
    assert_true(decoded > 300 && refused > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_becomes_rgb),      cmocka_unit_test(palettes_are_padded),
        cmocka_unit_test(small_faults_are_warnings),   cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(written_files_are_read_back), cmocka_unit_test(damaged_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
