/* The program on a GPU, or on the emulated one: golden vectors, a training in both precisions, and what goes
 * wrong there.  Where there is no device everything is skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "tests/tools/printed.h"
#include "tests/tools/training.h"
#include "train/run_folder.h"
#include "ttt/device/device.h"

/* Enough steps for what is done once, and then twice. */
#define SHORT "train.steps=7", "train.save_steps=3", "eval.every=0", "--device", "cuda"

static void golden_vectors(void **state)
{
    (void)state;
    static const char *const files[] = {"vittt_layer_baseline", "vittt_layer_variant6", "lact_layer_baseline",
                                        "lact_chunks_variant2", "lact_model_baseline",  "optimiser"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.safetensors", TEST_GOLDEN, files[i]);
        succeed(run("verify", path, "--device", "cuda"));
        succeed(run("verify", path, "--device", "cuda", "--dtype", "bf16"));
    }
}

static void devices_are_listed(void **state)
{
    (void)state;
    struct program_result result = run("info");
    check_contains(result.out, "\n  cuda:0 ");
    check_contains(result.out, "compute capability");
    succeed(result);
    check_refusal(2, "there is no device 'cuda:77'; this machine has: cpu, cuda:0", "bench", "ops",
                  "--device", "cuda:77");
}

static void trains_and_judges(void **state)
{
    (void)state;
    train_ok("f32", SHORT);
    train_ok("bf16", SHORT, "--dtype", "bf16");
    assert_int_equal(latest_step("bf16"), 7);
    succeed(run("eval", "runs/bf16"));
    succeed(run("eval", "runs/bf16", "--device", "cpu", "--dtype", "f32"));
}

/* From a checkpoint in the middle it ends with the bytes of a run that went through. */
static void goes_on_to_the_same_end(void **state)
{
    (void)state;
    train_ok("whole", SHORT, "--dtype=bf16");
    train_ok("parts", SHORT, "--dtype=bf16");
    check_ok(folder_link("runs/parts", "latest", "checkpoints/3"));
    train_ok("parts", SHORT, "--dtype=bf16");
    check_same_end("whole", "parts");
}

/* What a benchmark says of the device's power. */
static void says_what_it_draws(void **state)
{
    (void)state;
    struct program_result table = run("bench", "train", "tiny.yaml", "--device", "cuda", "--runs", "1");
    check_contains(table.out, " W allowed, ");
    succeed(table);
    json_t *m = printed(run("bench", "train", "tiny.yaml", "--device", "cuda", "--runs", "1", "--json"));
    assert_true(number(m, "watts") > 0 && number(m, "watts") < 2 * number(m, "limit_watts"));
    assert_true(number(m, "clock_hertz") <= number(m, "most_clock_hertz"));
    json_decref(m);
}

static void an_input_that_is_not_finite(void **state)
{
    (void)state;
    struct program_result result =
        train("nan", SHORT, "train.max_bad_steps=3", "data.std=[1e-300, 1e-300, 1e-300]");
    check_contains(result.err, "warning: step 1 skipped: loss ");
    check_contains(result.err, "input 'images' is not finite at element ");
    fails(result, 1, "3 steps in a row had a loss or gradient that is not finite");
}

/* What follows needs faults that only the emulated device has. */
static bool is_emulated(void)
{
    struct program_result result = run("info");
    const bool emulated = strstr(result.out, "emulated") != NULL;
    program_free(&result);
    if (!emulated)
        print_message("skipped: a real device does not fail on demand\n");
    return emulated;
}

/* The program, with a fault in its environment. */
#define RUN_UNDER(fault, value, ...) run_under(fault, value, (const char *const[]){__VA_ARGS__, NULL})

static struct program_result run_under(const char *fault, const char *value, const char *const *arguments)
{
    setenv(fault, value, 1);
    struct program_result result = program_run(arguments);
    unsetenv(fault);
    return result;
}

static struct program_result train_so_under(const char *fault, const char *value, const char *name,
                                            const char *more)
{
    char run_name[64];
    snprintf(run_name, sizeof run_name, "run.name=%s", name);
    return RUN_UNDER(fault, value, "train", "tiny.yaml", run_name, SHORT, more);
}

static struct program_result train_under(const char *fault, const char *value, const char *name)
{
    return train_so_under(fault, value, name, "train.accumulate=1");
}

#define UNKNOWN_NODE                                                                                         \
    "cuda:0, in recorded launches (TTT_ONE_BY_ONE=1 names the operator that fails): CUDA failed at "

static void a_kernel_that_fails(void **state)
{
    (void)state;
    size_t size[2];
    if (!is_emulated())
        return;
    fails(train_under("EMULATED_FAILURE", "20", "early"), 1, ":cuda): cuda:0: CUDA failed at ");
    train_ok("late", SHORT, "train.steps=3");
    uint8_t *before = temporary_read("runs/late/checkpoints/3/state.safetensors", &size[0]);
    fails(train_under("EMULATED_FAILURE", "300", "late"), 1,
          UNKNOWN_NODE "waiting for the device: an illegal memory access");
    assert_int_equal(latest_step("late"), 3);
    uint8_t *after = temporary_read("runs/late/latest/state.safetensors", &size[1]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(before, after, size[0]);
    free(before);
    free(after);
    setenv("TTT_ONE_BY_ONE", "1", 1);
    fails(train_under("EMULATED_FAILURE", "300", "named"), 1, ":cuda): cuda:0: CUDA failed at ");
    unsetenv("TTT_ONE_BY_ONE");
}

/* Where pictures are judged no step is known, and the first batch is not recorded. */
static void a_kernel_that_fails_in_evaluation(void **state)
{
    (void)state;
    if (!is_emulated())
        return;
    train_ok("judged", SHORT);
    fails(RUN_UNDER("EMULATED_FAILURE", "20", "eval", "runs/judged", "--device=cuda"), 1,
          "): cuda:0: CUDA failed at waiting for the device: an illegal memory access");
    fails(RUN_UNDER("EMULATED_FAILURE", "60", "eval", "runs/judged", "--device=cuda"), 1,
          UNKNOWN_NODE "copying from the device: an illegal memory access");
}

/* The last line of what the program wrote, which is to be of a device that was lost. */
static void check_lost(struct program_result result, int call)
{
    const char *line = strstr(result.err, "ttt train: ");
    if (result.exit_status != 1 || !line || strchr(line, '\n') != line + strlen(line) - 1)
        fail_msg("lost at call %d: exit status %d; standard error: %s", call, result.exit_status, result.err);
    check_contains(line, "cuda:0");
    check_contains(line, "CUDA failed at ");
    check_contains(line, "(cudaErrorDevicesUnavailable)\n");
    program_free(&result);
}

/* Whenever it is lost, one line says so and the last checkpoint stays as it is, byte for byte; when the
 * device is back the run goes on from there, to the same end. */
static void a_device_that_is_lost(void **state)
{
    (void)state;
    if (!is_emulated())
        return;
    const char *const go_on[] = {
        "train", "tiny.yaml", "run.name=lost", SHORT, "train.save_every=0", "train.save_steps=0", NULL};
    struct program_result result;
    train_ok("kept", SHORT);
    train_ok("lost", SHORT);
    check_ok(folder_link("runs/lost", "latest", "checkpoints/3"));
    check_ok(folder_link("runs/kept", "latest", "checkpoints/3"));
    for (int call = 2;; call += 92) { /* in planning, steps, recorded ones, the loader, evaluation, saving */
        char at[16];
        snprintf(at, sizeof at, "%d", call);
        result = run_under("EMULATED_LOST", at, go_on);
        if (!result.exit_status)
            break;
        check_lost(result, call);
        if (latest_step("lost") == 7) /* lost while its weights were judged, which are saved */
            check_ok(folder_link("runs/lost", "latest", "checkpoints/3"));
        check_same_end("kept", "lost");
    }
    succeed(result);
    check_ok(folder_link("runs/kept", "latest", "checkpoints/7"));
    check_same_end("kept", "lost");
}

static void a_device_that_is_too_small(void **state)
{
    (void)state;
    if (!is_emulated())
        return;
    struct program_result result = train_under("EMULATED_MEMORY", "300000", "small");
    check_contains(result.err, "the plan needs ");
    fails(result, 1, " MiB on cuda:0 ");
}

/* From too little to enough, all is refused at the start or nothing is. */
static void memory_is_weighed_beforehand(void **state)
{
    (void)state;
    static const char *const more[] = {"train.accumulate=2", "eval.batch_size=64"};
    static const char *const advice[] = {"train.batch_size=4 with train.accumulate=4 fits",
                                         "a smaller eval.batch_size needs less"};
    if (!is_emulated())
        return;
    for (int i = 0; i < 2; i++) {
        bool advised = false;
        for (int bytes = 500000; bytes < 1600000; bytes += 100000) {
            char text[16];
            snprintf(text, sizeof text, "%d", bytes);
            struct program_result result = train_so_under("EMULATED_MEMORY", text, "weighed", more[i]);
            if (result.exit_status) {
                check_contains(result.err, "the plan needs ");
                assert_int_equal(latest_step("weighed"), -1);
            }
            advised |= result.exit_status && strstr(result.err, advice[i]);
            program_free(&result);
        }
        assert_true(advised);
        assert_int_equal(latest_step("weighed"), 7);
        check_ok(folder_remove("runs/weighed"));
    }
    train_ok("weights", SHORT);
    setenv("EMULATED_MEMORY", "1000", 1);
    fails(run("eval", "runs/weights", "--device", "cuda"), 1, "the plan needs ");
    unsetenv("EMULATED_MEMORY");
}

static void an_old_driver(void **state)
{
    (void)state;
    static const char line[] =
        "the driver serves CUDA up to 11.4, and this program needs 12.8: install a newer driver\n";
    if (!is_emulated())
        return;
    fails(train_under("EMULATED_DRIVER", "11040", "old"), 1, line);
    fails(train_under("EMULATED_DRIVER", "12000", "old"), 1, "the driver serves CUDA up to 12.0");
    struct program_result result = RUN_UNDER("EMULATED_DRIVER", "11040", "info");
    check_contains(result.out, "\n  cuda       ");
    check_contains(result.out, line);
    succeed(result);
}

static void devices_that_cannot_be_counted(void **state)
{
    (void)state;
    if (!is_emulated())
        return;
    fails(train_under("EMULATED_DRIVER", "-1", "none"), 2,
          "there is no device 'cuda'; this machine has: cpu\n");
    fails(train_under("EMULATED_LOST", "1", "none"), 1, "CUDA failed at counting devices: ");
    struct program_result result = RUN_UNDER("EMULATED_LOST", "1", "info");
    check_contains(result.out, "\n  cuda       CUDA failed at counting devices: ");
    succeed(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_vectors),
        cmocka_unit_test(devices_are_listed),
        cmocka_unit_test(trains_and_judges),
        cmocka_unit_test(goes_on_to_the_same_end),
        cmocka_unit_test(says_what_it_draws),
        cmocka_unit_test(an_input_that_is_not_finite),
        cmocka_unit_test(a_kernel_that_fails),
        cmocka_unit_test(a_kernel_that_fails_in_evaluation),
        cmocka_unit_test(a_device_that_is_lost),
        cmocka_unit_test(a_device_that_is_too_small),
        cmocka_unit_test(memory_is_weighed_beforehand),
        cmocka_unit_test(an_old_driver),
        cmocka_unit_test(devices_that_cannot_be_counted),
    };
    char name[TTT_DEVICE_NAME];
    if (ttt_device_at(1, name))
        return cmocka_run_group_tests(tests, training_enter, training_leave);
    print_message("skipped: this machine, or this build, has no CUDA device\n");
    return 0;
}
