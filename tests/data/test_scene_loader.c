/* Batches of examples: the same for any number of threads, cache and start; normalised poses; bad scenes. */
#include "tests/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/scenes/scene_loader.h"
#include "data/scenes/view.h"
#include "tests/data/scene_files.h"
#include "tests/support/temporary.h"

enum { SCENES = 3, VIEWS = 7, SIDE = 12, BATCH = 4, INPUTS = 3, TARGETS = 2, STEPS = 6 };
enum { PICTURE = 3 * SIDE * SIDE, EXAMPLE = (INPUTS + TARGETS) * (PICTURE + 20) };

static const struct scene_set_options SET = {.threads = 1};

static struct scene_loader_options options_of(int threads, size_t cache)
{
    return (struct scene_loader_options){
        .sample = {.height = SIDE,
                   .width = SIDE,
                   .choice = {.order = VIEWS_RANDOM, .inputs = INPUTS, .targets = TARGETS},
                   .normalisation = POSES_MEAN,
                   .factor = 1.35},
        .batch_size = BATCH,
        .threads = threads,
        .prefetch = 2,
        .cache_bytes = cache,
        .seed = 3,
    };
}

static int make_scenes(void **state)
{
    *state = temporary_folder();
    for (int i = 0; i < SCENES; i++) {
        char *folder = temporary_path(*state, "%c", 'a' + i);
        scene_write_ring(folder, VIEWS, 20 + i, 16);
        free(folder);
    }
    return 0;
}

static int remove_scenes(void **state)
{
    temporary_remove(*state);
    return 0;
}

static float *append(float *to, const float *from, size_t count)
{
    memcpy(to, from, count * sizeof *to);
    return to + count;
}

/* Everything in the batches of steps first .. STEPS - 1. */
static float *collect(const struct scene_set *set, struct scene_loader_options options, uint64_t first)
{
    struct scene_loader *loader;
    struct scene_batch batch;
    float *all = check_alloc((size_t)STEPS * BATCH * EXAMPLE, sizeof *all),
          *at = all + first * BATCH * EXAMPLE;
    options.first_step = first;
    check_ok(scene_loader_create(set, &options, &loader));
    for (uint64_t step = first; step < STEPS; step++) {
        check_ok(scene_loader_next(loader, &batch));
        assert_int_equal(batch.step, step);
        at = append(at, batch.inputs.images, BATCH * INPUTS * PICTURE);
        at = append(at, batch.targets.images, BATCH * TARGETS * PICTURE);
        at = append(at, batch.inputs.c2w, BATCH * INPUTS * 16);
        at = append(at, batch.targets.c2w, BATCH * TARGETS * 16);
        at = append(at, batch.inputs.fxfycxcy, BATCH * INPUTS * 4);
        at = append(at, batch.targets.fxfycxcy, BATCH * TARGETS * 4);
    }
    assert_int_equal(scene_loader_bad_scenes(loader), 0);
    scene_loader_destroy(loader);
    return all;
}

static void threads_cache_and_start_do_not_matter(void **state)
{
    struct scene_set set;
    check_ok(scene_set_open(*state, &SET, &set));
    float *plain = collect(&set, options_of(0, 0), 0);
    const size_t room = 2 * 3 * SIDE * SIDE; /* of two pictures */
    for (int threads = 0; threads <= 5; threads++) {
        float *other = collect(&set, options_of(threads, threads % 2 ? room : (size_t)1 << 30), 0);
        assert_memory_equal(plain, other, (size_t)STEPS * BATCH * EXAMPLE * sizeof *plain);
        free(other);
    }
    float *late = collect(&set, options_of(2, room), 4);
    size_t before = (size_t)4 * BATCH * EXAMPLE;
    assert_memory_equal(plain + before, late + before, (size_t)2 * BATCH * EXAMPLE * sizeof *plain);
    free(plain), free(late);
    scene_set_free(&set);
}

/* A batch against what its own lists of views say. */
static void batches_hold_what_they_say(void **state)
{
    struct scene_set set;
    struct scene_loader *loader;
    struct scene_batch batch;
    struct scene_loader_options options = options_of(1, 0);
    uint32_t seen[SCENES] = {0};
    check_ok(scene_set_open(*state, &SET, &set));
    check_ok(scene_loader_create(&set, &options, &loader));
    for (int step = 0; step < 3; step++) {
        check_ok(scene_loader_next(loader, &batch));
        for (int i = 0; i < BATCH; i++) {
            const struct scene *scene = &set.scenes[batch.scenes[i]];
            struct pose poses[INPUTS + TARGETS];
            seen[batch.scenes[i]]++;
            for (int v = 0; v < INPUTS + TARGETS; v++)
                poses[v] = scene
                               ->views[v < INPUTS ? batch.input_views[i * INPUTS + v]
                                                  : batch.target_views[i * TARGETS + v - INPUTS]]
                               .c2w;
            struct pose_frame frame = pose_frame_of(POSES_MEAN, 1.35, poses, INPUTS + TARGETS);
            struct pose expected = pose_in_frame(&frame, &poses[INPUTS + 1]);
            const float *c2w = batch.targets.c2w + (i * TARGETS + 1) * 16;
            for (int k = 0; k < 16; k++)
                assert_true(c2w[k] == (float)expected.m[k / 4][k % 4]);
            struct image image;
            float floats[PICTURE];
            check_ok(view_load(&scene->views[batch.input_views[i * INPUTS]], SIDE, SIDE, &image));
            view_to_floats(image.pixels, SIDE, SIDE, floats);
            assert_memory_equal(floats, batch.inputs.images + (size_t)i * INPUTS * PICTURE, sizeof floats);
            image_free(&image);
        }
    }
    /* Twelve examples are four rounds through three scenes. */
    for (int i = 0; i < SCENES; i++)
        assert_int_equal(seen[i], 4);
    scene_loader_destroy(loader);
    scene_set_free(&set);
}

static void count_lines(void *context, const char *line)
{
    assert_null(strchr(line, '\n'));
    ++*(int *)context;
}

/* Files that break after the scene was opened. */
static void break_pictures(const char *root, char scene)
{
    for (int i = 0; i < VIEWS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c/%02d.png", scene, i);
        temporary_file(root, name, "broken", 6);
    }
}

static void bad_scenes_are_replaced_and_counted(void **state)
{
    struct scene_set set;
    struct scene_loader *loader;
    struct scene_batch batch;
    int lines = 0;
    struct scene_loader_options options = options_of(2, 0);
    options.report = count_lines;
    options.context = &lines;
    check_ok(scene_set_open(*state, &SET, &set));
    break_pictures(*state, 'b');
    check_ok(scene_loader_create(&set, &options, &loader));
    for (int step = 0; step < 5; step++) {
        check_ok(scene_loader_next(loader, &batch));
        for (int i = 0; i < BATCH; i++)
            assert_int_not_equal(batch.scenes[i], 1);
    }
    assert_int_equal(scene_loader_bad_scenes(loader), 1);
    assert_int_equal(lines, 1);
    scene_loader_destroy(loader);
    break_pictures(*state, 'a');
    break_pictures(*state, 'c');
    for (int threads = 0; threads < 3; threads += 2) {
        options.threads = threads;
        check_ok(scene_loader_create(&set, &options, &loader));
        check_error(scene_loader_next(loader, &batch), TTT_FORMAT, "none of the 3 scenes can be loaded");
        check_error(scene_loader_next(loader, &batch), TTT_FORMAT, "none of the 3 scenes can be loaded");
        scene_loader_destroy(loader);
    }
    scene_set_free(&set);
}

static void mistakes_in_options(void **state)
{
    struct scene_set set;
    struct scene_loader *loader;
    check_ok(scene_set_open(*state, &SET, &set));
    struct scene_loader_options options = options_of(0, 0);
    options.batch_size = 0;
    check_error(scene_loader_create(&set, &options, &loader), TTT_ARGUMENT, "batch size 0");
    options = options_of(300, 0);
    check_error(scene_loader_create(&set, &options, &loader), TTT_ARGUMENT, "300 loader threads");
    options = options_of(0, 0);
    options.sample.factor = 0;
    check_error(scene_loader_create(&set, &options, &loader), TTT_ARGUMENT, "pose factor 0");
    options = options_of(0, 0);
    options.sample.choice.inputs = 6;
    check_error(scene_loader_create(&set, &options, &loader), TTT_ARGUMENT, "2 target views are wanted");
    options.sample.choice.order = VIEWS_INDEXED;
    check_error(scene_loader_create(&set, &options, &loader), TTT_ARGUMENT, "none is named");
    scene_set_free(&set);
}

/* An evaluation example: inputs spread evenly, all the others rendered, in the frame of the inputs. */
static void examples_for_evaluation(void **state)
{
    struct scene_set set;
    struct scene_sample sample;
    check_ok(scene_set_open(*state, &SET, &set));
    const struct scene_sample_options options = {.height = 8,
                                                 .width = 16,
                                                 .choice = {.order = VIEWS_UNIFORM, .inputs = 3},
                                                 .normalisation = POSES_MEAN,
                                                 .factor = 1,
                                                 .scope = POSES_OF_INPUTS};
    check_ok(scene_sample_load(&options, &set.scenes[0], NULL, NULL, &sample));
    assert_int_equal(sample.input_count, 3);
    assert_int_equal(sample.target_count, VIEWS - 3);
    assert_true(sample.input_views[0] == 0 && sample.input_views[1] == 3 && sample.input_views[2] == 6);
    float largest = 0, mean[3] = {0};
    for (int v = 0; v < 3; v++)
        for (int k = 0; k < 3; k++) {
            largest = fmaxf(largest, fabsf(sample.inputs.c2w[16 * v + 4 * k + 3]));
            mean[k] += sample.inputs.c2w[16 * v + 4 * k + 3];
        }
    assert_true(fabsf(largest - 1) < 1e-6f);
    assert_true(fabsf(mean[0]) + fabsf(mean[1]) + fabsf(mean[2]) < 1e-5f);
    scene_sample_free(&sample);
    scene_set_free(&set);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scenes, remove_scenes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_cache_and_start_do_not_matter), TEST(batches_hold_what_they_say),
        TEST(bad_scenes_are_replaced_and_counted), TEST(mistakes_in_options), TEST(examples_for_evaluation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
