/* What a run remembers of its classes. */
#include "train/class_names.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/temporary.h"

static char *folder;

static int set_up(void **state)
{
    (void)state;
    folder = temporary_folder();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temporary_remove(folder);
    return 0;
}

static void classes_are_read_as_they_were_written(void **state)
{
    (void)state;
    char *names[] = {"n01440764", "n02102040", "with space"},
         *titles[] = {"tench", "spaniel, \t\"springer\"", "x"};
    struct pictures written = {.folder = "x", .class_count = 3, .class_names = names, .class_titles = titles};
    struct pictures *read;
    check_ok(class_names_write(&written, folder));
    check_ok(class_names_read(folder, &read));
    assert_int_equal(read->class_count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(read->class_names[i], names[i]);
    assert_string_equal(read->class_titles[0], "tench");
    assert_string_equal(read->class_titles[1], "spaniel, ?\"springer\"");
    assert_int_equal(pictures_find_class(read, "n02102040"), 1);
    pictures_free(read);
}

static void no_file_is_no_error(void **state)
{
    (void)state;
    struct pictures *read;
    check_ok(class_names_read(folder, &read));
    assert_null(read);
}

static void names_that_no_line_can_hold(void **state)
{
    (void)state;
    char *names[] = {"a\nb"}, *titles[] = {"a"};
    struct pictures written = {
        .folder = "set", .class_count = 1, .class_names = names, .class_titles = titles};
    check_error(class_names_write(&written, folder), TTT_UNSUPPORTED,
                "set: the name of class folder 0 has a control character");
    char *path = temporary_path(folder, "classes.txt");
    assert_int_equal(access(path, F_OK), -1);
    free(path);
    names[0] = "a";
    check_error(class_names_write(&written, "/nowhere"), TTT_IO, "/nowhere/.classes.txt: cannot be written");
}

static void lines_that_are_not_ours(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {{"a\ta\nb\n", "classes.txt:2: should be a class folder, a tab, and its title"},
                 {"\ta\n", "classes.txt:1: should be"},
                 {"a\t\n", "classes.txt:1: should be"},
                 {"", "classes.txt: empty"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pictures *read;
        temporary_file(folder, "classes.txt", cases[i].text, strlen(cases[i].text));
        check_error(class_names_read(folder, &read), TTT_FORMAT, cases[i].error);
        assert_null(read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classes_are_read_as_they_were_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_file_is_no_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_no_line_can_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_that_are_not_ours, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
