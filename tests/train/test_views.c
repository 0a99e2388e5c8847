/* The view synthesis task in the training loop: it learns, resumes bit by bit, skips large steps, and says
 * what does not fit before anything is computed. */
#include "train/views.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/make_scenes.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "tests/train/config_files.h"
#include "train/loop.h"
#include "train/run_folder.h"

static int enter(void **state)
{
    struct make_scenes_options make = make_scenes_options_default();
    enter_config_folder(state);
    make.count = 5;
    make.views = 6;
    make.size = 16;
    check_ok(make_scenes("scenes", &make));
    return 0;
}

static int leave(void **state)
{
    check_ok(folder_remove("scenes"));
    check_ok(folder_remove("runs"));
    return leave_config_folder(state);
}

#define IN_SCENES(test) cmocka_unit_test_setup_teardown(test, enter, leave)

static struct run_config views_config(const char *name, const char *more)
{
    char text[1500];
    snprintf(text, sizeof text,
             "task: views\n"
             "run: {name: %s}\n"
             "model: {image_size: 16, patch: 4, width: 16, depth: 2, head_dim: 8, fast_head_dim: 16, "
             "num_input_views: 2, num_target_views: 3}\n"
             "data: {root: scenes, train: train.json, val: val.json}\n"
             "train: {steps: 8, batch_size: 2, lr: 1.0e-2, warmup_fraction: 0}\n"
             "%s\n",
             name, more);
    return load_config_text(text);
}

struct watch {
    int64_t stop_after;
    volatile sig_atomic_t stop;
    double first_loss, last_losses; /* the second: sum over the last ten steps */
    char said[1024];
};

static void progress(void *context, const struct train_progress *p)
{
    struct watch *watch = context;
    if (p->step == 1)
        watch->first_loss = p->loss;
    if (p->step > p->steps - 10)
        watch->last_losses += p->loss;
    if (p->step == watch->stop_after)
        watch->stop = 1;
}

static void say(void *context, const char *line)
{
    struct watch *watch = context;
    snprintf(watch->said, sizeof watch->said, "%s", line);
}

static struct train_outcome train(struct run_config *config, struct watch *watch)
{
    const struct train_observer observer = {progress, NULL, say, watch};
    struct train_outcome outcome;
    struct views *views;
    ttt_device *device;
    check_ok(views_create(config, NULL, &views));
    check_ok(ttt_device_open("cpu", 2, &device));
    check_ok(train_run(views_task(views), config, device, &watch->stop, &observer, &outcome));
    free(outcome.folder);
    outcome.folder = NULL;
    views_destroy(views);
    ttt_device_close(device);
    return outcome;
}

static void it_learns(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct run_config config = views_config("learns", "");
    config.train.steps = 100;
    struct train_outcome outcome = train(&config, &watch);
    assert_true(watch.last_losses / 10 < 0.7 * watch.first_loss);
    assert_true(outcome.evaluated && outcome.bad_steps == 0);
    assert_string_equal(outcome.evaluation.values[outcome.evaluation.best].name, "psnr");
    assert_int_equal(outcome.evaluation.samples, 4); /* one scene, the views that are no inputs */
    assert_true(outcome.best > 5 && outcome.best < 60);
    run_config_free(&config);
}

static void assert_same_file(const char *name)
{
    size_t size[2];
    uint8_t *bytes[2];
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "runs/%s/latest/%s", i ? "stopped" : "whole", name);
        bytes[i] = temporary_read(path, &size[i]);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void a_stopped_run_ends_bit_by_bit_alike(void **state)
{
    (void)state;
    struct watch whole = {0}, first = {.stop_after = 3}, second = {0};
    struct run_config config = views_config("whole", "");
    assert_int_equal(train(&config, &whole).step, 8);
    run_config_free(&config);
    config = views_config("stopped", "");
    assert_true(train(&config, &first).interrupted);
    config.data.threads = 0; /* nor do the threads matter */
    assert_int_equal(train(&config, &second).step, 8);
    assert_same_file("model.safetensors");
    assert_same_file("state.safetensors");
    run_config_free(&config);
}

static void large_steps_are_skipped_and_end_nothing(void **state)
{
    (void)state;
    struct watch watch = {0};
    struct run_config config = views_config("large", "");
    config.train.clip = 1e-9;
    config.train.max_bad_steps = 2;
    struct train_outcome outcome = train(&config, &watch);
    assert_int_equal(outcome.step, 8);
    assert_int_equal(outcome.bad_steps, 8);
    assert_non_null(strstr(watch.said, "step 8 skipped"));
    assert_non_null(strstr(watch.said, "norm over 4 x clip 1e-09"));
    config.train.skip_over = 0;
    free(config.run.name);
    config.run.name = strdup("clipped");
    assert_int_equal(train(&config, &watch).bad_steps, 0);
    run_config_free(&config);
}

static void refused(const char *more, ttt_code code, const char *part)
{
    struct run_config config = views_config("x", more);
    struct views *views;
    check_error(views_create(&config, NULL, &views), code, part);
    assert_null(views);
    run_config_free(&config);
}

static void what_does_not_fit_is_said_at_once(void **state)
{
    (void)state;
    static const char index[] = "{\"00000\": {\"inputs\": [0], \"targets\": [1, 2, 3]}}";
    temporary_file(".", "index.json", index, strlen(index));
    struct run_config config = views_config("x", "");
    struct views *views;
    config.model.lact.num_target_views = 5;
    check_error(views_create(&config, NULL, &views), TTT_ARGUMENT, "6");
    config.model.lact.num_target_views = 3;
    config.model.lact.patch = 32;
    check_error(views_create(&config, NULL, &views), TTT_ARGUMENT, "32");
    config.model.lact.patch = 4;
    config.data.root[0] = 0;
    check_error(views_create(&config, NULL, &views), TTT_ARGUMENT, "data.root is not set");
    run_config_free(&config);
    refused("eval: {num_input_views: 7}", TTT_ARGUMENT, "7");
    refused("eval: {view_order: index, view_index: missing.json}", TTT_ARGUMENT, "missing.json");
    config = views_config("x", "");
    config.data.views.order = VIEWS_INDEXED;
    free(config.data.views.index);
    free(config.data.train);
    config.data.views.index = strdup("index.json");
    config.data.train = strdup("00000");
    check_error(views_create(&config, NULL, &views), TTT_ARGUMENT, "gives 1 input and 3 target views");
    run_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENES(it_learns),
        IN_SCENES(a_stopped_run_ends_bit_by_bit_alike),
        IN_SCENES(large_steps_are_skipped_and_end_nothing),
        IN_SCENES(what_does_not_fit_is_said_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
