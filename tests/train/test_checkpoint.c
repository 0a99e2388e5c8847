/* Checkpoints and the folder of a run: saved and loaded to the bit, listed, pruned, locked, cleaned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary.h"
#include "tests/train/tiny_run.h"
#include "train/checksum.h"

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

static void scalars(void **state)
{
    (void)state;
    checkpoint_scalars s = {0};
    int64_t whole;
    double real;
    checkpoint_set_i64(&s, "a", INT64_MIN);
    checkpoint_set_f64(&s, "b", 0.1);
    checkpoint_set_f64(&s, "nan", NAN);
    checkpoint_set_f64(&s, "inf", -INFINITY);
    checkpoint_set_f64(&s, "b", 0x1p-1074);
    assert_int_equal(s.count, 4);
    check_ok(checkpoint_get_i64(&s, "a", &whole));
    assert_true(whole == INT64_MIN);
    check_ok(checkpoint_get_f64(&s, "b", &real));
    assert_true(real == 0x1p-1074);
    check_ok(checkpoint_get_f64(&s, "nan", &real));
    assert_true(isnan(real));
    check_ok(checkpoint_get_f64(&s, "inf", &real));
    assert_true(real == -INFINITY);
    check_error(checkpoint_get_i64(&s, "b", &whole), TTT_FORMAT, "'b' is 'f64");
    check_error(checkpoint_get_f64(&s, "c", &real), TTT_FORMAT, "no number 'c'");
    strcpy(s.entries[0].text, "i64 12x");
    check_error(checkpoint_get_i64(&s, "a", &whole), TTT_FORMAT, "not a number");
}

static void known_checksums(void **state)
{
    (void)state;
    /* Published values of XXH64, and one that runs through stripes and every tail. */
    unsigned char bytes[32 + 8 + 4 + 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    assert_true(checksum("", 0, 0) == 0xEF46DB3751D8E999);
    assert_true(checksum("a", 1, 0) == 0xD24EC4F1A98C6E5B);
    assert_true(checksum("abc", 3, 0) == 0x44BC2CF5AD770999);
    const uint64_t sum = checksum(bytes, sizeof bytes, 7);
    for (size_t i = 0; i < sizeof bytes; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (unsigned char)(1 << bit);
            assert_true(checksum(bytes, sizeof bytes, 7) != sum);
            bytes[i] ^= (unsigned char)(1 << bit);
        }
    assert_true(checksum(bytes, sizeof bytes, 8) != sum);
}

static void saved_and_loaded(void **state)
{
    (void)state;
    struct tiny_training t;
    int64_t step;
    tiny_training_start(&t);
    check_ok(checkpoint_load_latest(run.path, &t.contents, (checkpoint_reporter){0}, &step));
    assert_int_equal(step, -1);
    assert_int_equal(checkpoint_latest(run.path), -1);
    tiny_run_save(&run, 10);
    tiny_run_save(&run, 20);
    assert_latest(&run, 20, NULL);
    check_ok(checkpoint_load(run.path, 10, &t.contents));
    assert_tiny_training_at(&t, 10);
    check_error(checkpoint_load(run.path, 15, &t.contents), TTT_IO,
                "checkpoints/15/model.safetensors: cannot open");
}

static void a_step_can_be_saved_again(void **state)
{
    (void)state;
    struct tiny_training t;
    tiny_run_save(&run, 10);
    tiny_training_at(&t, 11);
    check_ok(checkpoint_save(run.path, 10, &t.contents));
    tiny_training_start(&t);
    check_ok(checkpoint_load(run.path, 10, &t.contents));
    assert_tiny_training_at(&t, 11);
    char *hidden = temporary_path(run.path, "checkpoints/.writing-10");
    assert_int_not_equal(access(hidden, F_OK), 0);
    free(hidden);
}

static void latest_decides(void **state)
{
    (void)state;
    tiny_run_save(&run, 10);
    tiny_run_save(&run, 20);
    tiny_run_save(&run, 30);
    check_ok(folder_link(run.path, "latest", "checkpoints/20"));
    assert_latest(&run, 20, NULL);
    check_ok(folder_link(run.path, "latest", "checkpoints/25"));
    assert_latest(&run, 30, "latest names no checkpoint");
    char *link = temporary_path(run.path, "latest");
    assert_int_equal(unlink(link), 0);
    assert_latest(&run, 30, "latest names no checkpoint; trying the newest of 3");
    free(link);
}

static void bare_weights(void **state)
{
    (void)state;
    const uint16_t brain[2] = {0x3f80, 0xc0a0}, half[2] = {0x3c00, 0xc500};
    const double wide[2] = {1, -5};
    const int32_t whole[2] = {1, -5};
    const safetensors_tensor files[] = {
        {"w", SAFETENSORS_BF16, 1, {2}, 0, 0, brain},
        {"w", SAFETENSORS_F16, 1, {2}, 0, 0, half},
        {"w", SAFETENSORS_F64, 1, {2}, 0, 0, wide},
    };
    float values[2] = {0};
    const checkpoint_tensor wanted = {"w", TTT_F32, 1, {2}, values};
    char *path = temporary_path(run.parent, "weights.safetensors");
    for (int i = 0; i < 3; i++) {
        values[0] = values[1] = 0;
        check_ok(safetensors_write(path, &files[i], 1, NULL, 0));
        check_ok(weights_load(path, &wanted, 1));
        assert_true(values[0] == 1 && values[1] == -5);
    }
    const safetensors_tensor integers = {"w", SAFETENSORS_I32, 1, {2}, 0, 0, whole};
    check_ok(safetensors_write(path, &integers, 1, NULL, 0));
    check_error(weights_load(path, &wanted, 1), TTT_FORMAT, "'w' is I32 [2], the model's is F32 [2]");
    check_error(weights_load("/nowhere.safetensors", &wanted, 1), TTT_IO,
                "/nowhere.safetensors: cannot open");
    free(path);
    /* A checkpoint's own model file, from anywhere. */
    struct tiny_training t;
    tiny_run_save(&run, 10);
    tiny_training_start(&t);
    path = temporary_path(run.path, "latest/model.safetensors");
    check_ok(weights_load(path, t.model, 2));
    flip_bit(path, -1);
    check_error(weights_load(path, t.model, 2), TTT_FORMAT, "do not fit its checksum");
    free(path);
}

static void pruning(void **state)
{
    (void)state;
    for (int64_t step = 5; step <= 30; step += 5)
        tiny_run_save(&run, step);
    check_ok(checkpoint_mark_best(run.path, 10));
    assert_int_equal(checkpoint_best(run.path), 10);
    check_ok(checkpoint_prune(run.path, 2));
    assert_steps(&run, (const int64_t[]){10, 25, 30}, 3);
    tiny_run_save(&run, 100);
    check_ok(checkpoint_mark_best(run.path, 100));
    check_ok(checkpoint_prune(run.path, 1));
    assert_steps(&run, (const int64_t[]){100}, 1);
    /* After going back, what stands beyond `latest` neither counts nor goes. */
    tiny_run_save(&run, 60);
    tiny_run_save(&run, 70);
    check_ok(checkpoint_prune(run.path, 2));
    assert_steps(&run, (const int64_t[]){60, 70, 100}, 3);
    /* Other names are no checkpoints. */
    char *stranger = temporary_path(run.path, "checkpoints/007");
    assert_int_equal(mkdir(stranger, 0777), 0);
    assert_steps(&run, (const int64_t[]){60, 70, 100}, 3);
    free(stranger);
}

static void leftovers_are_removed(void **state)
{
    (void)state;
    char *kept = temporary_path(run.path, "checkpoints/.mine");
    char *half = temporary_path(run.path, "checkpoints/.writing-9"),
         *link = temporary_path(run.path, ".link-best");
    tiny_run_save(&run, 10);
    temporary_file(run.path, "checkpoints/.writing-9/model.safetensors", "x", 1);
    temporary_file(run.path, "checkpoints/.removing-3/model.safetensors", "x", 1);
    temporary_file(run.path, "checkpoints/.mine", "x", 1);
    assert_int_equal(symlink("checkpoints/10", link), 0);
    run_folder_close(&run.folder);
    check_ok(run_folder_open(run.path, &run.folder));
    assert_int_not_equal(access(half, F_OK), 0);
    assert_int_not_equal(access(link, F_OK), 0);
    assert_int_equal(access(kept, F_OK), 0);
    assert_latest(&run, 10, NULL);
    free(link);
    free(half);
    free(kept);
}

static void one_process_at_a_time(void **state)
{
    (void)state;
    run_folder second;
    check_error(run_folder_open(run.path, &second), TTT_ARGUMENT, "another process");
    run_folder_close(&run.folder);
    check_ok(run_folder_open(run.path, &second));
    run_folder_close(&second);
    check_ok(run_folder_open(run.path, &run.folder));
}

static void a_file_in_the_way(void **state)
{
    (void)state;
    run_folder other;
    char *below = temporary_path(run.parent, "file/run");
    temporary_file(run.parent, "file", "x", 1);
    check_error(run_folder_open(below, &other), TTT_IO, "file/run/checkpoints: cannot create the folder: ");
    free(below);
}

/* 0 when the folder is refused for want of permission; as another user where we may write anywhere. */
static int try_as_nobody(const char *path)
{
    run_folder other;
    if (geteuid() == 0 && setuid(65534) != 0)
        return 1;
    ttt_status status = run_folder_open(path, &other);
    const bool refused =
        status && ttt_status_code(status) == TTT_IO && strstr(ttt_status_text(status), "Permission denied");
    ttt_status_free(status);
    return refused ? 0 : 2;
}

static void a_folder_that_may_not_be_written(void **state)
{
    (void)state;
    int result;
    char *closed = temporary_path(run.parent, "closed");
    assert_int_equal(chmod(run.parent, 0755), 0);
    assert_int_equal(mkdir(closed, 0555), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(try_as_nobody(closed));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    free(closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),
        cmocka_unit_test(known_checksums),
        cmocka_unit_test_setup_teardown(saved_and_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_can_be_saved_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(latest_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bare_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pruning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leftovers_are_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_process_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_in_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_may_not_be_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
