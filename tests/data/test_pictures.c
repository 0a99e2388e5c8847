/* Class folders: their order, what counts as a picture, titles, and every way in which they can be wrong. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/pictures.h"
#include "tests/support/temporary.h"

static void touch(const char *root, const char *name)
{
    temporary_file(root, name, "x", 1);
}

static void make_folder(const char *root, const char *name)
{
    char *path = temporary_path(root, "%s", name);
    assert_int_equal(mkdir(path, 0777), 0);
    free(path);
}

static void assert_path(const struct pictures *set, uint32_t picture, const char *root, const char *name)
{
    char *path, *expected = temporary_path(root, "%s", name);
    check_ok(pictures_path(set, picture, &path));
    assert_string_equal(path, expected);
    free(path);
    free(expected);
}

static void classes_and_files_are_in_byte_order(void **state)
{
    const char *root = *state;
    struct pictures *set;
    touch(root, "train/n2/b.JPEG");
    touch(root, "train/n2/a10.jpg");
    touch(root, "train/n2/a9.Png");
    touch(root, "train/n10/z.png");
    touch(root, "train/Zebra/q.jpeg");
    check_ok(pictures_open(root, "train", NULL, &set));
    assert_int_equal(set->class_count, 3);
    assert_int_equal(set->count, 5);
    assert_string_equal(set->class_names[0], "Zebra");
    assert_string_equal(set->class_names[1], "n10");
    assert_string_equal(set->class_names[2], "n2");
    assert_string_equal(set->class_titles[2], "n2");
    assert_path(set, 0, root, "train/Zebra/q.jpeg");
    assert_path(set, 1, root, "train/n10/z.png");
    assert_path(set, 2, root, "train/n2/a10.jpg");
    assert_path(set, 3, root, "train/n2/a9.Png");
    assert_path(set, 4, root, "train/n2/b.JPEG");
    const uint32_t labels[] = {0, 1, 2, 2, 2};
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(pictures_label(set, i), labels[i]);
    pictures_free(set);
}

static void other_files_are_left_out_and_links_followed(void **state)
{
    const char *root = *state;
    struct pictures *set;
    touch(root, "elsewhere/p.jpg");
    touch(root, "train/cat/1.jpg");
    touch(root, "train/cat/.hidden.jpg");
    touch(root, "train/cat/notes.txt");
    touch(root, "train/cat/jpg");
    touch(root, "train/cat/deeper/2.jpg");
    touch(root, "train/.cache/3.jpg");
    touch(root, "train/README.md");
    touch(root, "train/loose.jpg");
    char *folder_link = temporary_path(root, "train/dog"),
         *file_link = temporary_path(root, "train/cat/0.jpg");
    char *lost_link = temporary_path(root, "train/cat/2.jpg");
    assert_int_equal(symlink("../elsewhere", folder_link), 0);
    assert_int_equal(symlink("../../elsewhere/p.jpg", file_link), 0);
    assert_int_equal(symlink("nowhere", lost_link), 0);
    check_ok(pictures_open(root, "train", NULL, &set));
    assert_int_equal(set->class_count, 2);
    assert_int_equal(set->count, 4);
    assert_int_equal(set->ignored, 2);
    assert_path(set, 0, root, "train/cat/0.jpg");
    assert_path(set, 2, root, "train/cat/2.jpg"); /* leads nowhere: found out when it is read */
    assert_path(set, 3, root, "train/dog/p.jpg");
    pictures_free(set);
    free(folder_link);
    free(file_link);
    free(lost_link);
}

static void trailing_slashes_do_not_matter(void **state)
{
    const char *root = *state;
    char *slashed = temporary_path(root, "/");
    struct pictures *set;
    touch(root, "cat/1.jpg");
    check_ok(pictures_open(slashed, "", NULL, &set));
    assert_path(set, 0, root, "cat/1.jpg");
    pictures_free(set);
    free(slashed);
}

static void missing_and_empty_folders_are_named(void **state)
{
    const char *root = *state;
    struct pictures *set;
    assert_false(pictures_exist(root, "train"));
    check_error(pictures_open(root, "train", NULL, &set), TTT_ARGUMENT, "/train: no such folder");
    assert_null(set);
    touch(root, "file");
    check_error(pictures_open(root, "file", NULL, &set), TTT_ARGUMENT, "/file: no such folder");
    make_folder(root, "train");
    assert_true(pictures_exist(root, "train"));
    check_error(pictures_open(root, "train", NULL, &set), TTT_ARGUMENT, "/train: holds no class folders");
    touch(root, "train/cat/1.jpg");
    make_folder(root, "train/dog");
    check_error(pictures_open(root, "train", NULL, &set), TTT_ARGUMENT,
                "/train/dog: the class has no pictures");
    touch(root, "train/dog/notes.txt");
    check_error(pictures_open(root, "train", NULL, &set), TTT_ARGUMENT,
                "/train/dog: the class has no pictures");
}

static void unreadable_folders_are_failures(void **state)
{
    if (geteuid() == 0) {
        print_message("skipped: root may read every folder\n");
        skip();
    }
    const char *root = *state;
    struct pictures *set;
    touch(root, "train/cat/1.jpg");
    char *folder = temporary_path(root, "train/cat");
    assert_int_equal(chmod(folder, 0), 0);
    check_error(pictures_open(root, "train", NULL, &set), TTT_IO, "/train/cat: the folder cannot be read");
    assert_int_equal(chmod(folder, 0777), 0);
    free(folder);
}

static void val_takes_the_classes_of_train(void **state)
{
    const char *root = *state;
    struct pictures *train, *val;
    touch(root, "train/ant/1.jpg");
    touch(root, "train/bee/1.jpg");
    touch(root, "train/cat/1.jpg");
    touch(root, "val/ant/7.jpg");
    touch(root, "val/cat/8.jpg");
    touch(root, "val/cat/9.jpg");
    check_ok(pictures_open(root, "train", NULL, &train));
    check_ok(pictures_open(root, "val", train, &val));
    assert_int_equal(val->class_count, 3);
    assert_int_equal(val->count, 3);
    assert_int_equal(pictures_label(val, 0), 0);
    assert_int_equal(pictures_label(val, 1), 2);
    assert_int_equal(pictures_label(val, 2), 2);
    assert_path(val, 1, root, "val/cat/8.jpg");
    pictures_free(val);

    touch(root, "val/dog/1.jpg");
    check_error(pictures_open(root, "val", train, &val), TTT_ARGUMENT,
                "/val/dog: the class is not among the 3 of");
    pictures_free(train);
}

static void titles_come_from_classes_txt(void **state)
{
    static const char lines[] = "0\tn01\ttench, Tinca tinca\r\n\nn02\tEnglish springer\nn03 cassette player\n"
                                "7\tn99\tnot here\n";
    const char *root = *state;
    struct pictures *train, *val;
    touch(root, "train/n01/1.jpg");
    touch(root, "train/n02/1.jpg");
    touch(root, "train/n03/1.jpg");
    touch(root, "train/n04/1.jpg");
    touch(root, "val/n03/1.jpg");
    temporary_file(root, "classes.txt", lines, strlen(lines));
    check_ok(pictures_open(root, "train", NULL, &train));
    check_ok(pictures_open(root, "val", train, &val));
    assert_string_equal(train->class_titles[0], "tench, Tinca tinca");
    assert_string_equal(train->class_titles[1], "English springer");
    assert_string_equal(train->class_titles[2], "cassette player");
    assert_string_equal(train->class_titles[3], "n04");
    assert_string_equal(val->class_titles[2], "cassette player");
    pictures_free(val);
    pictures_free(train);
}

static void a_line_without_title_is_refused(void **state)
{
    static const char lines[] = "n01 tench\nn02\n";
    const char *root = *state;
    struct pictures *set;
    touch(root, "train/n01/1.jpg");
    temporary_file(root, "classes.txt", lines, strlen(lines));
    check_error(pictures_open(root, "train", NULL, &set), TTT_FORMAT, "/classes.txt:2: ");
    assert_null(set);
}

static void many_pictures_keep_their_names(void **state)
{
    const char *root = *state;
    struct pictures *set;
    for (int i = 0; i < 700; i++) {
        char name[64];
        snprintf(name, sizeof(name), "train/c%d/picture_%04d.jpg", i % 7, 699 - i);
        touch(root, name);
    }
    check_ok(pictures_open(root, "train", NULL, &set));
    assert_int_equal(set->count, 700);
    for (uint32_t i = 0; i < 700; i++) {
        uint32_t label = pictures_label(set, i), rank = i % 100;
        char name[64];
        uint32_t number = rank * 7 + (699 - label) % 7;
        snprintf(name, sizeof(name), "train/c%u/picture_%04u.jpg", label, number);
        assert_int_equal(label, i / 100);
        assert_path(set, i, root, name);
    }
    pictures_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        temporary_test(classes_and_files_are_in_byte_order),
        temporary_test(other_files_are_left_out_and_links_followed),
        temporary_test(trailing_slashes_do_not_matter),
        temporary_test(missing_and_empty_folders_are_named),
        temporary_test(unreadable_folders_are_failures),
        temporary_test(val_takes_the_classes_of_train),
        temporary_test(titles_come_from_classes_txt),
        temporary_test(a_line_without_title_is_refused),
        temporary_test(many_pictures_keep_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
