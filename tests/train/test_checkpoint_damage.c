/* Damaged, foreign and newer checkpoints are refused by name; killed and out-of-space writers leave the
 * last good one. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary.h"
#include "tests/train/tiny_run.h"

static struct tiny_run run;

static int set_up(void **state)
{
    (void)state;
    tiny_run_start(&run);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tiny_run_end(&run);
    return 0;
}

static void assert_load_fails(int64_t step, struct tiny_training *t, const char *text)
{
    const struct tiny_training before = *t;
    check_error(checkpoint_load(run.path, step, &t->contents), TTT_FORMAT, text);
    assert_memory_equal(&before, t, sizeof before);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    const char *const names[2] = {"model.safetensors", "state.safetensors"};
    tiny_run_save(&run, 10);
    for (int i = 0; i < 2; i++) {
        char *path = tiny_run_file(&run, 10, names[i]);
        struct stat info;
        assert_int_equal(stat(path, &info), 0);
        for (long at = 0; at < info.st_size; at++) {
            struct tiny_training t;
            tiny_training_start(&t);
            flip_bit(path, at);
            ttt_status status = checkpoint_load(run.path, 10, &t.contents);
            if (!status)
                fail_msg("byte %ld of %s", at, names[i]);
            ttt_status_free(status);
            assert_int_equal(t.contents.scalars.count, 0);
            assert_true(t.weight[1] == 0 && t.moment[1] == 0);
            flip_bit(path, at);
        }
        free(path);
    }
    assert_latest(&run, 10, NULL);
}

static void falls_back_to_the_one_before(void **state)
{
    (void)state;
    struct tiny_training t;
    struct tiny_lines lines;
    int64_t step;
    tiny_run_save(&run, 10);
    tiny_run_save(&run, 20);
    tiny_run_save(&run, 30);
    char *path = tiny_run_file(&run, 30, "model.safetensors");
    flip_bit(path, -3);
    assert_latest(&run, 20, "checkpoint of step 30 cannot be used: ");
    assert_latest(&run, 20, "damaged: the bytes of tensor 'half'");
    assert_latest(&run, 20, "resuming from the checkpoint of step 20 instead");
    free(path);
    path = tiny_run_file(&run, 20, "state.safetensors");
    assert_int_equal(truncate(path, 100), 0);
    assert_latest(&run, 10, "truncated");
    free(path);
    path = tiny_run_file(&run, 10, "state.safetensors");
    assert_int_equal(unlink(path), 0);
    tiny_training_start(&t);
    check_error(checkpoint_load_latest(run.path, &t.contents, tiny_reporter(&lines), &step), TTT_FORMAT,
                "no checkpoint of the run can be used: ");
    assert_int_equal(step, -1);
    assert_non_null(strstr(lines.text, "checkpoint of step 10 cannot be used"));
    free(path);
}

static void other_models_are_refused(void **state)
{
    (void)state;
    struct tiny_training t;
    tiny_run_save(&run, 10);
    tiny_training_start(&t);
    t.model[0].shape[0] = 50;
    t.model[0].shape[1] = 3;
    assert_load_fails(10, &t,
                      "of another model: 'blocks.0.weight' is F32 [3, 50], the model's is F32 [50, 3]");
    tiny_training_start(&t);
    t.model[1].dtype = TTT_I32;
    assert_load_fails(10, &t, "'half' is BF16 [4], the model's is I32 [4]");
    tiny_training_start(&t);
    t.model[1].name = "other";
    assert_load_fails(10, &t, "'other' is missing; 'half' is not in the model");
    tiny_training_start(&t);
    t.contents.state_count = 0;
    assert_load_fails(10, &t, "state.safetensors: of another model: 'moment' is not in the model");
    checkpoint_tensor many[20];
    char names[20][8];
    for (int i = 0; i < 20; i++) {
        sprintf(names[i], "n%d", i);
        many[i] = (checkpoint_tensor){names[i], TTT_U8, 1, {1}, t.weight};
    }
    tiny_training_start(&t);
    t.contents.model = many;
    t.contents.model_count = 20;
    assert_load_fails(10, &t, "'n7' is missing; and 14 more");
}

static void newer_versions_are_refused(void **state)
{
    (void)state;
    struct tiny_training t;
    float value = 3;
    const safetensors_tensor tensor = {"w", SAFETENSORS_F32, 1, {1}, 0, 0, &value};
    const safetensors_metadata newer = {"ttt.version", "2"}, broken = {"ttt.version", "x"};
    const checkpoint_tensor wanted = {"w", TTT_F32, 1, {1}, &value};
    tiny_run_save(&run, 10);
    char *path = tiny_run_file(&run, 10, "model.safetensors");
    tiny_training_start(&t);
    check_ok(safetensors_write(path, &tensor, 1, &newer, 1));
    assert_load_fails(10, &t, "written in version 2 of the format, this program reads up to 1");
    check_error(weights_load(path, &wanted, 1), TTT_FORMAT, "version 2 of the format");
    check_ok(safetensors_write(path, &tensor, 1, &broken, 1));
    assert_load_fails(10, &t, "the version is not a number");
    check_ok(safetensors_write(path, &tensor, 1, NULL, 0));
    assert_load_fails(10, &t, "not a checkpoint");
    free(path);
}

static void a_file_too_large_leaves_the_last_good(void **state)
{
    (void)state;
    struct rlimit old, small;
    tiny_run_save(&run, 10);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 512;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct tiny_training t;
    tiny_training_at(&t, 20);
    ttt_status status = checkpoint_save(run.path, 20, &t.contents);
    setrlimit(RLIMIT_FSIZE, &old);
    check_error(status, TTT_IO, "bytes are needed");
    assert_steps(&run, (const int64_t[]){10}, 1);
    assert_latest(&run, 10, NULL);
}

/* A run on a file system of 64 kB; its path is NULL where none can be mounted. */
static struct tiny_run mount_small_disk(const char *disk)
{
    struct tiny_run small = {0};
    assert_int_equal(mkdir(disk, 0777), 0);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=64k") == 0) {
        small.path = temporary_path(disk, "run");
        check_ok(run_folder_open(small.path, &small.folder));
    }
    return small;
}

static void fill(const char *path)
{
    const char block[4096] = {0};
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    close(fd);
}

static void a_full_disk_leaves_the_last_good(void **state)
{
    (void)state;
    char *disk = temporary_path(run.parent, "disk"), *filler = temporary_path(disk, "filler");
    struct tiny_run small = mount_small_disk(disk);
    struct tiny_training t;
    if (small.path) {
        tiny_run_save(&small, 10);
        fill(filler);
        tiny_training_at(&t, 20);
        check_error(checkpoint_save(small.path, 20, &t.contents), TTT_IO, "No space left on device; ");
        check_error(checkpoint_save(small.path, 20, &t.contents), TTT_IO, " bytes are needed, 0 were free");
        unlink(filler);
        assert_steps(&small, (const int64_t[]){10}, 1);
        assert_latest(&small, 10, NULL);
        tiny_run_save(&small, 20);
        assert_latest(&small, 20, NULL);
        run_folder_close(&small.folder);
        assert_int_equal(umount(disk), 0);
    }
    free(filler);
    free(disk);
    if (!small.path) {
        print_message("skipped: a small file system cannot be mounted here\n");
        skip();
    }
    free(small.path);
}

/* Saves and prunes without end, so that a kill meets every moment of both. */
static void save_for_ever(int64_t step)
{
    run_folder own;
    struct tiny_training t;
    if (run_folder_open(run.path, &own))
        _exit(1);
    for (;; step++) {
        tiny_training_at(&t, step);
        if (checkpoint_save(run.path, step, &t.contents) || checkpoint_mark_best(run.path, step / 3 * 3) ||
            checkpoint_prune(run.path, 2))
            _exit(2);
    }
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    int64_t newest = 0;
    tiny_run_save(&run, 0);
    run_folder_close(&run.folder);
    for (int round = 0; round < 30; round++) {
        pid_t child = fork();
        if (child == 0)
            save_for_ever(newest);
        assert_true(child > 0);
        usleep((useconds_t)(3000 + round * 1777));
        kill(child, SIGKILL);
        int result;
        waitpid(child, &result, 0);
        assert_true(WIFSIGNALED(result));
        struct tiny_training t;
        struct tiny_lines lines;
        int64_t step;
        tiny_training_start(&t);
        check_ok(checkpoint_load_latest(run.path, &t.contents, tiny_reporter(&lines), &step));
        assert_string_equal(lines.text, "");
        assert_true(step >= newest);
        assert_tiny_training_at(&t, step);
        newest = step;
    }
    assert_true(newest > 0);
    check_ok(run_folder_open(run.path, &run.folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(falls_back_to_the_one_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_models_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(newer_versions_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_too_large_leaves_the_last_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_last_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_any_moment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
