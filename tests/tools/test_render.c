/* ttt render as a user types it, and what ttt bench and ttt info say of a model that renders. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/decode.h"
#include "data/scenes/scene.h"
#include "tests/data/scene_files.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "tests/tools/printed.h"
#include "tests/tools/training.h"

enum { VIEWS = TRAINING_VIEWS, SIDE = TRAINING_SIDE, FRAMES = 5 };

static int enter(void **state)
{
    training_enter_views(state);
    succeed(run("train", "views.yaml"));
    return 0;
}

static void check_file(const char *path)
{
    struct stat information;
    if (stat(path, &information) || information.st_size < 50)
        fail_msg("%s is missing or empty", path);
}

/* OUT holds the pictures, cameras, sheet and film of `frames` views of height x width. */
static void check_folder(const char *out, const char *film, int frames, int height, int width)
{
    char *sheet = temporary_path(out, "sheet.png");
    struct scene scene;
    check_file(sheet);
    check_file(film);
    check_ok(scene_open(out, &(struct scene_options){0}, &scene));
    assert_int_equal(scene.view_count, frames);
    for (int i = 0; i < frames; i++) {
        assert_int_equal(scene.views[i].height, height);
        assert_int_equal(scene.views[i].width, width);
    }
    scene_free(&scene);
    free(sheet);
}

static void targets(void **state)
{
    (void)state;
    json_t *o = printed(run("render", "runs/views", "scenes/00002", "--out", "targets", "--json"));
    const json_t *likeness = json_object_get(o, "likeness"), *views = json_object_get(likeness, "views");
    assert_int_equal(json_array_size(json_object_get(o, "inputs")), 3);
    assert_int_equal(number(o, "rendered"), VIEWS - 3);
    assert_int_equal(json_array_size(views), VIEWS - 3);
    assert_true(number(o, "reconstruct_seconds") > 0 && number(o, "milliseconds_per_view") > 0);
    double mean = 0;
    for (size_t i = 0; i < json_array_size(views); i++)
        mean += number(json_array_get(views, i), "psnr") / (double)json_array_size(views);
    assert_true(fabs(mean - number(likeness, "psnr")) < 1e-6);
    check_folder("targets", json_string_value(json_object_get(o, "film")), VIEWS - 3, SIDE, SIDE);

    /* Evaluation renders the same views from the same inputs. */
    json_t *judged = printed(run("eval", "runs/views", "scenes/00002", "--json"));
    assert_true(fabs(number(judged, "psnr") - number(likeness, "psnr")) < 1e-3);
    json_decref(judged);
    json_decref(o);
}

static void chosen_targets(void **state)
{
    (void)state;
    json_t *o = printed(run("render", "runs/views", "scenes/00002/opencv_cameras.json", "--out", "chosen",
                            "--views", "6,0,3", "--inputs", "5", "--json"));
    const json_t *views = json_object_get(json_object_get(o, "likeness"), "views");
    static const int expected[] = {6, 0, 3}, inputs[] = {1, 2, 4, 5, 7};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(number(json_array_get(views, i), "view"), expected[i]);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(json_integer_value(json_array_get(json_object_get(o, "inputs"), i)), inputs[i]);
    json_decref(o);
}

/* Both paths, at a size and an aspect ratio that the model was not trained at, from all views. */
static void paths(void **state)
{
    (void)state;
    static const char *const names[] = {"turntable", "interpolate"};
    for (int i = 0; i < 2; i++) {
        json_t *o = printed(run("render", "runs/views", "scenes/00002", "--path", names[i], "--views", "5",
                                "--inputs", "8", "--size", "24x32", "--out", names[i], "--json"));
        assert_true(json_is_null(json_object_get(o, "likeness")));
        check_folder(names[i], json_string_value(json_object_get(o, "film")), FRAMES, 24, 32);
        json_decref(o);
    }
    struct program_result text =
        run("render", "runs/views", "scenes/00002", "--path", "turntable", "--views", "5", "--out", "text");
    check_contains(text.out, "at the peak");
    check_contains(text.out, "ms a view");
    check_contains(text.out, "once");
    succeed(text);
}

static void check_pixels_alike(const char *a, const char *b)
{
    const struct decode_options options = decode_options_default();
    struct image image[2];
    check_ok(image_decode_file(a, &options, &image[0], NULL));
    check_ok(image_decode_file(b, &options, &image[1], NULL));
    assert_int_equal(image_bytes(&image[0]), image_bytes(&image[1]));
    for (size_t i = 0; i < image_bytes(&image[0]); i++)
        assert_true(abs(image[0].pixels[i] - image[1].pixels[i]) <= 1);
    image_free(&image[0]);
    image_free(&image[1]);
}

/* Passes take less memory and give the same pictures, to a level. */
static void tokens_per_pass(void **state)
{
    (void)state;
    json_t *whole = printed(run("render", "runs/views", "scenes/00002", "--inputs", "6", "--views", "1",
                                "--size", "64", "--tokens-per-pass", "0", "--out", "whole", "--json"));
    json_t *passes = printed(run("render", "runs/views", "scenes/00002", "--inputs", "6", "--views", "1",
                                 "--size", "64", "--tokens-per-pass", "256", "--out", "passes", "--json"));
    assert_true(number(passes, "reconstruct_bytes") < 0.7 * number(whole, "reconstruct_bytes"));
    check_pixels_alike("whole/frames/0000.png", "passes/frames/0000.png");
    json_decref(whole);
    json_decref(passes);
}

/* The PSNR of view 0, rendered from `inputs` views and `add` later ones, NULL for none, by a model whose
 * state is a plain sum over them. */
static double psnr_of(const char *inputs, const char *add)
{
    json_t *o = printed(run("render", "runs/sum", "scenes/00002", "--views", "0,", "--out", "sum", "--json",
                            "--inputs", inputs, add ? "--add" : NULL, add));
    const double psnr = number(json_object_get(o, "likeness"), "psnr");
    assert_int_equal(json_array_size(json_object_get(o, "inputs")), atoi(inputs) + (add ? atoi(add) : 0));
    assert_int_equal(number(o, "added"), add ? atoi(add) : 0);
    json_decref(o);
    return psnr;
}

/* Views that come later give what starting over with all of them gives. */
static void added_views(void **state)
{
    (void)state;
    succeed(run("train", "views.yaml", "run.name=sum", "model.ttt.variant=variant6", "model.depth=1",
                "train.steps=60", "train.lr=0.01"));
    const double whole = psnr_of("6", NULL);
    assert_true(fabs(psnr_of("4", "2") - whole) < 1e-4);
    assert_true(fabs(psnr_of("1", "5") - whole) < 1e-4);
    assert_true(fabs(psnr_of("4", NULL) - whole) > 0.01);
    struct program_result text = run("render", "runs/sum", "scenes/00002", "--inputs", "4", "--add", "2",
                                     "--path", "turntable", "--views", "2", "--out", "sum");
    check_contains(text.out, "views 0 1 2 4, then 5 7");
    check_contains(text.out, "adding");
    succeed(text);
}

/* A rendering replaces the one before it in its folder, and nothing but that. */
static void replaces_a_former_rendering(void **state)
{
    (void)state;
    succeed(run("render", "runs/views", "scenes/00002", "--out", "again", "--path", "interpolate", "--views",
                "7"));
    temporary_file("again", "frames/notes.txt", "mine", 4);
    succeed(run("render", "runs/views", "scenes/00002", "--out", "again", "--views", "2"));
    check_folder("again", "again/frames/0001.png", 2, SIDE, SIDE);
    assert_int_equal(access("again/frames/0002.png", F_OK), -1);
    assert_int_equal(access("again/frames/notes.txt", F_OK), 0);
}

static void refuses_folder(const char *out, const char *scene, const char *part)
{
    check_refusal(2, part, "render", "runs/views", scene, "--inputs", "1", "--views", "1", "--out", out);
}

/* What render did not write stays as it is: the scene's own folder, by any name, and other things. */
static void overwrites_nothing_else(void **state)
{
    (void)state;
    size_t size, again_size;
    uint8_t *before = temporary_read("scenes/00002/opencv_cameras.json", &size);
    assert_int_equal(symlink("scenes/00002", "link"), 0);
    refuses_folder("scenes/00002", "scenes/00002", "holds the scene scenes/00002");
    refuses_folder("link", "scenes/00002/opencv_cameras.json", "holds the scene");
    refuses_folder("scenes/00002/", "link", "holds the scene");
    refuses_folder("scenes/00001", "scenes/00002", "not empty and was not made by this command");
    refuses_folder("scenes", "scenes/00002", "made with other options");
    temporary_file(".", "blender/transforms_train.json", "{}", 2);
    refuses_folder("blender", "scenes/00002", "not empty and was not made by this command");
    uint8_t *again = temporary_read("scenes/00002/opencv_cameras.json", &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(before, again, size);
    assert_int_equal(access("scenes/00002/frames", F_OK), -1);
    free(before);
    free(again);

    /* A rendering is a scene, from which other folders may be rendered. */
    succeed(run("render", "runs/views", "scenes/00002", "--out", "first", "--views", "3"));
    refuses_folder("first", "first", "holds the scene");
    succeed(run("render", "runs/views", "first", "--out", "second", "--inputs", "2", "--views", "1"));
    assert_int_equal(rename("first/opencv_cameras.json", "cameras.json"), 0);
    assert_int_equal(symlink("first/frames", "frames"), 0);
    refuses_folder("first", "cameras.json", "holds the scene");
}

/* A scene that cannot be used is an error when it is the only one, and counted when there are others. */
static void damaged_scenes(void **state)
{
    (void)state;
    static const char two[] = "[\"00001/opencv_cameras.json\", \"00002/opencv_cameras.json\"]";
    static const char many[] = "[\"00000\", \"n1\", \"n2\", \"n3\", \"n4\", \"n5\", \"n6\", \"n7\"]";
    static const char picture[] = "scenes/00002/images/007.png";
    size_t size;
    uint8_t *kept = temporary_read(picture, &size);
    temporary_file(".", "scenes/two.json", two, strlen(two));
    temporary_file(".", "scenes/many.json", many, strlen(many));
    assert_int_equal(truncate(picture, 100), 0);

    struct program_result result = run("train", "views.yaml", "run.name=two", "data.val=two.json");
    check_contains(result.err, "007.png: truncated PNG file");
    check_contains(result.err, "; scenes skipped: 1)");
    succeed(result);
    json_t *o = printed(run("eval", "runs/two", "--json"));
    assert_int_equal(number(o, "skipped_scenes"), 1);
    assert_int_equal(number(o, "scenes"), 1);
    json_decref(o);
    fails(run("train", "views.yaml", "run.name=only", "data.val=00002"), 2,
          "evaluation after step 2: scenes/00002/images/007.png: truncated");
    assert_int_equal(latest_step("only"), 2);
    fails(run("eval", "runs/only"), 2, "007.png: truncated PNG file");

    result = run("train", "views.yaml", "run.name=many", "data.train=many.json", "data.val=many.json");
    check_contains(result.err, "many: 1 scenes to train on (7 skipped), 1 to validate (7 skipped); ");
    check_contains(result.err, "... and 2 more scenes that cannot be used");
    assert_null(strstr(result.err, "n6"));
    assert_null(strstr(strstr(result.err, "... and ") + 1, "... and ")); /* once for both */
    check_contains(result.out, "7 scenes to train on skipped");
    succeed(result);
    o = printed(run("train", "views.yaml", "run.name=json", "data.train=two.json", "--json",
                    "data.val=many.json", "train.steps=20"));
    assert_int_equal(number(o, "skipped_samples"), 1); /* found when it was loaded */
    assert_int_equal(number(o, "evaluation_skipped"), 7);
    json_decref(o);
    temporary_file(".", picture, kept, size);
    free(kept);
}

#define render_fails(status, part, ...)                                                                      \
    check_refusal(status, part, "render", "runs/views", "scenes/00002", "--json", __VA_ARGS__)

static void mistakes(void **state)
{
    (void)state;
    render_fails(2, "--out", "--inputs", "2");
    render_fails(2, "9 input views are wanted, but of its 8 views 8", "--out", "no", "--inputs", "9");
    render_fails(2, "1 target views are wanted, but of its 8 views 0", "--out", "no", "--inputs", "8");
    render_fails(2, "6 target views are wanted, but of its 8 views 5", "--out", "no", "--views", "6");
    render_fails(2, "18x18 (height x width) is not a multiple of the patch 4", "--out", "no", "--size", "18");
    render_fails(2, "--size", "--out", "no", "--size", "16x");
    render_fails(2, "has no view 8", "--out", "no", "--views", "1,8");
    render_fails(2, "--views", "--out", "no", "--views", "1,,2");
    render_fails(2, "names view 3 twice", "--out", "no", "--views", "3,1,3");
    render_fails(2, "--views", "--out", "no", "--views", "0");
    render_fails(2, "--views", "--out", "no", "--views", "1,2", "--path", "turntable");
    render_fails(2, "turntable", "--out", "no", "--path", "spiral");
    render_fails(2, "--frames", "--out", "no", "--frames", "3");
    render_fails(2, "views cannot be added to this model's state: weight_norm", "--out", "no", "--add", "1");
    render_fails(2, "9 input views are wanted", "--out", "no", "--inputs", "7", "--add", "2");
    render_fails(2, "--add", "--out", "no", "--add", "0");
    render_fails(1, "the limit is", "--out", "no", "device.memory_limit=1000");
    render_fails(1, "/proc", "--out", "/proc/no");
    check_refusal(2, "nowhere", "render", "runs/views", "nowhere", "--out", "no");
    check_refusal(2, "no opencv_cameras.json", "render", "runs/views", "scenes", "--out", "no");
    check_refusal(2, "which scene", "render", "runs/views");
    scene_write_ring("tiny", 4, 3, 5);
    check_refusal(2, "3x5 pixels, less than a patch of 4x4", "render", "runs/views", "tiny", "--inputs", "2",
                  "--out", "no");
    assert_int_equal(access("no", F_OK), -1);
}

static void bench_of_views(void **state)
{
    (void)state;
    struct program_result result =
        run("bench", "infer", "views.yaml", "--runs", "2", "--warmup", "1", "--json");
    if (result.exit_status)
        fail_msg("exit status %d; standard error: %s", result.exit_status, result.err);
    json_t *m[5];
    char *at = result.out;
    for (int i = 0; i < 5; i++) {
        json_error_t error;
        m[i] = json_loads(at, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
        assert_non_null(m[i]);
        at = strchr(at, '\n') + 1;
        assert_true(number(m[i], "seconds") > 0 && number(m[i], "matmul_flops_per_second") > 0);
        assert_true(number(m[i], "peak_bytes") > 0 && number(m[i], "predicted_peak_bytes") > 0);
    }
    assert_int_equal(*at, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(number(m[i], "batch"), 3 << i);
    /* Twice the views: their tokens and pictures, and no more than an alignment of each buffer beside it. */
    for (int i = 2; i < 4; i++) {
        const double added = number(m[i], "predicted_bytes_per_added_view");
        const double due = number(m[i], "token_bytes_per_view") + number(m[i], "input_bytes_per_view");
        assert_true(added < 1.1 * due + 256);
    }
    assert_true(number(m[4], "milliseconds_per_view") > 0);
    for (int i = 0; i < 5; i++)
        json_decref(m[i]);
    program_free(&result);
    succeed(run("bench", "infer", "views.yaml", "--runs", "1", "--profile"));

    json_t *train = printed(run("bench", "train", "views.yaml", "--runs", "1", "--json"));
    assert_int_equal(number(train, "batch"), 2);
    json_decref(train);
    check_refusal(2, "bench loader", "bench", "loader", "views.yaml");
}

static void info_of_views(void **state)
{
    (void)state;
    json_t *all = printed(run("info", "views.yaml", "--json")), *model = json_object_get(all, "model");
    double parameters = 0, flops = 0;
    const json_t *layers = json_object_get(model, "layers");
    assert_int_equal(json_array_size(layers), 4);
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        assert_true(number(layer, "flops") > 0 && number(layer, "parameters") > 0);
        parameters += number(layer, "parameters");
        flops += number(layer, "flops");
    }
    assert_true(parameters == number(model, "parameters"));
    assert_true(fabs(flops / number(model, "flops") - 1) < 1e-9);
    json_t *o = printed(run("render", "runs/views", "scenes/00002", "--out", "said", "--json"));
    assert_int_equal(number(json_object_get(model, "reconstruct"), "arena_bytes"),
                     number(o, "reconstruct_bytes"));
    assert_int_equal(number(json_object_get(model, "reconstruct"), "variable_bytes"),
                     number(o, "variable_bytes"));
    json_decref(o);
    json_decref(all);
    succeed(run("info", "views.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(chosen_targets),
        cmocka_unit_test(paths),
        cmocka_unit_test(tokens_per_pass),
        cmocka_unit_test(added_views),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(replaces_a_former_rendering),
        cmocka_unit_test(overwrites_nothing_else),
        cmocka_unit_test(damaged_scenes),
        cmocka_unit_test(bench_of_views),
        cmocka_unit_test(info_of_views),
    };
    return cmocka_run_group_tests(tests, enter, training_leave);
}
