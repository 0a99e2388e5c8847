/* Runs that are killed, stopped, and taken up again end with the bits of one that never was interrupted. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "tests/tools/training.h"
#include "train/run_folder.h"
#include "ttt/base/clock.h"
#include "ttt/base/random.h"

static void nap(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)(1e9 * (seconds - (double)time.tv_sec));
    nanosleep(&time, NULL);
}

/* The steps of log.csv and what was measured at them on the validation pictures; the caller frees it. */
static char *validation_rows(const char *name)
{
    size_t size;
    char *path = temporary_path("runs", "%s/log.csv", name), *text = (char *)temporary_read(path, &size);
    char *rows = check_alloc(size + 1, 1), *save;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *values = line;
        for (int comma = 0; comma < 7; comma++)
            values = strchr(values, ',') + 1;
        sprintf(rows + strlen(rows), "%.*s %s\n", (int)strcspn(line, ","), line, values);
    }
    free(text);
    free(path);
    return rows;
}

static void check_same_rows(const char *a, const char *b)
{
    char *rows[2] = {validation_rows(a), validation_rows(b)};
    assert_string_equal(rows[0], rows[1]);
    free(rows[0]);
    free(rows[1]);
}

static char *named(const char *format, int round)
{
    char *name;
    assert_true(asprintf(&name, format, round) >= 0);
    return name;
}

/* What the uninterrupted run and the killed one have in common. */
struct rivals {
    char *whole, *killed, *whole_name, *killed_name, *killed_folder;
    const char *const *more; /* three arguments */
};

static void check_rivals(const struct rivals *r)
{
    check_same_end(r->whole, r->killed);
    check_same_rows(r->whole, r->killed);
}

/* Starts the run and kills it after a while; whether that met it alive.  A run that had ended is compared and
 * removed, for the next one to start anew. */
static bool kill_after(const struct rivals *r, double seconds)
{
    int status;
    pid_t child =
        start("train", "tiny.yaml", "train.save_steps=2", r->killed_name, r->more[0], r->more[1], r->more[2]);
    nap(seconds);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return true;
    assert_int_equal(WEXITSTATUS(status), 0);
    check_rivals(r);
    check_ok(folder_remove(r->killed_folder));
    return false;
}

/* Trains runs/whole_ROUND in one go and runs/killed_ROUND through kills at random moments of its life, which
 * is halved when it turns out to be shorter than it seemed on a busy machine. */
static void check_kills(int round, const char *first, const char *second, const char *third)
{
    enum { ATTEMPTS = 14, FEWEST_KILLS = 4 };
    const char *const more[3] = {first, second, third};
    struct rivals r = {named("whole_%d", round),          named("killed_%d", round),
                       named("run.name=whole_%d", round), named("run.name=killed_%d", round),
                       named("runs/killed_%d", round),    more};
    double began = ttt_seconds();
    succeed(run("train", "tiny.yaml", "train.save_steps=2", r.whole_name, first, second, third));
    double life = ttt_seconds() - began;
    ttt_random random = ttt_random_start(1, TTT_RANDOM_TEST, (uint64_t)round, 0);
    int kills = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        bool alive = kill_after(&r, life * 0.5 * ttt_random_uniform(&random));
        kills += alive;
        if (!alive)
            life *= 0.5;
    }
    if (kills < FEWEST_KILLS)
        fail_msg("only %d kills met the program alive", kills);
    succeed(run("train", "tiny.yaml", "train.save_steps=2", r.killed_name, first, second, third));
    check_rivals(&r);
    free(r.whole);
    free(r.killed);
    free(r.whole_name);
    free(r.killed_name);
    free(r.killed_folder);
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    check_kills(0, "run.seed=3", NULL, NULL);
}

static void killed_with_averages_and_accumulation(void **state)
{
    (void)state;
    check_kills(1, "train.ema=0.9", "train.accumulate=2", "eval.weights=ema");
}

static void killed_with_two_threads(void **state)
{
    (void)state;
    check_kills(2, "device.threads=2", "data.threads=3", "model.recompute=true");
}

static void any_number_of_loader_threads(void **state)
{
    (void)state;
    train_ok("threads_0", "data.threads=0");
    train_ok("threads_1", "data.threads=1", "data.prefetch=1");
    train_ok("threads_3", "data.threads=3", "data.prefetch=7");
    check_same_end("threads_0", "threads_1");
    check_same_end("threads_0", "threads_3");
}

static off_t file_size(const char *path)
{
    struct stat information;
    return stat(path, &information) ? 0 : information.st_size;
}

/* Waits until a run has written some steps down, behind what was there before. */
static void wait_for_steps(const char *events, off_t before)
{
    double began = ttt_seconds();
    while (file_size(events) < before + 1000) {
        if (ttt_seconds() - began > 60)
            fail_msg("%s does not grow", events);
        nap(1e-3);
    }
}

static void check_stops(int signal_number, const char *name, const char *events)
{
    const off_t before = file_size(events);
    pid_t child = start("train", "tiny.yaml", name, "train.steps=600", "train.save_every=0", "eval.every=0");
    wait_for_steps(events, before);
    assert_int_equal(kill(child, signal_number), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_signal_finishes_the_step_and_saves(void **state)
{
    (void)state;
    check_stops(SIGTERM, "run.name=stopped", "runs/stopped/events.jsonl");
    const int64_t first = latest_step("stopped");
    assert_true(first > 0 && first < 600);
    check_stops(SIGINT, "run.name=stopped", "runs/stopped/events.jsonl");
    assert_true(latest_step("stopped") >= first);
    struct program_result result = train("stopped", "train.steps=600", "train.save_every=0", "eval.every=0");
    check_contains(result.err, "resuming after step ");
    succeed(result);
    train_ok("unstopped", "train.steps=600", "train.save_every=0", "eval.every=0");
    check_same_end("stopped", "unstopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(killed_with_averages_and_accumulation),
        cmocka_unit_test(killed_with_two_threads),
        cmocka_unit_test(any_number_of_loader_threads),
        cmocka_unit_test(a_signal_finishes_the_step_and_saves),
    };
    return cmocka_run_group_tests(tests, training_enter, training_leave);
}
