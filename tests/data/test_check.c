/* Checking a data folder: counts, sizes, kinds, and every bad file by name. */
#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/check.h"
#include "data/image_write.h"
#include "tests/support/temporary.h"

/* A picture of this size with a gradient, as JPEG or PNG by `name`'s ending. */
static void put_picture(const char *root, const char *name, int width, int height, int channels)
{
    struct image image;
    uint8_t *bytes;
    size_t size;
    check_ok(image_new(width, height, channels, &image));
    for (size_t i = 0; i < image_bytes(&image); i++)
        image.pixels[i] = (uint8_t)(i * 7);
    if (strstr(name, ".png"))
        check_ok(png_encode(&image, &bytes, &size));
    else
        check_ok(jpeg_encode(&image, 90, JPEG_SAMPLING_420, &bytes, &size));
    temporary_file(root, name, bytes, size);
    free(bytes);
    image_free(&image);
}

static struct check_options options(int threads)
{
    return (struct check_options){.threads = threads, .decode = decode_options_default()};
}

static void put_mixed_set(const char *root)
{
    put_picture(root, "train/ant/1.jpg", 40, 30, 3);
    put_picture(root, "train/ant/2.png", 20, 50, 4);
    put_picture(root, "train/ant/3.JPEG", 60, 35, 3);
    temporary_file(root, "train/bee/1.jpg", "this is text", 12);
    put_picture(root, "train/bee/2.jpg", 10, 90, 3);
    temporary_file(root, "train/bee/3.png", "", 0);
    temporary_file(root, "train/bee/notes.txt", "x", 1);
    put_picture(root, "val/bee/1.png", 16, 16, 1);
}

static void everything_is_counted(void **state)
{
    put_mixed_set(*state);
    for (int threads = 0; threads < 4; threads++) {
        struct check_options o = options(threads);
        struct check_result result;
        check_ok(check_pictures(*state, &o, &result));
        assert_int_equal(result.part_count, 2);
        const struct check_part *train = &result.parts[0], *val = &result.parts[1];
        assert_int_equal(train->set->count, 6);
        assert_int_equal(train->set->ignored, 1);
        assert_int_equal(train->good, 4);
        assert_int_equal(train->bad, 2);
        assert_int_equal(train->warned, 0);
        assert_int_equal(train->class_bad[0], 0);
        assert_int_equal(train->class_bad[1], 2);
        assert_int_equal(train->width.smallest, 10);
        assert_int_equal(train->width.median, 20);
        assert_int_equal(train->width.largest, 60);
        assert_int_equal(train->height.smallest, 30);
        assert_int_equal(train->height.median, 35);
        assert_int_equal(train->height.largest, 90);
        assert_int_equal(train->modes[PICTURE_JPEG_RGB], 3);
        assert_int_equal(train->modes[PICTURE_PNG_RGBA], 1);
        assert_int_equal(train->modes[PICTURE_UNKNOWN], 2);
        assert_int_equal(train->finding_count, 2);
        assert_non_null(strstr(train->findings[0].path, "/train/bee/1.jpg"));
        assert_non_null(strstr(train->findings[0].error, "/train/bee/1.jpg: "));
        assert_non_null(strstr(train->findings[1].error, "/train/bee/3.png: "));
        assert_int_equal(val->set->class_count, 2);
        assert_int_equal(val->good, 1);
        assert_int_equal(val->modes[PICTURE_PNG_GREY], 1);
        assert_int_equal(val->finding_count, 0);
        check_free(&result);
    }
}

static void folders_without_parts_are_taken_as_they_are(void **state)
{
    const char *root = *state;
    struct check_options o = options(1);
    struct check_result result;
    check_error(check_pictures(root, &o, &result), TTT_ARGUMENT, "holds no class folders");
    assert_int_equal(result.part_count, 0);
    put_picture(root, "ant/1.jpg", 8, 9, 3);
    check_ok(check_pictures(root, &o, &result));
    assert_int_equal(result.part_count, 1);
    assert_int_equal(result.parts[0].good, 1);
    check_free(&result);
    put_picture(root, "val/ant/1.jpg", 8, 9, 3);
    check_ok(check_pictures(root, &o, &result));
    assert_int_equal(result.part_count, 1);
    assert_string_equal(result.parts[0].set->class_names[0], "ant");
    check_free(&result);
    put_picture(root, "train/bee/1.jpg", 8, 9, 3);
    check_error(check_pictures(root, &o, &result), TTT_ARGUMENT, "/val/ant: the class is not among");
}

static void warnings_are_findings(void **state)
{
    const char *root = *state;
    struct check_options o = options(2);
    struct check_result result;
    put_picture(root, "train/ant/1.jpg", 64, 64, 3);
    char *path = temporary_path(root, "train/ant/1.jpg");
    size_t size;
    uint8_t *bytes = temporary_read(path, &size);
    /* Stray bytes behind the first segment, which ends at byte 20: the decoder skips them and says so. */
    uint8_t *longer = check_alloc(size + 5, 1);
    memcpy(longer, bytes, 20);
    memcpy(longer + 20, "stray", 5);
    memcpy(longer + 25, bytes + 20, size - 20);
    temporary_file(root, "train/ant/1.jpg", longer, size + 5);
    check_ok(check_pictures(root, &o, &result));
    assert_int_equal(result.parts[0].good, 1);
    assert_int_equal(result.parts[0].warned, 1);
    assert_int_equal(result.parts[0].finding_count, 1);
    assert_null(result.parts[0].findings[0].error);
    assert_true(result.parts[0].findings[0].warnings > 0);
    check_free(&result);
    free(longer);
    free(bytes);
    free(path);
}

static void count_up(void *context, uint64_t done, uint64_t total)
{
    uint64_t *last = context;
    assert_int_equal(done, *last + 1);
    assert_int_equal(total, 7);
    *last = done;
}

static void progress_counts_every_picture(void **state)
{
    uint64_t last = 0;
    struct check_options o = options(1);
    struct check_result result;
    o.progress = count_up;
    o.context = &last;
    put_mixed_set(*state);
    check_ok(check_pictures(*state, &o, &result));
    assert_int_equal(last, 7);
    check_free(&result);
}

/* Odd and broken files of many origins: whatever they hold, they are counted, and never crash. */
static void broken_files_are_survived(void **state)
{
    (void)state;
    static const char root[] = TEST_SHARED_DATA "/robust";
    if (access(root, R_OK)) {
        print_message("skipped: no collection of broken files at " TEST_SHARED_DATA "/robust\n");
        skip();
    }
    struct check_options o = options(2);
    struct check_result result;
    check_ok(check_pictures(root, &o, &result));
    const struct check_part *part = &result.parts[0];
    assert_int_equal(part->good + part->bad, part->set->count);
    assert_true(part->good > part->set->count / 3);
    assert_true(part->bad >= 20);
    assert_true(part->modes[PICTURE_JPEG_CMYK] > 0);
    assert_true(part->modes[PICTURE_PNG_PALETTE] > 0);
    assert_true(part->modes[PICTURE_PNG_GREY_ALPHA] > 0);
    assert_int_equal(part->finding_count, part->bad + part->warned);
    check_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        temporary_test(everything_is_counted),
        temporary_test(folders_without_parts_are_taken_as_they_are),
        temporary_test(warnings_are_findings),
        temporary_test(progress_counts_every_picture),
        cmocka_unit_test(broken_files_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
