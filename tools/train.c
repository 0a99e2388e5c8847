/* ttt train: trains the model of a config, or goes on with a run. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/device_options.h"
#include "tools/options.h"
#include "tools/output.h"
#include "train/classify.h"
#include "train/config/device.h"
#include "train/loop.h"
#include "train/views.h"
#include "ttt/base/clock.h"

static const char help[] = "usage: ttt train CONFIG [key=value ...] [--device NAME] [--dtype TYPE] [--json]\n"
                           "\n"
                           "Trains the model that CONFIG describes.  Keys of the config can be set behind "
                           "it; 'ttt config CONFIG' shows\n"
                           "them all with their meaning.\n"
                           "\n"
                           "Everything is written to run.dir/run.name: config.yaml, log.csv (a row per "
                           "evaluation), events.jsonl (a line\n"
                           "per step), checkpoints/<step>/, and the links latest and best.  The same command "
                           "goes on with a run that was\n"
                           "stopped, and ends with the weights it would have had.  Ctrl-C and SIGTERM finish "
                           "the step, save, and exit 0.\n"
                           "Where a GPU fails, TTT_ONE_BY_ONE=1 in the environment names the operator, "
                           "at a slower pace.\n"
                           "\n"
                           "  --device NAME  cpu, cuda or cuda:1: short for device.name=NAME\n"
                           "  --dtype TYPE   f32 or bf16, of activations: short for device.dtype=TYPE\n"
                           "  --json         print the result as one JSON object at the end\n"
                           "\n"
                           "examples:\n"
                           "  ttt train configs/imagenette.yaml data.root=path/to/imagenette\n"
                           "  ttt train configs/vittt_tiny.yaml data.root=path/to/imagenet run.name=tiny "
                           "model.ttt.variant=variant1\n"
                           "  ttt train configs/lact_nvs_nano.yaml data.root=path/to/scenes\n";

/* Set by a signal, read by the loop after every step. */
static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

static void listen_for_signals(void)
{
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Progress: a bar on a terminal, a line every so often elsewhere; nothing with --json. */
struct display {
    bool terminal, quiet, bar_shown;
    const char *samples; /* what is counted: "pictures" */
    double shown;        /* when, in seconds */
};

static const char *duration(double seconds, char text[48])
{
    long s = isfinite(seconds) ? lround(seconds) : 0;
    if (!isfinite(seconds))
        snprintf(text, 48, "?");
    else if (s >= 3600)
        snprintf(text, 48, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else
        snprintf(text, 48, "%ldm%02lds", s / 60, s % 60);
    return text;
}

static void clear_bar(struct display *display)
{
    if (display->bar_shown)
        fputs("\r\033[K", stderr);
    display->bar_shown = false;
}

static void show_progress(void *context, const struct train_progress *p)
{
    enum { BAR = 20 };
    struct display *display = context;
    const double pause = display->terminal ? 0.1 : 10;
    bool last = p->step == p->steps;
    if (display->quiet || (!last && ttt_seconds() - display->shown < pause))
        return;
    display->shown = ttt_seconds();
    char left[48], bar[BAR + 1];
    int full = (int)(BAR * p->step / p->steps);
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = 0;
    fprintf(stderr,
            "%sstep %lld/%lld %s epoch %.2f  loss %.4f  lr %.2e  %.1f %s/s  waiting %.0f%%  left %s%s",
            display->terminal ? "\r\033[K" : "", (long long)p->step, (long long)p->steps,
            display->terminal ? bar : "", p->epoch, p->loss, p->rate, p->samples_per_second, display->samples,
            100 * p->waiting, duration(p->seconds_left, left), display->terminal ? "" : "\n");
    fflush(stderr);
    display->bar_shown = display->terminal;
}

static void show_evaluation(void *context, int64_t step, double epoch, const struct evaluation *evaluation)
{
    struct display *display = context;
    clear_bar(display);
    if (display->quiet)
        return;
    fprintf(stderr, "epoch %.4g, step %lld: validation", epoch, (long long)step);
    for (int i = 0; i < evaluation->count; i++)
        fprintf(stderr, "%s %s %.4g", i ? "," : "", evaluation->values[i].name, evaluation->values[i].value);
    fprintf(stderr, "  (%lld pictures, %.1f s", (long long)evaluation->samples, evaluation->seconds);
    if (evaluation->skipped)
        fprintf(stderr, "; %s skipped: %lld", display->samples, (long long)evaluation->skipped);
    fprintf(stderr, ")\n");
}

static void show_line(void *context, const char *line)
{
    struct display *display = context;
    clear_bar(display);
    fprintf(stderr, "%s\n", line);
}

static void print_outcome(const struct train_outcome *outcome, enum config_task task)
{
    const bool views = task == TASK_VIEWS;
    const char *samples = views ? "scenes" : "pictures";
    printf("%s after step %lld; %lld skipped; %.1f %s/s while training\n",
           outcome->interrupted ? "stopped" : "finished", (long long)outcome->step,
           (long long)outcome->bad_steps, outcome->samples_per_second, samples);
    if (outcome->skipped)
        printf("%lld %s to train on skipped: they cannot be used\n", (long long)outcome->skipped, samples);
    if (outcome->best_step >= 0)
        printf("best validation %s %.2f%s at step %lld\n", views ? "PSNR" : "top-1", outcome->best,
               views ? " dB" : "%", (long long)outcome->best_step);
    printf("run: %s\n", outcome->folder);
}

static ttt_status print_outcome_json(const struct train_outcome *outcome)
{
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:I, s:b, s:f, s:I}", "run", outcome->folder, "step",
                  (json_int_t)outcome->step, "bad_steps", (json_int_t)outcome->bad_steps, "skipped_samples",
                  (json_int_t)outcome->skipped, "interrupted", outcome->interrupted, "samples_per_second",
                  outcome->samples_per_second, "best_step", (json_int_t)outcome->best_step);
    if (object && outcome->best_step >= 0)
        TRY(output_json_set(object, "best", json_real(outcome->best)));
    if (object && outcome->evaluated)
        TRY(output_json_set(object, "evaluation_skipped", json_integer(outcome->evaluation.skipped)));
    for (int i = 0; object && outcome->evaluated && i < outcome->evaluation.count; i++) {
        double value = outcome->evaluation.values[i].value; /* JSON has no NaN */
        TRY(output_json_set(object, outcome->evaluation.values[i].name,
                            isfinite(value) ? json_real(value) : json_null()));
    }
    return output_json(object);
}

/* The task of a config; one of the two is not NULL. */
struct task {
    struct classify *classify;
    struct views *views;
    struct classify_observer classify_lines;
    struct views_observer views_lines;
};

static ttt_status open_task(struct run_config *config, struct display *display, struct task *task)
{
    *task = (struct task){.classify_lines = {.say = show_line, .context = display},
                          .views_lines = {.say = show_line, .context = display}};
    return config->task == TASK_VIEWS ? views_create(config, &task->views_lines, &task->views)
                                      : classify_create(config, &task->classify_lines, &task->classify);
}

static const struct train_task *task_of(const struct task *task)
{
    return task->views ? views_task(task->views) : classify_task(task->classify);
}

/* " (3 skipped)", or nothing. */
static const char *skipped_text(const struct scene_set *set, char text[32])
{
    *text = 0;
    if (set->skipped)
        snprintf(text, 32, " (%u skipped)", set->skipped);
    return text;
}

static void describe_task(const struct task *task, const struct run_config *config, const ttt_device *device)
{
    if (task->views) {
        const struct scene_set *train = views_train_set(task->views), *val = views_val_set(task->views);
        char skipped[2][32];
        fprintf(stderr, "%s: %u scenes to train on%s, %u to validate%s; %s\n", config->run.name, train->count,
                skipped_text(train, skipped[0]), val->count, skipped_text(val, skipped[1]),
                ttt_device_description(device));
    } else
        fprintf(stderr, "%s: %u pictures to train on, %u to validate, %u classes; %s\n", config->run.name,
                classify_train_set(task->classify)->count, classify_val_set(task->classify)->count,
                classify_train_set(task->classify)->class_count, ttt_device_description(device));
}

static ttt_status train_config(struct run_config *config, bool json)
{
    struct display display = {.terminal = isatty(STDERR_FILENO),
                              .quiet = json,
                              .samples = config->task == TASK_VIEWS ? "scenes" : "pictures"};
    struct train_observer observer = {show_progress, show_evaluation, show_line, &display};
    struct train_outcome outcome = {0};
    struct task task = {0};
    ttt_device *device = NULL;
    ttt_status status;

    TRY_TO(config_device_open(&config->device, &device), cleanup);
    TRY_TO(open_task(config, &display, &task), cleanup);
    if (!json)
        describe_task(&task, config, device);
    TRY_TO(train_run(task_of(&task), config, device, &stop_requested, &observer, &outcome), cleanup);
    clear_bar(&display);
    if (json)
        status = print_outcome_json(&outcome);
    else
        print_outcome(&outcome, config->task);
cleanup:
    clear_bar(&display);
    free(outcome.folder);
    classify_destroy(task.classify);
    views_destroy(task.views);
    ttt_device_close(device);
    return status;
}

static ttt_status train_command(int argc, char **argv)
{
    bool json = false;
    int rest;
    struct device_options device = {0};
    const struct option options[] = {{.name = "--json", .type = OPTION_FLAG, .value = &json},
                                     DEVICE_OPTIONS(&device)};
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (rest < 1)
        return ttt_fail(TTT_ARGUMENT, "which config? usage: ttt train CONFIG [key=value ...]");
    struct run_config config;
    ttt_status status = device_options_append(&device, argv, &rest);
    if (!status)
        status = run_config_load(argv[0], rest - 1, argv + 1, &config);
    if (!status) {
        listen_for_signals();
        status = train_config(&config, json);
        run_config_free(&config);
    }
    device_options_free(&device);
    return status;
}

const struct command command_train = {
    .name = "train",
    .summary = "train the model of a config, or go on with a run",
    .help = help,
    .run = train_command,
};
