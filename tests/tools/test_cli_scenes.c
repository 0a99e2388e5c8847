/* ttt data on scenes: makes them, checks them, finds flipped axes, refuses what is no scene. */
#include "tests/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/support/temporary.h"
#include "tests/tools/program.h"

static int make_set(void **state)
{
    char *folder = temporary_folder(), *set = temporary_path(folder, "set");
    struct program_result made =
        run("data", "make", "scenes", set, "--count", "3", "--views=12", "--size", "48", "--seed", "4");
    assert_string_equal(made.err, "");
    assert_int_equal(made.exit_status, 0);
    check_contains(made.out, "3 scenes of 12 views of 48x48; train.json lists 2 of them, val.json 1");
    program_free(&made);
    free(set);
    *state = folder;
    return 0;
}

static void good_scenes(void **state)
{
    char *list = temporary_path(*state, "set/train.json"), *maps = temporary_path(*state, "maps");
    char *map = temporary_path(maps, "00001-00001.png");
    struct program_result checked = run("data", "check", list, "--maps", maps);
    assert_string_equal(checked.err, "");
    assert_int_equal(checked.exit_status, 0);
    check_contains(checked.out, "views     12");
    check_contains(checked.out, "axes      sound");
    check_contains(checked.out, "2 scenes, 0 skipped");
    assert_int_equal(access(map, F_OK), 0);
    program_free(&checked);
    free(list), free(maps), free(map);
}

/* Rewrites w2c of every camera of a scene: two columns of camera-to-world change sign, which are rows of its
 * inverse. */
static void flip_axes(const char *path, size_t one, size_t other)
{
    json_t *list = json_load_file(path, 0, NULL);
    assert_non_null(list);
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t row = 0; row < 3; row++) {
            json_t *numbers = json_array_get(json_object_get(json_array_get(list, i), "w2c"), row);
            if (row != one && row != other)
                continue;
            for (size_t k = 0; k < 4; k++)
                json_array_set_new(numbers, k, json_real(-json_number_value(json_array_get(numbers, k))));
        }
    assert_int_equal(json_dump_file(list, path, 0), 0);
    json_decref(list);
}

static void flipped_axes_are_found(void **state)
{
    char *scene = temporary_path(*state, "set/00000/opencv_cameras.json"),
         *set = temporary_path(*state, "set");
    flip_axes(scene, 1, 2);
    struct program_result checked = run("data", "check", set, "--json", "--maps", "none");
    assert_int_equal(checked.exit_status, 1);
    check_contains(checked.err, "something is wrong with 1 of 3 scenes");
    json_t *report = json_loads(checked.out, 0, NULL);
    assert_non_null(report);
    for (size_t i = 0; i < 3; i++) {
        const json_t *axes = json_object_get(json_array_get(json_object_get(report, "scenes"), i), "axes");
        assert_int_equal(json_is_true(json_object_get(axes, "suspect")), i == 0);
    }
    json_decref(report);
    program_free(&checked);
    checked = run("data", "check", scene, "--maps", "none");
    assert_int_equal(checked.exit_status, 1);
    check_contains(checked.out, "warning   the axes look flipped: the pictures match with columns 1 and 2");
    program_free(&checked);
    flip_axes(scene, 0, 2); /* of the flipped ones: a roll of the true ones */
    checked = run("data", "check", scene, "--maps", "none");
    assert_int_equal(checked.exit_status, 1);
    check_contains(checked.out, "warning   the axes look flipped: the pictures match with columns 0 and 1");
    program_free(&checked);
    flip_axes(scene, 0, 1);
    free(scene), free(set);
}

static void bad_scenes(void **state)
{
    static const char bad[] = "[{\"w\": 48, \"h\": 48, \"fx\": -1}]";
    char *scene = temporary_path(*state, "set/00002/opencv_cameras.json"),
         *set = temporary_path(*state, "set");
    size_t size;
    uint8_t *good = temporary_read(scene, &size);
    temporary_file(*state, "set/00002/opencv_cameras.json", bad, strlen(bad));
    check_refusal(2, "set/00002/opencv_cameras.json: entry 0: key 'fx' is -1", "data", "check", scene);
    struct program_result checked = run("data", "check", set, "--maps=none");
    assert_int_equal(checked.exit_status, 1);
    check_contains(checked.out, "skipped   ");
    check_contains(checked.out, "entry 0: key 'fx' is -1");
    check_contains(checked.out, "2 scenes, 1 skipped");
    program_free(&checked);
    temporary_file(*state, "set/00002/opencv_cameras.json", good, size);
    check_refusal(2, "--views takes a whole number", "data", "make", "scenes", "x", "--views", "1");
    check_refusal(2, "make scenes takes one folder", "data", "make", "scenes");
    check_refusal(2, "made with other options", "data", "make", "scenes", set, "--count", "4");
    free(good), free(scene), free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_scenes),
                                       cmocka_unit_test(flipped_axes_are_found),
                                       cmocka_unit_test(bad_scenes)};
    return cmocka_run_group_tests(tests, make_set, temporary_teardown);
}
