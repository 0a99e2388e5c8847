/* A folder to train in. */
#include "tests/tools/training.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/make_pictures.h"
#include "data/make_scenes.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "train/checkpoint.h"

static const char tiny[] =
    "run: {dir: runs}\n"
    "device: {threads: 1}\n"
    "model: {image_size: 16, patch: 4, width: 16, depth: 2, heads: 2, drop_path: 0.1}\n"
    "data: {root: pictures, crop_area: [0.5, 1], eval_crop: none}\n"
    "train: {epochs: 6, batch_size: 8, lr: 2.0e-3, warmup_lr: 0, min_lr: 0}\n"
    "eval: {every: 2, batch_size: 8}\n";

static const char views[] =
    "task: views\n"
    "run: {name: views, dir: runs}\n"
    "device: {threads: 2}\n"
    "model: {name: lact_nvs_nano, image_size: 16, patch: 4, width: 16, depth: 2, head_dim: 8,\n"
    "        fast_head_dim: 16, num_input_views: 3, num_target_views: 2}\n"
    "data: {root: scenes, train: train.json, val: val.json}\n"
    "train: {steps: 2, batch_size: 2}\n";

/* A temporary working folder with a config in it. */
static char *enter(const char *name, const char *config)
{
    char *folder = temporary_folder();
    temporary_file(folder, name, config, strlen(config));
    assert_int_equal(chdir(folder), 0);
    /* Waiting threads sleep: a machine that runs several tests has fewer processors than threads. */
    assert_int_equal(setenv("OMP_WAIT_POLICY", "passive", 1), 0);
    assert_int_equal(unsetenv("TTT_IMPL"), 0);
    return folder;
}

int training_enter(void **state)
{
    struct make_pictures_options options = make_pictures_options_default();
    options.classes = 3;
    options.train = 48;
    options.val = 15;
    options.size = 16;
    options.threads = 1;
    *state = enter("tiny.yaml", tiny);
    check_ok(make_pictures("pictures", &options));
    return 0;
}

int training_enter_views(void **state)
{
    struct make_scenes_options options = make_scenes_options_default();
    options.count = 3;
    options.views = TRAINING_VIEWS;
    options.size = TRAINING_SIDE;
    options.threads = 1;
    *state = enter("views.yaml", views);
    check_ok(make_scenes("scenes", &options));
    return 0;
}

int training_leave(void **state)
{
    assert_int_equal(chdir("/"), 0);
    temporary_remove(*state);
    return 0;
}

void succeed(struct program_result result)
{
    if (result.exit_status)
        fail_msg("exit status %d; standard error: %s", result.exit_status, result.err);
    program_free(&result);
}

void fails(struct program_result result, int status, const char *part)
{
    if (result.exit_status != status)
        fail_msg("exit status %d instead of %d; standard error: %s", result.exit_status, status, result.err);
    check_contains(result.err, part);
    program_free(&result);
}

pid_t program_start(const char *const *arguments)
{
    enum { MOST = 31 };
    char *all[MOST + 2] = {(char *)TEST_PROGRAM};
    for (int i = 0; arguments[i] && i < MOST; i++)
        all[i + 1] = (char *)arguments[i];
    pid_t child = fork();
    assert_true(child >= 0);
    if (child)
        return child;
    int null = open("/dev/null", O_RDWR);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
        _exit(126);
    execv(TEST_PROGRAM, all);
    _exit(127);
}

static void check_same_file(const char *a, const char *b, const char *name)
{
    char *paths[2] = {temporary_path("runs", "%s/latest/%s", a, name),
                      temporary_path("runs", "%s/latest/%s", b, name)};
    size_t size[2];
    uint8_t *bytes[2];
    for (int i = 0; i < 2; i++)
        bytes[i] = temporary_read(paths[i], &size[i]);
    if (size[0] != size[1] || memcmp(bytes[0], bytes[1], size[0]) != 0)
        fail_msg("%s and %s differ", paths[0], paths[1]);
    for (int i = 0; i < 2; i++) {
        free(bytes[i]);
        free(paths[i]);
    }
}

void check_same_end(const char *a, const char *b)
{
    char *best[2] = {temporary_path("runs", "%s", a), temporary_path("runs", "%s", b)};
    assert_int_equal(latest_step(a), latest_step(b));
    assert_int_equal(checkpoint_best(best[0]), checkpoint_best(best[1]));
    check_same_file(a, b, "model.safetensors");
    check_same_file(a, b, "state.safetensors");
    free(best[0]);
    free(best[1]);
}

int64_t latest_step(const char *name)
{
    char *folder = temporary_path("runs", "%s", name);
    int64_t step = checkpoint_latest(folder);
    free(folder);
    return step;
}
