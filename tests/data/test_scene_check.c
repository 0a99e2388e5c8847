/* The check of scenes: sound ones are clean, every wrong reading of their poses is found, and named. */
#include "tests/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/make_scenes.h"
#include "data/scenes/scene_check.h"
#include "tests/data/scene_files.h"
#include "tests/support/temporary.h"

static const struct scene_options STRICT = {0};

/* Judges a scene whose poses are misread in each way; the best reading undoes the mistake.
 * unclear: a reading that the pictures can neither tell apart nor are to accuse; AXES_AS_GIVEN: none. */
static void check_readings(const struct scene *scene, enum axes_reading unclear)
{
    static const enum axes_reading undone_by[AXES_READINGS] = {AXES_AS_GIVEN, AXES_FLIPPED, AXES_INVERTED,
                                                               AXES_INVERTED, AXES_ROLLED,  AXES_TURNED};
    struct scene wrong = *scene;
    wrong.views = check_alloc(scene->view_count, sizeof *wrong.views);
    for (int r = 0; r < AXES_READINGS; r++) {
        struct scene_axes axes;
        for (uint32_t i = 0; i < scene->view_count; i++) {
            wrong.views[i] = scene->views[i];
            wrong.views[i].c2w = axes_read(&scene->views[i].c2w, (enum axes_reading)r);
        }
        check_ok(scene_axes_judge(&wrong, &axes));
        bool decided = r == AXES_AS_GIVEN || r != (int)unclear;
        bool suspect = decided && r != AXES_AS_GIVEN;
        if (axes.suspect != suspect || axes.by_pictures != decided ||
            axes.best != (decided ? undone_by[r] : AXES_AS_GIVEN))
            fail_msg("%s misread as %d: suspect %d, best %d, scores %.3f %.3f %.3f %.3f %.3f %.3f",
                     scene->path, r, axes.suspect, axes.best, axes.score[0], axes.score[1], axes.score[2],
                     axes.score[3], axes.score[4], axes.score[5]);
    }
    free(wrong.views);
}

static void made_scenes(void **state)
{
    struct make_scenes_options make = make_scenes_options_default();
    make.count = 3;
    make.views = 14;
    check_ok(make_scenes(*state, &make));
    for (int i = 0; i < 3; i++) {
        struct scene scene;
        char *folder = temporary_path(*state, "%05d", i);
        check_ok(scene_open(folder, &STRICT, &scene));
        check_readings(&scene, AXES_AS_GIVEN);
        scene_free(&scene);
        free(folder);
    }
}

static void real_scenes(void **state)
{
    (void)state;
    static const char *const names[] = {"gso_toy",   "gso_character", "ingp_fox",
                                        "llff_fern", "nerf_lego",     "sevenscenes_1000"};
    struct stat about;
    if (stat(TEST_SHARED_DATA "/scenes", &about)) {
        print_message("skipped: no real scenes at %s/scenes\n", TEST_SHARED_DATA);
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct scene scene;
        char *path = temporary_path(TEST_SHARED_DATA "/scenes", "%s", names[i]);
        check_ok(scene_open(path, &STRICT, &scene));
        /* The last is a blurred indoor video: its pairs disagree about a turn. */
        check_readings(&scene, i == 5 ? AXES_TURNED : AXES_AS_GIVEN);
        scene_free(&scene);
        free(path);
    }
}

/* Photographs through a lens: the undistorted ones fit the poses as well as the derived list does. */
static void real_distortion(void **state)
{
    (void)state;
    const struct scene_options lenient = {.leave_out_missing = true};
    struct scene scene;
    struct scene_axes axes;
    struct stat about;
    if (stat(TEST_SHARED_DATA "/scenes/ingp_fox", &about)) {
        print_message("skipped: no real scenes at %s/scenes\n", TEST_SHARED_DATA);
        skip();
    }
    check_ok(scene_open(TEST_SHARED_DATA "/scenes/ingp_fox/transforms.json", &lenient, &scene));
    assert_int_equal(scene.view_count, 25);
    assert_false(distortion_is_none(&scene.views[0].distortion));
    check_ok(scene_axes_judge(&scene, &axes));
    assert_false(axes.suspect);
    assert_true(axes.score[AXES_AS_GIVEN] > 0.75);
    scene_free(&scene);
}

/* Blank pictures say nothing: the cameras, on a ring, do. */
static void blank_pictures(void **state)
{
    struct scene scene;
    struct scene_axes axes;
    scene_write_ring(*state, 8, 16, 16);
    check_ok(scene_open(*state, &STRICT, &scene));
    for (uint32_t i = 0; i < 8; i++) {
        /* A picture too small for a single patch with texture. */
        scene.views[i].width = scene.views[i].height = 6;
        char name[32];
        snprintf(name, sizeof name, "%02u.png", i);
        scene_picture(*state, name, 6, 6, 0);
    }
    for (int turned = 0; turned < 2; turned++) {
        check_ok(scene_axes_judge(&scene, &axes));
        assert_false(axes.by_pictures);
        assert_int_equal(axes.suspect, turned);
        for (uint32_t i = 0; i < 8; i++)
            scene.views[i].c2w = pose_flip_axes(&scene.views[i].c2w);
    }
    scene_free(&scene);
}

static void numbers(void **state)
{
    struct scene scene;
    struct scene_check check;
    struct image map;
    scene_write_ring(*state, 4, 24, 16);
    check_ok(scene_open(*state, &STRICT, &scene));
    check_ok(scene_check(&scene, 2, &check));
    assert_true(check.width.median == 24 && check.height.largest == 16 && check.fx.smallest == 40);
    assert_true(fabs(check.field_of_view.median - 2 * atan(12.0 / 40) * 180 / M_PI) < 1e-9);
    /* Four cameras on a circle of radius 3. */
    assert_true(fabs(check.extent - 6) < 1e-9 && fabs(check.nearest.median - 3 * sqrt(2)) < 1e-9);
    assert_true(fabs(check.box[0] - 6) < 1e-9 && fabs(check.box[1]) < 1e-9);
    assert_int_equal(check.axes.meeting, 6);
    assert_int_equal(check.bad, 0);
    scene_check_free(&check);
    check_ok(scene_map(&scene, 200, &map));
    uint32_t blue = 0, red = 0;
    for (int i = 0; i < 200 * 200; i++) {
        const uint8_t *p = map.pixels + 3 * i;
        blue += p[2] > 150 && p[0] < 100;
        red += p[0] > 150 && p[2] < 100;
    }
    /* The first camera is blue, the last red, and the page is mostly empty. */
    assert_true(blue > 20 && blue < 2000 && red > 20 && red < 2000);
    image_free(&map);
    temporary_file(*state, "02.png", "broken", 6);
    check_ok(scene_check(&scene, 1, &check));
    assert_int_equal(check.bad, 1);
    assert_non_null(strstr(check.first_bad, "02.png"));
    scene_check_free(&check);
    scene_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {temporary_test(made_scenes), cmocka_unit_test(real_scenes),
                                       cmocka_unit_test(real_distortion), temporary_test(blank_pictures),
                                       temporary_test(numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
