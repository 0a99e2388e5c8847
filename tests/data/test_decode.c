/* Picture files of every sort: formats told by their first bytes, files that cannot be read, and a folder of
 * odd and broken pictures against Pillow's verdicts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/decode.h"
#include "data/image_write.h"
#include "tests/data/picture_fixture.h"
#include "tests/support/check.h"
#include "tests/support/md5.h"
#include "tests/support/temporary.h"

static void formats_are_told_by_their_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } files[] = {
        {"", 0, "is an empty file"},
        {"\xff", 1, "is neither a JPEG nor a PNG file"},
        {"\xff\xd8", 2, "the damaged beginning of a JPEG file"},
        {"\xff\xd8\xff", 3, "broken JPEG file: truncated"},
        {"not a picture", 13, "is neither a JPEG nor a PNG file"},
        {"GIF89a......", 12, "is a GIF file"},
        {"BM..........", 12, "is a BMP file"},
        {"RIFF....WEBP", 12, "is a WebP file"},
        {"....ftypavif", 12, "is an AVIF or HEIF file"},
        {"II*\0........", 12, "is a TIFF file"},
        {"\x89PNG\n\x1a\n...", 10, "a PNG file with a damaged signature"},
        {"\x89PNG\r\n\x1a\n", 8, "truncated PNG file"},
    };
    struct decode_options options = decode_options_default();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        /* On the heap and of the exact size, so that a sanitizer sees a read beyond the end. */
        uint8_t *bytes = check_alloc(files[i].size, 1);
        memcpy(bytes, files[i].bytes, files[i].size);
        struct image picture;
        int width, height;
        check_error(image_decode(bytes, files[i].size, NULL, &options, &picture, NULL), TTT_FORMAT,
                    files[i].text);
        check_error(image_size(bytes, files[i].size, &options, &width, &height), TTT_FORMAT, files[i].text);
        free(bytes);
    }
}

static void unreadable_files_are_named(void **state)
{
    (void)state;
    char *folder = temporary_folder(), *path = temporary_path(folder, "x.jpg");
    struct decode_options options = decode_options_default();
    struct image picture;
    check_error(image_decode_file(path, &options, &picture, NULL), TTT_IO,
                "x.jpg: cannot be opened: No such file");
    check_error(image_decode_file(folder, &options, &picture, NULL), TTT_IO, "is not a file");
    temporary_file(folder, "x.jpg", "", 0);
    check_error(image_decode_file(path, &options, &picture, NULL), TTT_FORMAT, "x.jpg: is an empty file");
    temporary_file(folder, "x.jpg", "words, no pixels", 16);
    check_error(image_decode_file(path, &options, &picture, NULL), TTT_FORMAT, "x.jpg: is neither");
    options.max_bytes = 15;
    check_error(image_decode_file(path, &options, &picture, NULL), TTT_FORMAT, "x.jpg: has 16 bytes");
    free(path);
    temporary_remove(folder);
}

static void names_do_not_matter(void **state)
{
    (void)state;
    char *folder = temporary_folder(), *path = temporary_path(folder, "x.jpg");
    struct decode_options options = decode_options_default();
    struct image picture = fixture_picture(9, 5, 3, 0), back;
    check_ok(image_write_png(path, &picture));
    check_ok(image_decode_file(path, &options, &back, NULL));
    check_same_picture(&back, &picture);
    image_free(&back);
    image_free(&picture);
    free(path);
    temporary_remove(folder);
}

static void alpha_is_blended_over_white(void **state)
{
    (void)state;
    uint8_t pixels[] = {10, 20, 30, 0, 10, 20, 30, 255, 10, 20, 30, 128};
    struct image rgba = {3, 1, 4, pixels}, rgb;
    check_ok(image_over_white(&rgba, &rgb));
    /* 255 * 127 / 255 + c * 128 / 255, rounded */
    assert_memory_equal(rgb.pixels, ((uint8_t[]){255, 255, 255, 10, 20, 30, 132, 137, 142}), 9);
    image_free(&rgb);
}

/* What is meant to differ from Pillow: formats not read, 16-bit grey (png.h), and a JPEG whose header only
 * Pillow's own parser refuses. */
static bool differs_on_purpose(char **row)
{
    return strcmp(row[4], "BMP") == 0 || strcmp(row[4], "GIF") == 0 || strcmp(row[4], "WEBP") == 0 ||
           strcmp(row[5], "I") == 0 || strstr(row[0], "a7326ba8f3f4559991126474dd30083d");
}

static void odd_and_broken_files_get_pillows_verdict(void **state)
{
    (void)state;
    struct manifest manifest;
    struct decode_options options = decode_options_default();
    int differing = 0, decoded = 0;
    if (!manifest_read("robust", &manifest)) {
        print_message("skipped: no robust folder beside the repository\n");
        skip();
    }
    for (size_t i = 0; i < manifest.count; i++) {
        char **row = manifest.rows[i], path[1024], md5[33] = "";
        struct image picture;
        snprintf(path, sizeof path, "%s/robust/%s", TEST_SHARED_DATA, row[0]);
        ttt_status status = image_decode_file(path, &options, &picture, NULL);
        decoded += !status;
        if (!status)
            md5_text(picture.pixels, image_bytes(&picture), md5);
        bool good = strcmp(row[3], "OK") == 0;
        if (!differs_on_purpose(row) && (good != !status || (good && strcmp(md5, row[8]) != 0))) {
            print_error("%s: %s, Pillow says %s\n", row[0], status ? ttt_status_text(status) : "decoded",
                        row[3]);
            differing++;
        }
        if (status) {
            assert_int_equal(ttt_status_code(status), TTT_FORMAT);
            assert_null(strchr(ttt_status_text(status), '\n'));
        }
        ttt_status_free(status);
        image_free(&picture);
    }
    manifest_free(&manifest);
    assert_int_equal(differing, 0);
    assert_true(decoded > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_told_by_their_bytes),
        cmocka_unit_test(unreadable_files_are_named),
        cmocka_unit_test(names_do_not_matter),
        cmocka_unit_test(alpha_is_blended_over_white),
        cmocka_unit_test(odd_and_broken_files_get_pillows_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
