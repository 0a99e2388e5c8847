/* JPEG: golden pictures, crops against whole pictures for every kind of file, limits, damage. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode.h"
#include "data/image_write.h"
#include "data/jpeg.h"
#include "tests/data/picture_fixture.h"
#include "tests/support/check.h"
#include "tests/support/md5.h"
#include "tests/support/temporary.h"

static void golden_files_decode_exactly(void **state)
{
    (void)state;
    static const char *const names[] = {"444", "422", "420", "420_progressive", "grey", "cmyk"};
    struct decode_options options = decode_options_default();
    safetensors_file *file = fixture_open("jpeg.safetensors");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[64];
        const safetensors_tensor *in;
        struct image picture;
        int warnings = 0, width, height;
        snprintf(name, sizeof name, "in.%s", names[i]);
        check_ok(safetensors_require(file, name, &in));
        snprintf(name, sizeof name, "out.%s", names[i]);
        struct image expected = fixture_golden(file, name);
        check_ok(jpeg_decode(in->data, in->bytes, NULL, &options, &picture, &warnings));
        check_same_picture(&picture, &expected);
        assert_int_equal(warnings, 0);
        check_ok(image_size(in->data, in->bytes, &options, &width, &height));
        assert_int_equal(width, expected.width);
        assert_int_equal(height, expected.height);
        image_free(&picture);
        image_free(&expected);
    }
    safetensors_close(file);
}

/* Compares `count` crops with the whole picture, cut. */
static void check_crops(const uint8_t *bytes, size_t size, const struct image *whole, int count,
                        uint32_t seed)
{
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_TEST, 1, 0);
    struct decode_options options = decode_options_default();
    for (int i = 0; i < count; i++) {
        struct rect part = fixture_part(&random, whole->width, whole->height);
        struct image crop, cut;
        check_ok(image_decode(bytes, size, &part, &options, &crop, NULL));
        check_ok(image_crop(whole, &part, &cut));
        check_same_picture(&crop, &cut);
        image_free(&cut);
        image_free(&crop);
    }
}

static void crops_equal_the_whole_for_every_kind(void **state)
{
    (void)state;
    static const int kinds[][3] = {{3, 1, 1}, {3, 2, 1}, {3, 1, 2}, {3, 2, 2}, {3, 4, 1}, {3, 4, 2},
                                   {3, 1, 4}, {1, 1, 1}, {1, 2, 2}, {4, 1, 1}, {4, 2, 2}, {4, 2, 1}};
    static const int sizes[][2] = {{133, 101}, {64, 48}, {17, 33}, {3, 70}, {70, 3}};
    struct decode_options options = decode_options_default();
    uint32_t seed = 0;
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++)
        for (int variant = 0; variant < 4; variant++)
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                struct fixture_jpeg how = {.components = kinds[kind][0],
                                           .h = kinds[kind][1],
                                           .v = kinds[kind][2],
                                           .progressive = variant & 1,
                                           .restart = variant & 2 ? 3 : 0,
                                           .quality = 80};
                struct image picture = fixture_picture(sizes[i][0], sizes[i][1], how.components, seed), whole;
                size_t size;
                uint8_t *bytes = fixture_encode_jpeg(&picture, &how, &size);
                check_ok(image_decode(bytes, size, NULL, &options, &whole, NULL));
                check_crops(bytes, size, &whole, 12, seed++);
                image_free(&whole);
                image_free(&picture);
                free(bytes);
            }
}

static void real_pictures_match_their_md5_and_crops(void **state)
{
    (void)state;
    struct manifest manifest;
    struct decode_options options = decode_options_default();
    if (!manifest_read("imagenet_sample", &manifest)) {
        print_message("skipped: no imagenet_sample beside the repository\n");
        skip();
    }
    for (size_t i = 0; i < manifest.count; i++) {
        char path[1024], md5[33];
        size_t size;
        uint8_t *bytes;
        struct image picture;
        snprintf(path, sizeof path, "%s/imagenet_sample/%s", TEST_SHARED_DATA, manifest.rows[i][0]);
        check_ok(file_read(path, options.max_bytes, &bytes, &size));
        check_ok(image_decode(bytes, size, NULL, &options, &picture, NULL));
        md5_text(picture.pixels, image_bytes(&picture), md5);
        assert_string_equal(md5, manifest.rows[i][9]);
        check_crops(bytes, size, &picture, 3, (uint32_t)i);
        image_free(&picture);
        free(bytes);
    }
    assert_int_equal(manifest.count, 200);
    manifest_free(&manifest);
}

static uint8_t *encode(int width, int height, bool progressive, size_t *size)
{
    struct fixture_jpeg how = {.components = 3, .h = 2, .v = 2, .progressive = progressive, .quality = 75};
    struct image picture = fixture_picture(width, height, 3, 5);
    uint8_t *bytes = fixture_encode_jpeg(&picture, &how, size);
    image_free(&picture);
    return bytes;
}

static void limits_are_kept(void **state)
{
    (void)state;
    size_t size;
    struct image picture;
    int width, height;
    uint8_t *bytes = encode(40, 30, true, &size);
    struct decode_options options = decode_options_default();
    options.max_pixels = 40 * 30 - 1;
    check_error(image_decode(bytes, size, NULL, &options, &picture, NULL), TTT_FORMAT,
                "40x30 pixels is over the limit of 1199");
    check_error(image_size(bytes, size, &options, &width, &height), TTT_FORMAT, "over the limit");
    options.max_pixels++;
    options.max_scans = 3;
    check_error(image_decode(bytes, size, NULL, &options, &picture, NULL), TTT_FORMAT, "more scans");
    options.max_scans = 100;
    options.max_bytes = size - 1;
    check_error(image_decode(bytes, size, NULL, &options, &picture, NULL), TTT_FORMAT, "over the limit");
    options.max_bytes = size;
    check_ok(image_decode(bytes, size, NULL, &options, &picture, NULL));
    image_free(&picture);
    free(bytes);
}

static void crops_outside_are_refused(void **state)
{
    (void)state;
    static const struct rect parts[] = {{-1, 0, 5, 5},        {0, -1, 5, 5}, {36, 0, 5, 5},
                                        {0, 26, 5, 5},        {0, 0, 0, 5},  {0, 0, 5, 0},
                                        {1, 1, INT32_MAX, 1}, {0, 0, 41, 1}, {0, 30, 1, 1}};
    size_t size;
    struct image picture;
    uint8_t *bytes = encode(40, 30, false, &size);
    struct decode_options options = decode_options_default();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        check_error(image_decode(bytes, size, &parts[i], &options, &picture, NULL), TTT_ARGUMENT,
                    "not within");
    free(bytes);
}

/* Every shortened file is refused, and with a crop of the top just as whole. */
static void truncated_files_are_refused(void **state)
{
    (void)state;
    struct decode_options options = decode_options_default();
    for (int progressive = 0; progressive < 2; progressive++) {
        size_t size;
        uint8_t *bytes = encode(64, 64, progressive, &size);
        for (size_t length = 1; length < size - 2; length += 1 + length / 64) {
            struct image picture;
            struct rect top = {0, 0, 64, 8};
            check_error(image_decode(bytes, length, NULL, &options, &picture, NULL), TTT_FORMAT, "");
            check_error(image_decode(bytes, length, &top, &options, &picture, NULL), TTT_FORMAT, "");
            assert_null(picture.pixels);
        }
        free(bytes);
    }
}

/* Damaged bytes end in an error or in a picture of the stated size, for crops as for whole pictures. */
static void damaged_files_never_crash(void **state)
{
    (void)state;
    struct decode_options options = decode_options_default();
    options.max_pixels = 1 << 20;
    ttt_random random = ttt_random_start(0, TTT_RANDOM_TEST, 2, 0);
    int decoded = 0, warned = 0, refused = 0;
    for (int i = 0; i < 3000; i++) {
        size_t size;
        uint8_t *bytes = encode(24 + i % 40, 20, i % 2, &size);
        for (uint32_t n = 1 + ttt_random_below(&random, 6); n > 0; n--)
            bytes[ttt_random_below(&random, (uint32_t)size)] = (uint8_t)ttt_random_bits(&random);
        struct image whole, part;
        int warnings = 0, width, height;
        ttt_status status = image_decode(bytes, size, NULL, &options, &whole, &warnings);
        ttt_status sized = image_size(bytes, size, &options, &width, &height);
        struct rect middle = {width / 3, height / 3, width / 2 + 1, height / 2 + 1};
        ttt_status cropped = sized ? TTT_OK : image_decode(bytes, size, &middle, &options, &part, NULL);
        if (status) {
            refused++;
            assert_true(sized || cropped);
        } else {
            decoded++;
            warned += warnings > 0;
            check_ok(sized);
            check_ok(cropped);
            struct image cut;
            check_ok(image_crop(&whole, &middle, &cut));
            check_same_picture(&part, &cut);
            image_free(&cut);
            image_free(&part);
            image_free(&whole);
            sized = cropped = TTT_OK;
        }
        ttt_status_free(status);
        ttt_status_free(sized);
        ttt_status_free(cropped);
        free(bytes);
    }
    assert_true(decoded > 500 && warned > 300 && refused > 100);
}

static void written_files_are_read_back(void **state)
{
    (void)state;
    struct decode_options options = decode_options_default();
    char *folder = temporary_folder(), *path = temporary_path(folder, "picture.jpg");
    struct image picture = fixture_picture(61, 43, 3, 9), back;
    size_t small = 0, size;
    for (int sampling = 0; sampling < 2; sampling++) {
        enum jpeg_sampling how = sampling ? JPEG_SAMPLING_444 : JPEG_SAMPLING_420;
        check_ok(image_write_jpeg(path, &picture, 95, how));
        free(temporary_read(path, &size));
        assert_true(size > small);
        small = size;
        check_ok(image_decode_file(path, &options, &back, NULL));
        double squares = 0;
        for (size_t i = 0; i < image_bytes(&picture); i++)
            squares += pow(picture.pixels[i] - (double)back.pixels[i], 2);
        assert_true(sqrt(squares / (double)image_bytes(&picture)) < (sampling ? 6 : 12));
        image_free(&back);
    }
    check_error(image_write_jpeg(path, &picture, 101, JPEG_SAMPLING_444), TTT_ARGUMENT, "quality of 101");
    check_error(image_write_jpeg("/dev/full", &picture, 90, JPEG_SAMPLING_444), TTT_IO, "No space left");
    check_error(image_write_jpeg("/nowhere/picture.jpg", &picture, 90, JPEG_SAMPLING_444), TTT_IO,
                "/nowhere/picture.jpg: cannot be created");
    image_free(&picture);
    free(path);
    temporary_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_files_decode_exactly),
        cmocka_unit_test(crops_equal_the_whole_for_every_kind),
        cmocka_unit_test(real_pictures_match_their_md5_and_crops),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(crops_outside_are_refused),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(damaged_files_never_crash),
        cmocka_unit_test(written_files_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
