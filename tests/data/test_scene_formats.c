/* Scene files of every format: the same cameras from each; lists; golden poses. */
#include "tests/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/safetensors.h"
#include "data/scenes/scene_set.h"
#include "tests/data/picture_fixture.h"
#include "tests/data/scene_files.h"
#include "tests/support/temporary.h"

enum { VIEWS = 5 };

static const struct scene_options STRICT = {0};
static const struct scene_set_options SET = {.threads = 1};

static void assert_pose(const struct pose *a, const struct pose *b, double tolerance)
{
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            assert_true(fabs(a->m[i][k] - b->m[i][k]) <= tolerance);
}

static void assert_ring(const struct scene *scene, double fx, double fy, double cx, double cy)
{
    const double expected[4] = {fx, fy, cx, cy};
    assert_int_equal(scene->view_count, VIEWS);
    for (int i = 0; i < VIEWS; i++) {
        struct pose pose = scene_ring_pose(i, VIEWS);
        assert_pose(&scene->views[i].c2w, &pose, 1e-12);
        assert_int_equal(scene->views[i].entry, i);
        assert_int_equal(scene->views[i].width, 24);
        assert_int_equal(scene->views[i].height, 16);
        for (int k = 0; k < 4; k++)
            assert_true(fabs(scene->views[i].fxfycxcy[k] - expected[k]) < 1e-9);
    }
}

/* Frames 0 .. VIEWS - 1 with OpenGL's axes, file names made by `name` from the number, `more` keys in each.
 */
static char *frames_text(const char *name, const char *more)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    for (int i = 0; i < VIEWS; i++) {
        struct pose pose = scene_ring_pose(i, VIEWS), opengl = pose_flip_axes(&pose);
        char *matrix = scene_pose_text(&opengl), file[64];
        snprintf(file, sizeof file, name, i);
        fprintf(stream, "%s{\"file_path\":\"%s\",%s\"transform_matrix\":%s}", i ? "," : "", file, more,
                matrix);
        free(matrix);
    }
    fclose(stream);
    return text;
}

static void opencv_cameras(void **state)
{
    struct scene scene;
    scene_write_ring(*state, VIEWS, 24, 16);
    check_ok(scene_open(*state, &STRICT, &scene));
    assert_ring(&scene, 40, 41, 12, 8);
    scene_free(&scene);
    char *file = temporary_path(*state, "opencv_cameras.json");
    check_ok(scene_open(file, &STRICT, &scene));
    assert_ring(&scene, 40, 41, 12, 8);
    assert_string_equal(scene.name, strrchr(*state, '/') + 1);
    scene_free(&scene);
    free(file);
}

static void nerfstudio_with_shared_and_own_intrinsics(void **state)
{
    struct scene scene;
    scene_write_ring(*state, VIEWS, 24, 16);
    char *frames = frames_text("%02d.png", ""), *own = frames_text("%02d.png", "\"fl_x\":50,\"cy\":7.5,");
    scene_text(*state, "shared.json",
               "{\"fl_x\":40,\"fl_y\":41,\"cx\":12,\"cy\":8,\"w\":24.0,\"h\":16,\"camera_model\":\"OPENCV\","
               "\"k1\":0,\"frames\":[%s]}",
               frames);
    scene_text(*state, "own.json", "{\"fl_x\":40,\"fl_y\":41,\"w\":24,\"frames\":[%s]}", own);
    char *shared_path = temporary_path(*state, "shared.json"), *own_path = temporary_path(*state, "own.json");
    check_ok(scene_open(shared_path, &STRICT, &scene));
    assert_ring(&scene, 40, 41, 12, 8);
    assert_string_equal(scene.name, "shared");
    scene_free(&scene);
    check_ok(scene_open(own_path, &STRICT, &scene));
    assert_ring(&scene, 50, 41, 12, 7.5);
    scene_free(&scene);
    free(frames), free(own), free(shared_path), free(own_path);
}

/* Names without extension, the field of view in place of focal lengths, and several files for one scene. */
/* nerfstudio's list of a frame, else that of all; a list of another name may only say that there is none. */
static void distortion_in_a_list(void **state)
{
    struct scene scene;
    scene_write_ring(*state, VIEWS, 24, 16);
    char *frames = frames_text("%02d.png", ""),
         *own = frames_text("%02d.png",
                            "\"distortion_params\":[0.5,0.2,0.1,0,-0.01,0.02],\"dist_coeffs\":[[0,0,0]],");
    char *path = temporary_path(*state, "lens.json");
    for (int i = 0; i < 2; i++) {
        scene_text(*state, "lens.json", "{\"fl_x\":40,\"distortion_params\":[0.3,0,0,0,0,0],\"frames\":[%s]}",
                   i ? own : frames);
        check_ok(scene_open(path, &STRICT, &scene));
        const struct distortion *d = &scene.views[VIEWS - 1].distortion;
        if (i)
            assert_true(d->k1 == 0.5 && d->k2 == 0.2 && d->k3 == 0.1 && d->p1 == -0.01 && d->p2 == 0.02);
        else
            assert_true(d->k1 == 0.3 && d->k2 == 0 && d->k3 == 0 && d->p1 == 0 && d->p2 == 0);
        scene_free(&scene);
    }
    free(frames), free(own), free(path);
}

static void blender(void **state)
{
    struct scene scene;
    for (int i = 0; i < VIEWS; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/r_%d.png", i);
        scene_picture(*state, name, 24, 16, i);
    }
    char *frames = frames_text("./train/r_%d", "");
    scene_text(*state, "transforms_train.json", "{\"camera_angle_x\":0.8,\"frames\":[%s]}", frames);
    check_ok(scene_open(*state, &STRICT, &scene));
    assert_ring(&scene, 12 / tan(0.4), 12 / tan(0.4), 12, 8);
    assert_string_equal(scene.views[3].split, "train");
    scene_free(&scene);
    scene_text(*state, "transforms_test.json", "{\"camera_angle_x\":0.8,\"frames\":[%s]}", frames);
    check_ok(scene_open(*state, &STRICT, &scene));
    assert_int_equal(scene.view_count, 2 * VIEWS);
    assert_int_equal(scene.views[VIEWS + 1].entry, VIEWS + 1);
    assert_string_equal(scene.views[VIEWS + 1].split, "test");
    scene_free(&scene);
    free(frames);
}

static void missing_pictures_may_be_left_out(void **state)
{
    const struct scene_options lenient = {.leave_out_missing = true};
    struct scene scene;
    scene_write_ring(*state, VIEWS, 24, 16);
    char *gone = temporary_path(*state, "01.png");
    assert_int_equal(remove(gone), 0);
    check_error(scene_open(*state, &STRICT, &scene), TTT_FORMAT, "entry 1: key 'file_path'");
    check_ok(scene_open(*state, &lenient, &scene));
    assert_int_equal(scene.view_count, VIEWS - 1);
    assert_int_equal(scene.missing, 1);
    assert_int_equal(scene.views[1].entry, 2);
    scene_free(&scene);
    free(gone);
}

static void assert_list(const char *folder, const char *list, uint32_t count, uint32_t skipped)
{
    struct scene_set set;
    char *path = *list ? temporary_path(folder, "%s", list) : strdup(folder);
    check_ok(scene_set_open(path, &SET, &set));
    assert_int_equal(set.count, count);
    assert_int_equal(set.skipped, skipped);
    assert_string_equal(set.scenes[0].name, "a");
    scene_set_free(&set);
    free(path);
}

static void lists(void **state)
{
    for (int i = 0; i < 3; i++) {
        char *folder = temporary_path(*state, "%c", 'a' + i);
        scene_write_ring(folder, VIEWS, 8, 8);
        free(folder);
    }
    scene_text(*state, "d/readme.txt", "no scene");
    assert_list(*state, "", 3, 0);
    scene_text(*state, "list.json", "[\"a/opencv_cameras.json\", \"c\"]");
    assert_list(*state, "list.json", 2, 0);
    scene_text(*state, "list.txt", "# two\na  # first\n\n  %s/b/opencv_cameras.json\r\nd\n", (char *)*state);
    assert_list(*state, "list.txt", 2, 1);
    struct scene_set set;
    char *empty = temporary_path(*state, "empty.json"), *folder = temporary_path(*state, "d");
    scene_text(*state, "empty.json", "[]");
    check_error(scene_set_open(empty, &SET, &set), TTT_FORMAT, "lists no scenes");
    check_error(scene_set_open(folder, &SET, &set), TTT_ARGUMENT, "holds no scene");
    check_error(scene_set_open("/nonexistent/scenes", &SET, &set), TTT_ARGUMENT, "/nonexistent/scenes");
    free(empty), free(folder);
}

static void read_golden(const safetensors_file *file, const char *name, struct pose *poses, size_t count)
{
    const safetensors_tensor *tensor = safetensors_find(file, name);
    assert_non_null(tensor);
    assert_int_equal(tensor->count, count * 16);
    safetensors_to_f64(tensor, &poses[0].m[0][0]);
}

static void golden_poses(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct pose given[COUNT], w2c[COUNT], opengl[COUNT], normalised[COUNT], scaled[COUNT];
    safetensors_file *file = fixture_open("cameras.safetensors");
    read_golden(file, "in.c2w", given, COUNT);
    read_golden(file, "out.w2c", w2c, COUNT);
    read_golden(file, "out.c2w_opengl", opengl, COUNT);
    read_golden(file, "out.mean_pose_normalised", normalised, COUNT);
    read_golden(file, "out.mean_pose_normalised_1.35", scaled, COUNT);
    struct pose_frame one = pose_frame_of(POSES_MEAN, 1, given, COUNT);
    struct pose_frame wide = pose_frame_of(POSES_MEAN, 1.35, given, COUNT);
    for (int i = 0; i < COUNT; i++) {
        struct pose a = pose_inverse(&given[i]), b = pose_flip_axes(&given[i]);
        struct pose c = pose_in_frame(&one, &given[i]), d = pose_in_frame(&wide, &given[i]);
        assert_pose(&a, &w2c[i], 1e-14);
        assert_pose(&b, &opengl[i], 0);
        assert_pose(&c, &normalised[i], 1e-14);
        assert_pose(&d, &scaled[i], 1e-14);
    }
    safetensors_close(file);
}

/* Cameras evenly around an object have no mean forward axis besides down, and no mean down besides that. */
static void degenerate_poses_have_a_frame(void **state)
{
    (void)state;
    struct pose poses[4];
    for (int i = 0; i < 4; i++)
        poses[i] = scene_ring_pose(i, 4);
    struct pose_frame frame = pose_frame_of(POSES_MEAN, 1, poses, 4);
    for (int i = 0; i < 4; i++) {
        struct pose pose = pose_in_frame(&frame, &poses[i]);
        check_ok(pose_check(&pose));
    }
    /* The same camera four times: nothing to scale by, and the frame is the camera's own. */
    for (int i = 1; i < 4; i++)
        poses[i] = poses[0];
    frame = pose_frame_of(POSES_MEAN, 1.35, poses, 4);
    struct pose pose = pose_in_frame(&frame, &poses[2]);
    const struct pose identity = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
    assert_pose(&pose, &identity, 1e-12);
    frame = pose_frame_of(POSES_NONE, 2, poses, 4);
    pose = pose_in_frame(&frame, &poses[1]);
    assert_pose(&pose, &poses[1], 0);
    enum pose_normalisation normalisation;
    check_ok(pose_normalisation_parse("mean_pose", &normalisation));
    assert_int_equal(normalisation, POSES_MEAN);
    check_error(pose_normalisation_parse("mean", &normalisation), TTT_ARGUMENT, "none or mean_pose");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        temporary_test(opencv_cameras),
        temporary_test(nerfstudio_with_shared_and_own_intrinsics),
        temporary_test(distortion_in_a_list),
        temporary_test(blender),
        temporary_test(missing_pictures_may_be_left_out),
        temporary_test(lists),
        cmocka_unit_test(golden_poses),
        cmocka_unit_test(degenerate_poses_have_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
