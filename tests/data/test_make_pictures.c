/* The embedded set: the same files from any number of threads, even classes, and folders it refuses. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/decode.h"
#include "data/make_pictures.h"
#include "data/pictures.h"
#include "data/world/solid.h"
#include "tests/support/temporary.h"

static struct make_pictures_options small(int threads)
{
    struct make_pictures_options options = make_pictures_options_default();
    options.classes = 4;
    options.train = 18;
    options.val = 8;
    options.size = 24;
    options.threads = threads;
    return options;
}

static void assert_same_set(const char *a, const char *b, const char *split)
{
    struct pictures *set_a, *set_b;
    check_ok(pictures_open(a, split, NULL, &set_a));
    check_ok(pictures_open(b, split, NULL, &set_b));
    assert_int_equal(set_a->count, set_b->count);
    for (uint32_t i = 0; i < set_a->count; i++) {
        char *path_a, *path_b;
        check_ok(pictures_path(set_a, i, &path_a));
        check_ok(pictures_path(set_b, i, &path_b));
        assert_string_equal(path_a + strlen(a), path_b + strlen(b));
        temporary_check_same(path_a, path_b);
        free(path_a);
        free(path_b);
    }
    pictures_free(set_a);
    pictures_free(set_b);
}

static void threads_do_not_matter(void **state)
{
    char *one = temporary_path(*state, "a/one"), *five = temporary_path(*state, "five");
    struct make_pictures_options options = small(1);
    check_ok(make_pictures(one, &options));
    options = small(5);
    check_ok(make_pictures(five, &options));
    assert_same_set(one, five, "train");
    assert_same_set(one, five, "val");
    free(one);
    free(five);
}

static void classes_are_even_and_pictures_have_their_size(void **state)
{
    struct make_pictures_options options = small(2);
    struct pictures *train, *val;
    check_ok(make_pictures(*state, &options));
    check_ok(pictures_open(*state, "train", NULL, &train));
    check_ok(pictures_open(*state, "val", train, &val));
    assert_int_equal(train->class_count, 4);
    assert_int_equal(train->count, 18);
    assert_int_equal(val->count, 8);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t pictures = train->class_first[i + 1] - train->class_first[i];
        assert_true(pictures == 4 || pictures == 5);
        assert_int_equal(val->class_first[i + 1] - val->class_first[i], 2);
    }
    struct decode_options decode = decode_options_default();
    struct image image;
    char *path;
    int warnings = 0;
    check_ok(pictures_path(val, 7, &path));
    check_ok(image_decode_file(path, &decode, &image, &warnings));
    assert_int_equal(image.width, 24);
    assert_int_equal(image.height, 24);
    assert_int_equal(warnings, 0);
    image_free(&image);
    free(path);
    pictures_free(train);
    pictures_free(val);
}

static void all_sixteen_classes_can_be_made(void **state)
{
    struct make_pictures_options options = small(2);
    struct pictures *train;
    options.classes = 16;
    options.train = options.val = 16;
    options.size = 16;
    check_ok(make_pictures(*state, &options));
    check_ok(pictures_open(*state, "train", NULL, &train));
    assert_int_equal(train->class_count, 16);
    pictures_free(train);
}

/* What an interrupted run leaves: a marker, some pictures, a half-written one; then another seed. */
static void a_run_can_be_repeated(void **state)
{
    struct make_pictures_options options = small(2);
    char *whole = temporary_path(*state, "whole"), *broken = temporary_path(*state, "broken");
    check_ok(make_pictures(whole, &options));
    check_ok(make_pictures(broken, &options));
    char *lost = temporary_path(broken, "val/cube/0000001.jpeg");
    assert_int_equal(unlink(lost), 0);
    temporary_file(broken, "val/cube/.0000001.jpeg.part", "half", 4);
    check_ok(make_pictures(broken, &options));
    assert_same_set(whole, broken, "train");
    assert_same_set(whole, broken, "val");

    options.seed = 1;
    check_error(make_pictures(whole, &options), TTT_ARGUMENT, "other options");
    free(lost);
    free(whole);
    free(broken);
}

static void parts_and_seeds_differ(void **state)
{
    struct make_pictures_options options = small(2);
    char *first = temporary_path(*state, "first"), *second = temporary_path(*state, "second");
    check_ok(make_pictures(first, &options));
    options.seed = 1;
    check_ok(make_pictures(second, &options));
    const char *const names[] = {"train/cube/0000001.jpeg", "val/cube/0000001.jpeg"};
    uint8_t *bytes[4];
    size_t sizes[4];
    for (int i = 0; i < 4; i++) {
        char *path = temporary_path(i < 2 ? first : second, "%s", names[i % 2]);
        bytes[i] = temporary_read(path, &sizes[i]);
        free(path);
        for (int k = 0; k < i; k++)
            assert_true(sizes[i] != sizes[k] || memcmp(bytes[i], bytes[k], sizes[i]) != 0);
    }
    for (int i = 0; i < 4; i++)
        free(bytes[i]);
    free(first);
    free(second);
}

static void other_folders_are_left_alone(void **state)
{
    struct make_pictures_options options = small(1);
    temporary_file(*state, "thesis.txt", "precious", 8);
    check_error(make_pictures(*state, &options), TTT_ARGUMENT, "not empty");
    char *file = temporary_path(*state, "thesis.txt"), *train = temporary_path(*state, "train");
    assert_int_equal(access(train, F_OK), -1);
    check_error(make_pictures(file, &options), TTT_IO, "thesis.txt: ");
    check_error(make_pictures("", &options), TTT_ARGUMENT, "empty name");
    check_error(make_pictures("/proc/ttt-pictures", &options), TTT_IO, "/proc/ttt-pictures: cannot create");
    free(file);
    free(train);
}

static void options_out_of_range_are_refused(void **state)
{
    struct make_pictures_options options = small(1);
    options.classes = 1;
    check_error(make_pictures(*state, &options), TTT_ARGUMENT, "classes 1: must be 2 to 16");
    options.classes = 17;
    check_error(make_pictures(*state, &options), TTT_ARGUMENT, "classes 17: must be 2 to 16");
    options = small(1);
    options.train = 3;
    check_error(make_pictures(*state, &options), TTT_ARGUMENT, "train 3: must be 4 to");
    options = small(1);
    options.val = 0;
    check_error(make_pictures(*state, &options), TTT_ARGUMENT, "val 0: must be 4 to");
    options = small(1);
    options.size = 8;
    check_error(make_pictures(*state, &options), TTT_ARGUMENT, "size 8: must be 16 to 1024");
    options = small(-1);
    check_error(make_pictures(*state, &options), TTT_ARGUMENT, "threads -1");
}

static void count_up(void *context, int64_t done, int64_t total)
{
    int64_t *last = context;
    assert_int_equal(done, *last + 1);
    assert_int_equal(total, 26);
    *last = done;
}

static void progress_counts_every_picture(void **state)
{
    struct make_pictures_options options = small(1);
    int64_t last = 0;
    options.progress = count_up;
    options.context = &last;
    check_ok(make_pictures(*state, &options));
    assert_int_equal(last, 26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        temporary_test(threads_do_not_matter),
        temporary_test(classes_are_even_and_pictures_have_their_size),
        temporary_test(all_sixteen_classes_can_be_made),
        temporary_test(a_run_can_be_repeated),
        temporary_test(parts_and_seeds_differ),
        temporary_test(other_folders_are_left_alone),
        temporary_test(options_out_of_range_are_refused),
        temporary_test(progress_counts_every_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
