/* The embedded scenes: the same files from any number of threads, lists, and folders it refuses. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/make_scenes.h"
#include "data/scenes/scene_set.h"
#include "tests/support/temporary.h"

static struct make_scenes_options small(int threads)
{
    struct make_scenes_options options = make_scenes_options_default();
    options.count = 4;
    options.views = 5;
    options.size = 20;
    options.threads = threads;
    return options;
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    char *path_a = temporary_path(a, "%s", name), *path_b = temporary_path(b, "%s", name);
    temporary_check_same(path_a, path_b);
    free(path_a), free(path_b);
}

static void threads_do_not_matter(void **state)
{
    char *one = temporary_path(*state, "one"), *three = temporary_path(*state, "three");
    struct make_scenes_options options = small(1);
    check_ok(make_scenes(one, &options));
    options = small(3);
    check_ok(make_scenes(three, &options));
    check_ok(make_scenes(three, &options));
    for (int s = 0; s < 4; s++)
        for (int v = -1; v < 5; v++) {
            char name[64];
            snprintf(name, sizeof name, v < 0 ? "%05d/opencv_cameras.json" : "%05d/images/%03d.png", s, v);
            assert_same_file(one, three, name);
        }
    assert_same_file(one, three, "train.json");
    assert_same_file(one, three, "scenes.json");
    free(one), free(three);
}

static void lists_are_the_scenes(void **state)
{
    static const struct {
        const char *name;
        uint32_t count;
        const char *first;
    } lists[] = {{"train.json", 3, "00000"}, {"val.json", 1, "00003"}, {"scenes.json", 4, "00000"}};
    const struct scene_set_options open = {.threads = 1, .least_side = 20};
    struct make_scenes_options options = small(2);
    char *out = temporary_path(*state, "out");
    check_ok(make_scenes(out, &options));
    for (int i = 0; i < 3; i++) {
        struct scene_set set;
        char *path = temporary_path(out, "%s", lists[i].name);
        check_ok(scene_set_open(path, &open, &set));
        assert_int_equal(set.count, lists[i].count);
        assert_int_equal(set.skipped, 0);
        assert_int_equal(set.scenes[0].view_count, 5);
        assert_string_equal(set.scenes[0].name, lists[i].first);
        scene_set_free(&set);
        free(path);
    }
    free(out);
}

/* A scene does not depend on how many there are, or how many views it has. */
static void scenes_are_independent(void **state)
{
    char *few = temporary_path(*state, "few"), *many = temporary_path(*state, "many");
    struct make_scenes_options options = small(2);
    check_ok(make_scenes(few, &options));
    options.count = 5;
    options.views = 6;
    check_ok(make_scenes(many, &options));
    assert_same_file(few, many, "00003/images/004.png");
    options.seed = 1;
    char *other = temporary_path(*state, "other");
    check_ok(make_scenes(other, &options));
    size_t size_a, size_b;
    char *a = temporary_path(many, "00000/images/000.png"),
         *b = temporary_path(other, "00000/images/000.png");
    uint8_t *bytes_a = temporary_read(a, &size_a), *bytes_b = temporary_read(b, &size_b);
    assert_true(size_a != size_b || memcmp(bytes_a, bytes_b, size_a));
    free(few), free(many), free(other), free(a), free(b), free(bytes_a), free(bytes_b);
}

static void refusals(void **state)
{
    struct make_scenes_options options = small(1);
    check_ok(make_scenes(*state, &options));
    options.size = 24;
    check_error(make_scenes(*state, &options), TTT_ARGUMENT, "made with other options");
    options.views = 1;
    check_error(make_scenes(*state, &options), TTT_ARGUMENT, "views 1: must be 2 to 1000");
    options = small(1);
    char *full = temporary_path(*state, "00000");
    check_error(make_scenes(full, &options), TTT_ARGUMENT, "not empty");
    check_error(make_scenes("", &options), TTT_ARGUMENT, "empty name");
    check_error(make_scenes("/proc/none/scenes", &options), TTT_IO, "/proc/none");
    free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {temporary_test(threads_do_not_matter),
                                       temporary_test(lists_are_the_scenes),
                                       temporary_test(scenes_are_independent), temporary_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
