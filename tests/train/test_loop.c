/* The training loop on a task of six numbers: what it counts, judges, saves and skips, and that it resumes
 * bit by bit from every step. */
#include "train/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "tests/train/config_files.h"
#include "tests/train/line_task.h"
#include "train/checkpoint.h"
#include "train/run_folder.h"

/* Leaves the test's folder as leave_config_folder expects it: without folders. */
static int leave(void **state)
{
    check_ok(folder_remove("runs"));
    return leave_config_folder(state);
}

#define IN_RUN(test) cmocka_unit_test_setup_teardown(test, enter_config_folder, leave)

/* Epochs of five batches of four. */
static struct run_config line_config(int epochs, const char *more)
{
    char text[1000];
    snprintf(text, sizeof text,
             "train: {epochs: %d, batch_size: 4, lr: 0.05, warmup_lr: 0, min_lr: 0, warmup_fraction: 0.2%s",
             epochs, more);
    return load_config_text(text);
}

static void assert_checkpoints(const int64_t *wanted, size_t n)
{
    int64_t *steps;
    size_t count;
    check_ok(checkpoint_list("runs/x", &steps, &count));
    assert_int_equal(count, n);
    assert_memory_equal(steps, wanted, n * sizeof *wanted);
    free(steps);
}

/* The bytes of both files of the newest checkpoint. */
struct files {
    uint8_t *bytes[2];
    size_t size[2];
};

static struct files latest_files(void)
{
    struct files files;
    files.bytes[0] = temporary_read("runs/x/latest/model.safetensors", &files.size[0]);
    files.bytes[1] = temporary_read("runs/x/latest/state.safetensors", &files.size[1]);
    return files;
}

static void free_files(struct files *files)
{
    free(files->bytes[0]);
    free(files->bytes[1]);
}

static void assert_same_files(const struct files *a, const struct files *b)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a->size[i], b->size[i]);
        assert_memory_equal(a->bytes[i], b->bytes[i], a->size[i]);
    }
}

static void assert_file_contains(const char *path, const char *part)
{
    size_t size;
    char *text = (char *)temporary_read(path, &size);
    if (!strstr(text, part))
        fail_msg("no '%s' in %s:\n%s", part, path, text);
    free(text);
}

static void a_run_takes_its_steps(void **state)
{
    (void)state;
    struct run_config config = line_config(2, "}");
    struct line_task line = {.scores = {1, 3}};
    line_run_ok(&line, &config);
    assert_int_equal(line.fed, 10);
    assert_int_equal(line.progressed, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(line.progress[i].step, i + 1);
        assert_int_equal(line.progress[i].steps, 10);
        assert_true(line.progress[i].epoch == (i + 1) / 5.0);
        assert_true(line.progress[i].norm > 0);
    }
    assert_true(line.progress[9].loss < line.progress[0].loss);
    assert_int_equal(line.evaluated, 2);
    assert_int_equal(line.records, 1);
    assert_string_equal(line.prefix, "");
    assert_int_equal(line.outcome.step, 10);
    assert_false(line.outcome.interrupted);
    assert_true(line.outcome.evaluated);
    assert_true(line.outcome.best == 3);
    assert_int_equal(line.outcome.best_step, 10);
    assert_checkpoints((const int64_t[]){5, 10}, 2);
    assert_int_equal(checkpoint_latest("runs/x"), 10);
    assert_int_equal(checkpoint_best("runs/x"), 10);
    assert_file_contains(
        "runs/x/log.csv",
        "step,epoch,lr,train_loss,samples_per_second,waiting,bad_steps,val_loss,val_score\n5,");
    assert_file_contains("runs/x/log.csv", "\n10,");
    assert_file_contains("runs/x/config.yaml", "epochs: 2\n");
    assert_file_contains("runs/x/events.jsonl", "\"finished\":true");
    run_config_free(&config);
}

static void rates_follow_the_schedule(void **state)
{
    (void)state;
    struct run_config config = line_config(2, ", schedule: cosine_to_zero}");
    struct line_task line = {0};
    const rate_schedule schedule = train_schedule(&config, 10);
    line_run_ok(&line, &config);
    assert_int_equal(schedule.warmup_steps, 2);
    for (int i = 0; i < 10; i++)
        assert_true(line.progress[i].rate == schedule_rate(&schedule, i));
    config.train.accumulate = 3;
    assert_int_equal(train_total_steps(&config, 5), 4);
    config.train.steps = 7;
    assert_int_equal(train_total_steps(&config, 5), 7);
    run_config_free(&config);
}

static void remove_run(void)
{
    check_ok(folder_remove("runs"));
}

/* Stops after every step in turn, goes on, and ends with the bytes of an uninterrupted run. */
static void check_resumes_from_every_step(int epochs, const char *more)
{
    struct run_config config = line_config(epochs, more);
    struct line_task whole = {.scores = {2, 1, 3}};
    line_run_ok(&whole, &config);
    struct files wanted = latest_files();
    const int64_t steps = whole.outcome.step;
    for (int64_t stop = 1; stop < steps; stop++) {
        remove_run();
        struct line_task line = {.scores = {2, 1, 3}, .stop_after = stop};
        line_run_ok(&line, &config);
        assert_in_range(line.outcome.step, stop, stop + line_ahead());
        assert_int_equal(line.outcome.interrupted, line.outcome.step < steps);
        assert_int_equal(checkpoint_latest("runs/x"), line.outcome.step);
        line.stop = 0;
        line.stop_after = 0;
        line_run_ok(&line, &config);
        assert_int_equal(line.outcome.step, steps);
        assert_int_equal(line.fed, whole.fed);
        struct files got = latest_files();
        assert_same_files(&wanted, &got);
        free_files(&got);
    }
    free_files(&wanted);
    run_config_free(&config);
}

static void resumes_from_every_step(void **state)
{
    (void)state;
    check_resumes_from_every_step(2, "}");
}

static void resumes_with_averages_and_accumulation(void **state)
{
    (void)state;
    check_resumes_from_every_step(3, ", ema: 0.7, accumulate: 2}\neval: {weights: ema}");
}

/* Also when the checkpoint that it goes on from is older than where it was stopped. */
static void steps_are_taken_again_from_an_older_checkpoint(void **state)
{
    (void)state;
    struct run_config config = line_config(2, ", save_steps: 1, keep: 20}");
    struct line_task line = {.scores = {2, 1}};
    line_run_ok(&line, &config);
    struct files wanted = latest_files();
    for (int64_t from = 1; from < 10; from++) {
        char step[80];
        snprintf(step, sizeof step, "checkpoints/%d", (int)from);
        check_ok(folder_link("runs/x", "latest", step));
        struct line_task again = {.scores = {2, 1}, .evaluated = from >= 5};
        line_run_ok(&again, &config);
        assert_int_equal(again.fed, 10 - from);
        struct files got = latest_files();
        assert_same_files(&wanted, &got);
        free_files(&got);
    }
    free_files(&wanted);
    run_config_free(&config);
}

static void a_finished_run_stays_as_it_is(void **state)
{
    (void)state;
    struct run_config config = line_config(2, "}");
    struct line_task line = {.scores = {2, 1}};
    line_run_ok(&line, &config);
    struct files wanted = latest_files();
    assert_int_equal(unlink("runs/x/best"), 0);
    line = (struct line_task){0};
    line_run_ok(&line, &config);
    assert_int_equal(line.fed + line.evaluated, 0);
    assert_int_equal(line.outcome.step, 10);
    assert_int_equal(line.outcome.best_step, 5);
    struct files got = latest_files();
    assert_same_files(&wanted, &got);
    free_files(&got);
    free_files(&wanted);
    run_config_free(&config);
}

static void the_best_is_marked_again(void **state)
{
    (void)state;
    struct run_config config = line_config(2, "}");
    struct line_task line = {.scores = {1, 2}};
    line_run_ok(&line, &config);
    assert_int_equal(unlink("runs/x/best"), 0);
    line_run_ok(&line, &config);
    assert_int_equal(checkpoint_best("runs/x"), 10);
    run_config_free(&config);
}

static void the_best_is_kept(void **state)
{
    (void)state;
    struct run_config config = line_config(6, ", keep: 2}");
    struct line_task line = {.scores = {1, 5, 2, 5, 3, 4}};
    line_run_ok(&line, &config);
    assert_checkpoints((const int64_t[]){10, 25, 30}, 3);
    assert_int_equal(checkpoint_best("runs/x"), 10);
    assert_int_equal(line.outcome.best_step, 10);
    run_config_free(&config);
}

static void averages_are_judged_when_asked_for(void **state)
{
    (void)state;
    struct run_config config = line_config(2, ", ema: 0.5}\neval: {weights: ema, every: 0}");
    struct line_task line = {0};
    line_run_ok(&line, &config);
    assert_int_equal(line.evaluated, 1);
    assert_string_equal(line.prefix, "ema.");
    run_config_free(&config);
}

static void a_bad_step_is_skipped_and_named(void **state)
{
    (void)state;
    struct run_config config = line_config(2, ", save_steps: 1, keep: 20}");
    struct line_task line = {.poison_from = 3, .poison_to = 4};
    line_run_ok(&line, &config);
    assert_int_equal(line.outcome.bad_steps, 1);
    assert_int_equal(line.outcome.step, 10);
    assert_non_null(strstr(line.said, "warning: step 4 skipped: loss "));
    assert_non_null(strstr(line.said, "; input 'x' is not finite at element 8\n"));
    assert_file_contains("runs/x/events.jsonl", "\"first\":\"input 'x'");
    /* Nothing is saved while steps are skipped. */
    assert_checkpoints((const int64_t[]){1, 2, 3, 5, 6, 7, 8, 9, 10}, 9);
    struct files got = latest_files();
    float weights[line_size];
    memcpy(weights, got.bytes[0] + got.size[0] - sizeof weights, sizeof weights);
    for (int i = 0; i < line_size; i++)
        assert_true(isfinite(weights[i]));
    free_files(&got);
    run_config_free(&config);
}

static void a_bad_pass_spoils_only_its_own_step(void **state)
{
    (void)state;
    struct run_config config = line_config(4, ", accumulate: 2}");
    struct line_task line = {.poison_from = 4, .poison_to = 5};
    line_run_ok(&line, &config);
    assert_int_equal(line.outcome.bad_steps, 1);
    assert_non_null(strstr(line.said, "warning: step 3 skipped"));
    assert_non_null(strstr(line.said, "; input 'x' is not finite at element 8\n"));
    assert_true(isfinite(line.progress[9].loss));
    run_config_free(&config);
}

static void too_many_bad_steps_end_the_run(void **state)
{
    (void)state;
    struct run_config config = line_config(4, ", max_bad_steps: 3, save_steps: 1, keep: 2}");
    struct line_task line = {.poison_from = 4, .poison_to = 100};
    check_error(line_run(&line, &config), TTT_NUMERIC,
                "3 steps in a row had a loss or gradient that is not finite; the last good checkpoint is "
                "runs/x/checkpoints/4");
    assert_in_range(line.fed, 7,
                    7 + 2 * line_ahead()); /* one step more, and one fed again to name the fault */
    assert_int_equal(line.evaluated, 0);
    assert_int_equal(checkpoint_latest("runs/x"), 4);
    assert_checkpoints((const int64_t[]){3, 4}, 2);
    assert_file_contains("runs/x/events.jsonl", "\"error\":\"3 steps in a row");
    /* With the fault gone it goes on as if it had never been there. */
    line = (struct line_task){0};
    line_run_ok(&line, &config);
    struct files healed = latest_files();
    remove_run();
    line = (struct line_task){0};
    line_run_ok(&line, &config);
    struct files whole = latest_files();
    assert_same_files(&healed, &whole);
    free_files(&healed);
    free_files(&whole);
    run_config_free(&config);
}

static void bad_from_the_start(void **state)
{
    (void)state;
    struct run_config config = line_config(2, ", max_bad_steps: 2}");
    struct line_task line = {.poison_to = 100};
    check_error(line_run(&line, &config), TTT_NUMERIC, "no checkpoint had been written yet");
    assert_int_equal(checkpoint_latest("runs/x"), -1);
    run_config_free(&config);
}

static void a_stop_among_bad_steps_saves_nothing(void **state)
{
    (void)state;
    struct run_config config = line_config(2, ", max_bad_steps: 8}");
    struct line_task line = {.poison_from = 6, .poison_to = 9, .stop_after = 8};
    line_run_ok(&line, &config);
    assert_true(line.outcome.interrupted);
    assert_int_equal(checkpoint_latest("runs/x"), 5);
    line.stop = 0;
    line.stop_after = 0;
    line_run_ok(&line, &config);
    assert_int_equal(line.outcome.bad_steps, 3);
    assert_int_equal(line.outcome.step, 10);
    run_config_free(&config);
}

static void weights_after(const char *device, const struct run_config *config, float weights[line_size])
{
    struct line_task line = {.poison_from = 6, .poison_to = 7};
    setenv("LINE_DEVICE", device, 1);
    remove_run();
    line_run_ok(&line, config);
    assert_int_equal(line.outcome.bad_steps, 1);
    struct files files = latest_files();
    memcpy(weights, files.bytes[0] + files.size[0] - line_size * sizeof *weights,
           line_size * sizeof *weights);
    free_files(&files);
}

/* Batches and results are those of their steps where steps run ahead. */
static void every_device_ends_in_one_place(void **state)
{
    (void)state;
    char *device = strdup(getenv("LINE_DEVICE"));
    static const char *const more[] = {"}", ", accumulate: 2}"};
    for (int i = 0; i < 2; i++) {
        struct run_config config = line_config(4, more[i]);
        float here[line_size], there[line_size];
        weights_after("cpu", &config, here);
        weights_after(device, &config, there);
        for (int k = 0; k < line_size; k++)
            assert_true(fabsf(here[k] - there[k]) <= 1e-5F * (1 + fabsf(here[k])));
        run_config_free(&config);
    }
    free(device);
}

static void another_process_has_the_run(void **state)
{
    (void)state;
    struct run_config config = line_config(2, "}");
    struct line_task line = {0};
    run_folder folder;
    check_ok(run_folder_open("runs/x", &folder));
    check_error(line_run(&line, &config), TTT_ARGUMENT, "another process is training in this folder");
    assert_int_equal(line.fed, 0);
    run_folder_close(&folder);
    run_config_free(&config);
}

static void a_step_that_cannot_be_judged_is_saved(void **state)
{
    (void)state;
    struct run_config config = line_config(2, "}");
    struct line_task line = {.scores = {3, 1}};
    line_run_ok(&line, &config);
    struct files wanted = latest_files();
    remove_run();
    line = (struct line_task){.scores = {3}, .stop_after = 6};
    line_run_ok(&line, &config);
    line = (struct line_task){.unjudged = true};
    check_error(line_run(&line, &config), TTT_FORMAT, "evaluation after step 10: a picture is damaged");
    assert_int_equal(checkpoint_latest("runs/x"), 10);
    assert_int_equal(checkpoint_best("runs/x"), 5);
    struct files got = latest_files();
    assert_same_files(&wanted, &got);
    free_files(&got);
    free_files(&wanted);
    line = (struct line_task){0};
    line_run_ok(&line, &config);
    assert_int_equal(line.fed, 0);
    assert_int_equal(line.outcome.best_step, 5);
    run_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RUN(a_run_takes_its_steps),
        IN_RUN(rates_follow_the_schedule),
        IN_RUN(resumes_from_every_step),
        IN_RUN(resumes_with_averages_and_accumulation),
        IN_RUN(steps_are_taken_again_from_an_older_checkpoint),
        IN_RUN(a_finished_run_stays_as_it_is),
        IN_RUN(the_best_is_marked_again),
        IN_RUN(the_best_is_kept),
        IN_RUN(averages_are_judged_when_asked_for),
        IN_RUN(a_bad_step_is_skipped_and_named),
        IN_RUN(a_bad_pass_spoils_only_its_own_step),
        IN_RUN(too_many_bad_steps_end_the_run),
        IN_RUN(bad_from_the_start),
        IN_RUN(a_stop_among_bad_steps_saves_nothing),
        IN_RUN(every_device_ends_in_one_place),
        IN_RUN(another_process_has_the_run),
        IN_RUN(a_step_that_cannot_be_judged_is_saved),
    };
    char name[TTT_DEVICE_NAME];
    int failed = 0;
    for (int i = 0; ttt_device_at(i, name) && i < 2; i++) {
        print_message("on %s\n", name);
        setenv("LINE_DEVICE", name, 1);
        setenv("EMULATED_LATE", "1", 1);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
