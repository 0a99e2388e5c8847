/* Bad files under the loader: replaced, left out of evaluation, or an error. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/data/loader_sets.h"

/* What the loader said, one line after the other. */
struct heard {
    int lines;
    char text[4096];
};

static void hear(void *context, const char *line)
{
    struct heard *heard = context;
    heard->lines++;
    strncat(heard->text, line, sizeof(heard->text) - strlen(heard->text) - 1);
}

static void bad_files_are_replaced_by_the_next(void **state)
{
    (void)state;
    for (int threads = 0; threads < 3; threads += 2) {
        struct heard heard = {0};
        struct loader_options options = options_for(true, threads);
        struct loader *loader;
        struct batch batch;
        int seen[TRAIN] = {0};
        ruin(train, 5);
        ruin(train, 6);
        ruin(train, TRAIN - 1);
        options.report = hear;
        options.context = &heard;
        check_ok(loader_create(train, &options, &loader));
        for (int b = 0; b < 22; b++) {
            check_ok(loader_next(loader, &batch));
            for (int i = 0; i < batch.count; i++) {
                seen[batch.indices[i]]++;
                assert_int_equal(batch.labels[i], pictures_label(train, batch.indices[i]));
            }
        }
        for (int i = 0; i < TRAIN; i++) {
            bool ruined = i == 5 || i == 6 || i == TRAIN - 1;
            assert_int_equal(seen[i], ruined ? 0 : i == 7 ? 6 : i == 0 ? 4 : 2);
        }
        assert_int_equal(heard.lines, 3);
        assert_non_null(strstr(heard.text, "/train/cube/"));
        struct loader_statistics statistics = loader_statistics(loader);
        assert_int_equal(statistics.bad_files, 3);
        assert_int_equal(statistics.pictures, 82);
        assert_int_equal(statistics.threads, threads ? threads : 1);
        assert_true(statistics.decode_seconds > 0);
        assert_true(statistics.waited > 0);
        loader_destroy(loader);
    }
}

static void bad_files_are_left_out_of_evaluation(void **state)
{
    (void)state;
    for (uint32_t i = 4; i < 8; i++) /* a whole batch */
        ruin(val, i);
    ruin(val, 1);
    for (int threads = 0; threads < 3; threads++) {
        static const uint32_t expected[] = {0, 2, 3, 8, 9, 10, 11, 12};
        static const int counts[] = {3, 4, 1, 0};
        struct loader_options options = options_for(false, threads);
        struct loader *loader;
        struct batch batch;
        int position = 0;
        check_ok(loader_create(val, &options, &loader));
        for (int b = 0; b < 4; b++) {
            check_ok(loader_next(loader, &batch));
            assert_int_equal(batch.count, counts[b]);
            for (int i = 0; i < batch.count; i++)
                assert_int_equal(batch.indices[i], expected[position++]);
        }
        assert_int_equal(loader_statistics(loader).bad_files, 5);
        loader_destroy(loader);
    }
}

static void a_bad_file_can_stop_the_run(void **state)
{
    (void)state;
    ruin(val, 6);
    ruin(val, 7);
    for (int threads = 0; threads < 4; threads++) {
        struct loader_options options = options_for(false, threads);
        struct loader *loader;
        struct batch batch;
        options.bad_file = LOADER_STOP;
        char *path;
        check_ok(pictures_path(val, 6, &path));
        check_ok(loader_create(val, &options, &loader));
        check_ok(loader_next(loader, &batch));
        check_error(loader_next(loader, &batch), TTT_FORMAT, path);
        check_error(loader_next(loader, &batch), TTT_FORMAT, path);
        loader_destroy(loader);
        free(path);
    }
}

static void a_set_of_bad_files_is_an_error(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TRAIN; i++)
        ruin(train, i);
    for (uint32_t i = 0; i < VAL; i++)
        ruin(val, i);
    for (int threads = 0; threads < 3; threads++)
        for (int training = 0; training < 2; training++) {
            struct loader_options options = options_for(training == 1, threads);
            struct loader *loader;
            struct batch batch;
            check_ok(loader_create(training ? train : val, &options, &loader));
            check_error(loader_next(loader, &batch), TTT_FORMAT, "pictures can be decoded");
            check_error(loader_next(loader, &batch), TTT_FORMAT, "pictures can be decoded");
            loader_destroy(loader);
        }
}

static void files_that_vanish_are_bad_files(void **state)
{
    (void)state;
    char *path;
    check_ok(pictures_path(val, 0, &path));
    assert_int_equal(remove(path), 0);
    struct heard heard = {0};
    struct loader_options options = options_for(false, 1);
    struct loader *loader;
    struct batch batch;
    options.report = hear;
    options.context = &heard;
    check_ok(loader_create(val, &options, &loader));
    check_ok(loader_next(loader, &batch));
    assert_int_equal(batch.count, 3);
    assert_int_equal(heard.lines, 1);
    assert_non_null(strstr(heard.text, path));
    loader_destroy(loader);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_files_are_replaced_by_the_next, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(bad_files_are_left_out_of_evaluation, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(a_bad_file_can_stop_the_run, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(a_set_of_bad_files_is_an_error, make_sets, remove_sets),
        cmocka_unit_test_setup_teardown(files_that_vanish_are_bad_files, make_sets, remove_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
