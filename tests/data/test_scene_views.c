/* One view at a model's size (golden Lanczos over white, intrinsics, undistortion), and the choice of views.
 */
#include "tests/support/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_write.h"
#include "data/scenes/scene_set.h"
#include "data/scenes/view.h"
#include "data/scenes/view_choice.h"
#include "tests/data/picture_fixture.h"
#include "tests/data/scene_files.h"
#include "tests/support/temporary.h"

static void rgba_over_white_is_pillows(void **state)
{
    safetensors_file *file = fixture_open("resize.safetensors");
    struct image rgba = fixture_golden(file, "in.rgba"), loaded;
    struct image expected = fixture_golden(file, "out.rgba_lanczos_24x18_on_white");
    char *path = temporary_path(*state, "rgba.png");
    check_ok(image_write_png(path, &rgba));
    const struct scene_view view = {
        .fxfycxcy = {61, 61, 30.5, 23.5}, .width = 61, .height = 47, .path = path};
    /* 61 x 47 covers 24 x 18 without anything left to cut. */
    check_ok(view_load(&view, 18, 24, &loaded));
    check_same_picture(&loaded, &expected);
    double k[4];
    check_ok(view_intrinsics(&view, 18, 24, k));
    assert_true(fabs(k[0] - 24) < 1e-12 && fabs(k[2] - 12) < 1e-12 && fabs(k[3] - 9) < 1e-12);
    float *floats = check_alloc(18 * 24 * 3, sizeof *floats);
    view_to_floats(loaded.pixels, 18, 24, floats);
    assert_true(floats[2 * 18 * 24 + 5] == (float)loaded.pixels[5 * 3 + 2] / 255.0f);
    free(floats);
    image_free(&rgba), image_free(&loaded), image_free(&expected);
    safetensors_close(file);
    free(path);
}

/* A picture whose colour says where it is: the intrinsics of the loaded view lead to the same direction. */
static void intrinsics_follow_the_cut(void **state)
{
    enum { W = 120, H = 80 };
    const double fx = 90, fy = 100, cx = 66, cy = 37;
    struct image ramp, loaded;
    char *path = temporary_path(*state, "ramp.png");
    check_ok(image_new(W, H, 3, &ramp));
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            uint8_t *pixel = image_at(&ramp, x, y);
            pixel[0] = (uint8_t)(2 * x);
            pixel[1] = (uint8_t)(3 * y);
            pixel[2] = 0;
        }
    check_ok(image_write_png(path, &ramp));
    const struct scene_view view = {.fxfycxcy = {fx, fy, cx, cy}, .width = W, .height = H, .path = path};
    static const int sizes[][2] = {{40, 40}, {20, 60}, {33, 21}, {80, 120}, {160, 160}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int h = sizes[s][0], w = sizes[s][1];
        double k[4];
        check_ok(view_load(&view, h, w, &loaded));
        check_ok(view_intrinsics(&view, h, w, k));
        for (int y = h / 4; y < h * 3 / 4; y++)
            for (int x = w / 4; x < w * 3 / 4; x++) {
                /* Where the ray through this pixel met the original picture. */
                double at_x = (x + 0.5 - k[2]) / k[0] * fx + cx - 0.5,
                       at_y = (y + 0.5 - k[3]) / k[1] * fy + cy - 0.5;
                assert_true(fabs(image_at(&loaded, x, y)[0] - 2 * at_x) < 1.6);
                assert_true(fabs(image_at(&loaded, x, y)[1] - 3 * at_y) < 1.6);
            }
        image_free(&loaded);
    }
    image_free(&ramp);
    free(path);
}

/* The world that the distorted and the undistorted camera look at: a level for each direction. */
static double level(double x, double y)
{
    return 127 + 60 * sin(9 * x) + 60 * cos(7 * y + 2 * x);
}

/* OpenCV's formula once more, and its inverse by fixed-point iteration. */
static void undistort_point(const struct distortion *d, double x, double y, double out[2])
{
    double u = x, v = y;
    for (int i = 0; i < 200; i++) {
        double r2 = u * u + v * v, radial = 1 + d->k1 * r2 + d->k2 * r2 * r2 + d->k3 * r2 * r2 * r2;
        double dx = 2 * d->p1 * u * v + d->p2 * (r2 + 2 * u * u),
               dy = d->p1 * (r2 + 2 * v * v) + 2 * d->p2 * u * v;
        u = (x - dx) / radial;
        v = (y - dy) / radial;
    }
    out[0] = u;
    out[1] = v;
}

static void distortion_is_taken_out(void **state)
{
    enum { W = 160, H = 120 };
    static const struct distortion lenses[] = {
        {.k1 = 0.15, .k2 = -0.05, .p1 = 0.004, .p2 = -0.003},
        {.k1 = -0.25, .k2 = 0.06, .k3 = -0.01},
        {.k1 = 0.0578421, .k2 = -0.0805099, .p1 = -0.000980296, .p2 = 0.00015575}};
    const double k[4] = {150, 140, 77, 62};
    char *path = temporary_path(*state, "distorted.png");
    for (size_t l = 0; l < 3; l++) {
        struct image picture, loaded;
        double pinhole[4], worst = 0, at[2];
        check_ok(image_new(W, H, 3, &picture));
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                undistort_point(&lenses[l], (x + 0.5 - k[2]) / k[0], (y + 0.5 - k[3]) / k[1], at);
                memset(image_at(&picture, x, y), (int)lrint(level(at[0], at[1])), 3);
            }
        check_ok(image_write_png(path, &picture));
        struct scene_view view = {.distortion = lenses[l], .width = W, .height = H, .path = path};
        memcpy(view.fxfycxcy, k, sizeof k);
        check_ok(view_load(&view, H, W, &loaded));
        check_ok(view_intrinsics(&view, H, W, pinhole));
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                worst = fmax(worst,
                             fabs(image_at(&loaded, x, y)[0] - level((x + 0.5 - pinhole[2]) / pinhole[0],
                                                                     (y + 0.5 - pinhole[3]) / pinhole[1])));
        /* Two roundings, and the bend of the waves between pixels; at the edge half a pixel is continued. */
        assert_true(worst < 3.5);
        image_free(&picture), image_free(&loaded);
    }
    const struct scene_view folded = {
        .distortion = {.k1 = -300}, .fxfycxcy = {50, 50, 80, 60}, .width = W, .height = H, .path = path};
    double unused[4];
    check_error(view_intrinsics(&folded, H, W, unused), TTT_UNSUPPORTED, "too strong");
    free(path);
}

static void picture_that_changed_is_refused(void **state)
{
    struct image loaded;
    char *path = temporary_path(*state, "p.png");
    scene_picture(*state, "p.png", 8, 6, 0);
    const struct scene_view view = {.fxfycxcy = {9, 9, 4, 3}, .width = 8, .height = 8, .path = path};
    check_error(view_load(&view, 4, 4, &loaded), TTT_FORMAT, "has 8x6 pixels, but had 8x8");
    free(path);
}

/* A scene of views without pictures: choices look at numbers and splits alone. */
static struct scene make_scene(uint32_t count)
{
    struct scene scene = {.name = strdup("s"), .path = strdup("S"), .view_count = count};
    scene.views = check_alloc(count, sizeof *scene.views);
    for (uint32_t i = 0; i < count; i++) {
        scene.views[i].entry = i;
        scene.views[i].split = strdup(i < count / 2 ? "train" : "test");
    }
    return scene;
}

static void rules(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int count; /* of 8 views */
    } good[] = {{"all", 8},           {" all ", 8},        {"index % 4 == 3", 2}, {"index%4!=3", 6},
                {"split == test", 4}, {"split!=train", 4}, {"split == other", 0}};
    static const char *const bad[] = {"",
                                      "al",
                                      "index % 4 = 3",
                                      "index % 4 == 4",
                                      "index % 0 == 0",
                                      "split ==",
                                      "index % 4 == 3 x",
                                      "split = a",
                                      "index % 4 =! 3",
                                      "split == a b"};
    struct scene scene = make_scene(8);
    struct view_rule rule;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int count = 0;
        check_ok(view_rule_parse(good[i].text, &rule));
        for (uint32_t v = 0; v < 8; v++)
            count += view_rule_holds(&rule, &scene.views[v]);
        assert_int_equal(count, good[i].count);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_error(view_rule_parse(bad[i], &rule), TTT_ARGUMENT, "is no rule for views");
    scene_free(&scene);
}

/* 64 views, those not 3 mod 4 to train on, 8 inputs of them and the other 16 to render. */
static void choices_by_rule(void **state)
{
    (void)state;
    struct scene scene = make_scene(64);
    struct view_choice train = {.order = VIEWS_RANDOM, .inputs = 8, .targets = 4},
                       eval = {.order = VIEWS_UNIFORM, .inputs = 8};
    uint32_t inputs[8], targets[16], again[8], again_targets[4], seen[64] = {0};
    int input_count, target_count;
    check_ok(view_rule_parse("index % 4 != 3", &train.input_rule));
    train.target_rule = eval.input_rule = train.input_rule;
    check_ok(view_rule_parse("index % 4 == 3", &eval.target_rule));
    for (uint32_t step = 0; step < 200; step++) {
        ttt_random random = ttt_random_start(1, TTT_RANDOM_VIEWS, step, 0), same = random;
        check_ok(view_choose(&train, &scene, &random, inputs, targets));
        check_ok(view_choose(&train, &scene, &same, again, again_targets));
        assert_memory_equal(inputs, again, sizeof inputs);
        uint64_t used = 0;
        for (int i = 0; i < 12; i++) {
            uint32_t view = i < 8 ? inputs[i] : targets[i - 8];
            assert_true(view % 4 != 3 && !(used >> view & 1));
            used |= (uint64_t)1 << view;
            seen[view]++;
        }
    }
    for (int i = 0; i < 64; i++)
        assert_true(i % 4 == 3 ? seen[i] == 0 : seen[i] > 20 && seen[i] < 90); /* 50 expected */
    check_ok(view_choice_counts(&eval, &scene, &input_count, &target_count));
    assert_int_equal(input_count, 8);
    assert_int_equal(target_count, 16);
    check_ok(view_choose(&eval, &scene, NULL, inputs, targets));
    static const uint32_t spread[] = {0, 8, 17, 26, 34, 44, 53, 62}; /* places 0, 6, 13, 20, 26, 33, 40, 47 */
    assert_memory_equal(inputs, spread, sizeof spread);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(targets[i], 4 * i + 3);
    scene_free(&scene);
}

static void too_few_views(void **state)
{
    (void)state;
    struct scene scene = make_scene(10);
    struct view_choice choice = {.order = VIEWS_RANDOM, .inputs = 11, .targets = 1};
    int a, b;
    check_error(view_choice_counts(&choice, &scene, &a, &b), TTT_ARGUMENT,
                "11 input views are wanted, but the scene has 10");
    choice.inputs = 8, choice.targets = 3;
    check_error(view_choice_counts(&choice, &scene, &a, &b), TTT_ARGUMENT,
                "3 target views are wanted, but the scene has 10 for them and 8 of these may be inputs");
    choice.targets = 2;
    check_ok(view_choice_counts(&choice, &scene, &a, &b));
    choice.inputs = 0;
    check_error(view_choice_counts(&choice, &scene, &a, &b), TTT_ARGUMENT, "0 input");
    choice.inputs = 3, choice.targets = 0;
    check_ok(view_choice_counts(&choice, &scene, &a, &b));
    assert_int_equal(b, 7);
    scene_free(&scene);
}

static void index_files(void **state)
{
    struct scene scene = make_scene(6);
    struct view_index *index;
    uint32_t inputs[2], targets[3];
    int a, b;
    char *path = temporary_path(*state, "index.json");
    scene_text(*state, "index.json", "{\"s\":{\"context\":[4,0],\"target\":[1,2,5]},\"t\":null}");
    check_ok(view_index_open(path, &index));
    struct view_choice choice = {.order = VIEWS_INDEXED, .index = index};
    check_ok(view_choice_counts(&choice, &scene, &a, &b));
    assert_true(a == 2 && b == 3);
    check_ok(view_choose(&choice, &scene, NULL, inputs, targets));
    assert_true(inputs[0] == 4 && inputs[1] == 0 && targets[2] == 5);
    scene.name[0] = 't';
    check_error(view_choice_counts(&choice, &scene, &a, &b), TTT_ARGUMENT, "has no views for 't'");
    scene.name[0] = 's';
    view_index_free(index);
    static const char *const bad[][2] = {
        {"{\"s\":{\"inputs\":[6],\"targets\":[0]}}", "there is no view 6, S has 6 views"},
        {"{\"s\":{\"inputs\":[-1],\"targets\":[0]}}", "there is no view -1"},
        {"{\"s\":{\"inputs\":[0],\"targets\":[1.5]}}", "number 0 is not a whole number"},
        {"{\"s\":{\"inputs\":[0,1,0],\"targets\":[2]}}", "key 'inputs': view 0 stands there twice"},
        {"{\"s\":{\"inputs\":[0],\"targets\":[2,3,2]}}", "key 'targets': view 2 stands there twice"},
        {"{\"s\":{\"inputs\":[0]}}", "key 'targets' is missing"},
        {"{\"s\":{\"inputs\":[],\"targets\":[1]}}", "key 'inputs' is not a list"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        scene_text(*state, "index.json", "%s", bad[i][0]);
        check_ok(view_index_open(path, &index));
        choice.index = index;
        check_error(view_choice_counts(&choice, &scene, &a, &b), TTT_FORMAT, bad[i][1]);
        view_index_free(index);
    }
    scene_text(*state, "index.json", "[1]");
    check_error(view_index_open(path, &index), TTT_FORMAT, "is not an object");
    scene_free(&scene);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        temporary_test(rgba_over_white_is_pillows),
        temporary_test(intrinsics_follow_the_cut),
        temporary_test(distortion_is_taken_out),
        temporary_test(picture_that_changed_is_refused),
        cmocka_unit_test(rules),
        cmocka_unit_test(choices_by_rule),
        cmocka_unit_test(too_few_views),
        temporary_test(index_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
