/* Paths of cameras: circles, ways between views, and what is written read back. */
#include "tests/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/camera_path.h"
#include "tests/data/scene_files.h"
#include "tests/support/temporary.h"
#include "ttt/base/random.h"

enum { CAMERAS = 6, FRAMES = 24, POSE_SIDE = 4 };

static void ring(struct camera *cameras)
{
    for (int i = 0; i < CAMERAS; i++) {
        cameras[i] = (struct camera){.c2w = scene_ring_pose(i, CAMERAS)};
        for (int k = 0; k < 4; k++)
            cameras[i].fxfycxcy[k] = 40 + k + 0.5 * i;
    }
}

static double distance(const struct pose *a, const struct pose *b)
{
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += (a->m[i][3] - b->m[i][3]) * (a->m[i][3] - b->m[i][3]);
    return sqrt(sum);
}

static void check_alike(const struct pose *a, const struct pose *b, double tolerance)
{
    for (int i = 0; i < POSE_SIDE; i++)
        for (int k = 0; k < POSE_SIDE; k++)
            if (!(fabs(a->m[i][k] - b->m[i][k]) <= tolerance))
                fail_msg("row %d, column %d: %g and %g", i, k, a->m[i][k], b->m[i][k]);
}

/* The angle of the rotation between two poses. */
static double turn_between(const struct pose *a, const struct pose *b)
{
    const struct pose back = pose_inverse(a), step = pose_product(&back, b);
    const double c = (step.m[0][0] + step.m[1][1] + step.m[2][2] - 1) / 2;
    return acos(fmin(1, fmax(-1, c)));
}

static void names(void **state)
{
    (void)state;
    enum camera_path path;
    for (int i = CAMERA_TARGETS; i <= CAMERA_INTERPOLATE; i++) {
        check_ok(camera_path_parse(camera_path_name((enum camera_path)i), &path));
        assert_int_equal(path, i);
    }
    check_error(camera_path_parse("spiral", &path), TTT_ARGUMENT, "targets, turntable or interpolate");
}

/* On a ring that looks at its middle the turntable goes through every camera of the ring. */
static void turntable_follows_a_ring(void **state)
{
    (void)state;
    struct camera cameras[CAMERAS], path[FRAMES];
    ring(cameras);
    check_ok(camera_turntable(cameras, CAMERAS, FRAMES, path));
    check_alike(&path[0].c2w, &cameras[0].c2w, 1e-9);
    for (int i = 0; i < CAMERAS; i++) {
        double nearest = INFINITY;
        for (int k = 0; k < FRAMES; k++)
            nearest = fmin(nearest, distance(&path[k].c2w, &cameras[i].c2w));
        assert_true(nearest < 1e-9);
    }
    for (int k = 0; k < FRAMES; k++) {
        check_ok(pose_check(&path[k].c2w));
        assert_true(fabs(path[k].fxfycxcy[2] - (42 + 0.5 * (CAMERAS - 1) / 2)) < 1e-12);
        const double step = turn_between(&path[k].c2w, &path[(k + 1) % FRAMES].c2w);
        assert_true(step > 0.1 && step <= 2 * M_PI / FRAMES + 1e-9);
    }
}

/* It does not matter where the scene's origin is or how its axes turn. */
static void turntable_moves_with_the_scene(void **state)
{
    (void)state;
    const double s = sin(0.7), c = cos(0.7);
    const struct pose move = {{{c, -s, 0, 3}, {s, c, 0, -50}, {0, 0, 1, 7}, {0, 0, 0, 1}}};
    struct camera cameras[CAMERAS], path[FRAMES], moved[FRAMES];
    ring(cameras);
    check_ok(camera_turntable(cameras, CAMERAS, FRAMES, path));
    for (int i = 0; i < CAMERAS; i++)
        cameras[i].c2w = pose_product(&move, &cameras[i].c2w);
    check_ok(camera_turntable(cameras, CAMERAS, FRAMES, moved));
    for (int k = 0; k < FRAMES; k++) {
        const struct pose expected = pose_product(&move, &path[k].c2w);
        check_alike(&moved[k].c2w, &expected, 1e-8);
    }
}

/* A level camera that looks at the origin from an angle around the axis and one above its floor, z = 0. */
static struct camera level_camera(double around, double above)
{
    const double sa = sin(around), ca = cos(around), sb = sin(above), cb = cos(above);
    return (struct camera){.c2w = {{{-sa, sb * ca, -cb * ca, 4 * cb * ca},
                                    {ca, sb * sa, -cb * sa, 4 * cb * sa},
                                    {0, -cb, -sb, 4 * sb},
                                    {0, 0, 0, 1}}},
                           .fxfycxcy = {40, 40, 10, 10}};
}

/* Every camera of a turntable stands at one height, and its right axis is level. */
static void check_level(const struct camera *path, double height)
{
    for (int k = 0; k < FRAMES; k++) {
        check_ok(pose_check(&path[k].c2w));
        assert_true(fabs(path[k].c2w.m[2][3] - height) < 1e-9 && fabs(path[k].c2w.m[2][0]) < 1e-9);
        assert_true(path[k].c2w.m[2][1] < 0);
    }
}

/* Cameras on one side, most of them high: their mean up axis leans away from them, the circle does not. */
static void turntable_is_level(void **state)
{
    (void)state;
    const struct camera cameras[] = {level_camera(0, 1.2), level_camera(0.4, 1.1), level_camera(0.7, 1.2),
                                     level_camera(1.6, 0.2)};
    struct camera path[FRAMES], swapped[] = {cameras[2], cameras[3], cameras[0]};
    check_ok(camera_turntable(cameras, 4, FRAMES, path));
    check_level(path, (2 * sin(1.2) + sin(1.1) + sin(0.2)) * 4 / 4);
    check_ok(camera_turntable(swapped, 3, FRAMES, path));
    check_level(path, (2 * sin(1.2) + sin(0.2)) * 4 / 3);
    check_ok(camera_turntable(cameras, 2, FRAMES, path));
    check_level(path, (sin(1.2) + sin(1.1)) * 4 / 2);
}

/* Right axes that are parallel, or point everywhere, do not say what is up: the mean up axis does. */
static void turntable_without_level_cameras(void **state)
{
    (void)state;
    const struct camera sweep[] = {level_camera(0, 0.3), level_camera(0, 0.5), level_camera(0.01, 0.7)};
    struct camera cameras[CAMERAS], path[FRAMES];
    check_ok(camera_turntable(sweep, 3, FRAMES, path));
    assert_true(fabs(-path[0].c2w.m[2][1] - cos(0.5)) < 0.1); /* leans as the middle one does */
    ring(cameras);
    for (int i = 0; i < CAMERAS;
         i++) { /* rolled by a quarter turn, one to the left and the next to the right */
        const struct pose roll = {
            {{0, i % 2 ? 1 : -1, 0, 0}, {i % 2 ? -1 : 1, 0, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
        if (i > 1)
            cameras[i].c2w = pose_product(&cameras[i].c2w, &roll);
    }
    check_ok(camera_turntable(cameras, CAMERAS, FRAMES, path));
    for (int k = 0; k < FRAMES; k++)
        check_ok(pose_check(&path[k].c2w));
}

static void turntable_needs_a_point(void **state)
{
    (void)state;
    struct camera cameras[CAMERAS], path[FRAMES];
    ring(cameras);
    for (int i = 0; i < CAMERAS; i++) {
        cameras[i].c2w = cameras[0].c2w;
        cameras[i].c2w.m[0][3] += i;
    }
    check_error(camera_turntable(cameras, CAMERAS, FRAMES, path), TTT_UNSUPPORTED, "parallel");
    check_error(camera_turntable(cameras, 1, FRAMES, path), TTT_UNSUPPORTED, "parallel");
    ring(cameras);
    for (int i = 0; i < CAMERAS; i++)
        for (int row = 0; row < 3; row++) { /* turned round their down axis: they look outwards */
            cameras[i].c2w.m[row][0] *= -1;
            cameras[i].c2w.m[row][2] *= -1;
        }
    check_error(camera_turntable(cameras, CAMERAS, FRAMES, path), TTT_UNSUPPORTED, "part");
}

static void interpolation_meets_every_camera(void **state)
{
    (void)state;
    enum { PER_STEP = 4, ALL = PER_STEP * (CAMERAS - 1) + 1 };
    struct camera cameras[CAMERAS], path[ALL];
    ring(cameras);
    camera_interpolate(cameras, CAMERAS, ALL, path);
    for (int i = 0; i < ALL; i++) {
        const int from = i / PER_STEP < CAMERAS - 1 ? i / PER_STEP : CAMERAS - 2;
        const double t = (double)(i - from * PER_STEP) / PER_STEP;
        const struct camera *a = &cameras[from], *b = &cameras[from + 1];
        check_ok(pose_check(&path[i].c2w));
        assert_true(fabs(turn_between(&a->c2w, &path[i].c2w) - t * turn_between(&a->c2w, &b->c2w)) < 1e-6);
        assert_true(fabs(distance(&a->c2w, &path[i].c2w) - t * distance(&a->c2w, &b->c2w)) < 1e-9);
        assert_true(fabs(path[i].fxfycxcy[0] - (a->fxfycxcy[0] + 0.5 * t)) < 1e-9);
        if (i % PER_STEP == 0)
            check_alike(&path[i].c2w, &cameras[i / PER_STEP].c2w, 1e-9);
    }
    camera_interpolate(cameras, CAMERAS, 1, path);
    check_alike(&path[0].c2w, &cameras[0].c2w, 0);
    camera_interpolate(cameras, 1, 3, path);
    check_alike(&path[2].c2w, &cameras[0].c2w, 1e-12);
}

/* Half a turn has two shorter ways; either is a path of sound poses that ends where it should. */
static void interpolation_over_half_a_turn(void **state)
{
    (void)state;
    for (int axis = 0; axis < 3; axis++) {
        struct camera cameras[2], path[5];
        cameras[0] = (struct camera){.c2w = scene_ring_pose(1, CAMERAS), .fxfycxcy = {1, 1, 1, 1}};
        cameras[1] = cameras[0];
        for (int row = 0; row < 3; row++)
            for (int column = 0; column < 3; column++)
                cameras[1].c2w.m[row][column] *= column == axis ? 1 : -1;
        camera_interpolate(cameras, 2, 5, path);
        for (int i = 0; i < 5; i++)
            check_ok(pose_check(&path[i].c2w));
        check_alike(&path[4].c2w, &cameras[1].c2w, 1e-6);
        assert_true(fabs(turn_between(&path[0].c2w, &path[2].c2w) - M_PI / 2) < 1e-6);
    }
}

static void written_cameras_are_a_scene(void **state)
{
    (void)state;
    char *folder = temporary_folder(), *frames = temporary_path(folder, "frames"),
         *file = temporary_path(folder, "opencv_cameras.json");
    struct camera cameras[CAMERAS];
    struct scene scene;
    ring(cameras);
    for (int i = 0; i < CAMERAS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%04d.png", i);
        scene_picture(frames, name, 20, 12, i);
    }
    check_ok(cameras_write(file, cameras, CAMERAS, 12, 20, "frames"));
    check_ok(scene_open(folder, &(struct scene_options){0}, &scene));
    assert_int_equal(scene.view_count, CAMERAS);
    for (int i = 0; i < CAMERAS; i++) {
        check_alike(&scene.views[i].c2w, &cameras[i].c2w, 1e-12);
        assert_memory_equal(scene.views[i].fxfycxcy, cameras[i].fxfycxcy, sizeof cameras[i].fxfycxcy);
        assert_int_equal(scene.views[i].width, 20);
        assert_int_equal(scene.views[i].height, 12);
    }
    uint32_t views[2] = {4, 1};
    struct camera chosen[2];
    check_ok(cameras_of_views(&scene, views, 2, 12, 20, chosen));
    check_alike(&chosen[0].c2w, &cameras[4].c2w, 1e-12);
    check_alike(&chosen[1].c2w, &cameras[1].c2w, 1e-12);
    check_error(cameras_write("/nowhere/cameras.json", cameras, 1, 12, 20, "frames"), TTT_IO, "/nowhere");
    scene_free(&scene);
    free(file);
    free(frames);
    temporary_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(turntable_follows_a_ring),
        cmocka_unit_test(turntable_moves_with_the_scene),
        cmocka_unit_test(turntable_is_level),
        cmocka_unit_test(turntable_without_level_cameras),
        cmocka_unit_test(turntable_needs_a_point),
        cmocka_unit_test(interpolation_meets_every_camera),
        cmocka_unit_test(interpolation_over_half_a_turn),
        cmocka_unit_test(written_cameras_are_a_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
