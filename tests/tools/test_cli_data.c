/* ttt data: makes a set, checks it, finds what is broken. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/support/temporary.h"
#include "tests/tools/program.h"

static int make_set(void **state)
{
    char *folder = temporary_folder(), *set = temporary_path(folder, "set");
    struct program_result made = run("data", "make", "pictures", set, "--classes", "3", "--train=12", "--val",
                                     "6", "--size", "16", "--seed", "5");
    assert_string_equal(made.err, "");
    assert_int_equal(made.exit_status, 0);
    check_contains(made.out, "12 training and 6 validation pictures of 16x16 in 3 classes");
    program_free(&made);
    free(set);
    *state = folder;
    return 0;
}

static void test_a_good_set(void **state)
{
    char *set = temporary_path(*state, "set");
    struct program_result checked = run("data", "check", set);
    assert_int_equal(checked.exit_status, 0);
    assert_string_equal(checked.err, "");
    check_contains(checked.out, "12: 12 good");
    check_contains(checked.out, "6: 6 good");
    check_contains(checked.out, "3, of 4 to 4 pictures");
    check_contains(checked.out, "16 to 16 pixels");
    program_free(&checked);
    free(set);
}

static void test_other_options_need_another_folder(void **state)
{
    char *set = temporary_path(*state, "set");
    check_refusal(2, set, "data", "make", "pictures", set, "--classes", "4", "--train", "12", "--val", "6");
    free(set);
}

/* One file cut short, one that is text. */
static void test_bad_pictures_are_named(void **state)
{
    char *set = temporary_path(*state, "set"), path[256];
    struct program_result before = run("data", "check", set, "--json");
    json_t *report = json_loads(before.out, 0, NULL);
    json_t *part = json_array_get(json_object_get(report, "parts"), 0);
    const char *class_name =
        json_string_value(json_object_get(json_array_get(json_object_get(part, "classes"), 1), "name"));
    assert_non_null(class_name);
    snprintf(path, sizeof path, "set/train/%s/zz-text.jpeg", class_name);
    temporary_file(*state, path, "not a picture", 13);
    struct program_result after = run("data", "check", set), json = run("data", "check", set, "--json");
    assert_int_equal(after.exit_status, 1);
    assert_int_equal(json.exit_status, 1);
    check_contains(after.out, "zz-text.jpeg: is neither a JPEG nor a PNG file\n");
    check_contains(after.err, "1 of 19 pictures are bad");
    json_t *found = json_loads(json.out, 0, NULL);
    part = json_array_get(json_object_get(found, "parts"), 0);
    assert_int_equal(json_integer_value(json_object_get(part, "bad")), 1);
    assert_int_equal(json_integer_value(json_object_get(part, "good")), 12);
    const json_t *finding = json_array_get(json_object_get(part, "findings"), 0);
    check_contains(json_string_value(json_object_get(finding, "path")), "zz-text.jpeg");
    assert_true(json_is_string(json_object_get(finding, "error")));
    json_decref(found);
    json_decref(report);
    program_free(&before);
    program_free(&after);
    program_free(&json);
    free(set);
}

static void test_missing_and_empty_folders(void **state)
{
    char *empty = temporary_path(*state, "set/train/empty");
    check_refusal(2, "nowhere", "data", "check", "nowhere");
    check_refusal(2, "check takes one folder", "data", "check");
    temporary_file(*state, "set/train/empty/readme.txt", "", 0);
    char *set = temporary_path(*state, "set");
    check_refusal(2, "empty", "data", "check", set);
    free(empty);
    free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_good_set, make_set, temporary_teardown),
        cmocka_unit_test_setup_teardown(test_other_options_need_another_folder, make_set, temporary_teardown),
        cmocka_unit_test_setup_teardown(test_bad_pictures_are_named, make_set, temporary_teardown),
        cmocka_unit_test_setup_teardown(test_missing_and_empty_folders, make_set, temporary_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
