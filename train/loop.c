/* The training loop. */
#include "train/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/journal.h"
#include "train/memory.h"
#include "train/snapshot.h"
#include "train/step.h"
#include "ttt/base/clock.h"

/* Everything a run holds while it goes on. */
struct run {
    const struct train_task *task;
    const struct run_config *config;
    const struct train_observer *observer;
    ttt_store *store;
    struct train_step step;
    struct snapshot snapshot;
    struct journal journal;
    struct parameter *parameters;
    int parameter_count;

    int64_t batches, total; /* forward passes of an epoch; optimiser steps of the run */
    int64_t launched;       /* optimiser steps that the device was given so far */
    int64_t done;           /* those that are finished, taken or skipped: all, or all but the last */
    int64_t bad_steps, bad_in_a_row;
    double best;
    int64_t best_step;
    int64_t saved; /* step of the last checkpoint; -1: none */
    rate_schedule schedule;
    struct train_outcome *outcome;

    double began;                     /* when the step that is finished next was begun */
    double seconds, waited, loss_sum; /* of the steps since the last report */
    int64_t samples, summed;
    double all_seconds;
    int64_t all_samples;
};

static void say(const struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct run *run, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (run->observer && run->observer->say)
        run->observer->say(run->observer->context, line);
}

static void say_checkpoint_line(void *context, const char *line)
{
    const struct run *run = context;
    if (run->observer && run->observer->say)
        run->observer->say(run->observer->context, line);
}

int64_t train_total_steps(const struct run_config *config, int64_t batches)
{
    if (config->train.steps > 0)
        return config->train.steps;
    int64_t passes = batches * config->train.epochs, accumulate = config->train.accumulate;
    return (passes + accumulate - 1) / accumulate;
}

rate_schedule train_schedule(const struct run_config *config, int64_t total_steps)
{
    const struct config_train *train = &config->train;
    return (rate_schedule){.kind = train->schedule,
                           .warmup_steps = (int64_t)llround(train->warmup_fraction * (double)total_steps),
                           .total_steps = total_steps,
                           .peak = train->lr,
                           .start = train->warmup_lr,
                           .floor = train->min_lr};
}

static double epoch_of(const struct run *run, int64_t step)
{
    return (double)(step * run->config->train.accumulate) / (double)run->batches;
}

/* Of the weights that are judged: themselves or their averages. */
static const char *judged_prefix(const struct run *run)
{
    return run->config->eval.weights == WEIGHTS_EMA && run->config->train.ema > 0 ? "ema." : "";
}

/* The share of the process's memory that grows with the run: what planning foresees. */
static ttt_status plan(struct run *run)
{
    TRY(run->task->parameters(run->task->context, &run->parameters, &run->parameter_count));
    TRY(train_step_create(run->task, run->config, run->store, &run->step));
    struct train_memory memory;
    TRY(train_memory_weigh(run->task, run->config, run->store, &run->step, judged_prefix(run), &memory));
    run->outcome->predicted_bytes = memory.total;
    say(run,
        "memory: %.1f MiB of weights and optimiser state, %.1f MiB of activations, %.1f MiB to evaluate, "
        "planned",
        (double)memory.step.variables / 0x1p20, (double)memory.step.arena / 0x1p20,
        (double)memory.evaluation / 0x1p20);
    TRY(train_step_prepare(&run->step));
    TRY(run->task->initialise(run->task->context, run->store, (uint64_t)run->config->run.seed));
    if (run->config->train.ema > 0)
        TRY(train_step_start_averages(run->task, run->store));
    return snapshot_create(run->store, run->parameters, run->parameter_count, &run->snapshot);
}

static ttt_status restore_scalars(struct run *run, const checkpoint_scalars *scalars)
{
    int64_t batches;
    TRY(checkpoint_get_i64(scalars, "step", &run->done));
    TRY(checkpoint_get_i64(scalars, "batches", &batches));
    TRY(checkpoint_get_i64(scalars, "bad_steps", &run->bad_steps));
    TRY(checkpoint_get_i64(scalars, "bad_in_a_row", &run->bad_in_a_row));
    TRY(checkpoint_get_i64(scalars, "best_step", &run->best_step));
    TRY(checkpoint_get_f64(scalars, "best", &run->best));
    if (batches != run->batches)
        say(run,
            "warning: an epoch had %lld batches and now has %lld: the run will not end as if uninterrupted",
            (long long)batches, (long long)run->batches);
    return TTT_OK;
}

static ttt_status resume(struct run *run)
{
    checkpoint contents = {
        run->snapshot.model, run->snapshot.model_count, run->snapshot.state, run->snapshot.state_count, {0}};
    checkpoint_reporter reporter = {say_checkpoint_line, run};
    TRY(checkpoint_load_latest(run->journal.folder.path, &contents, reporter, &run->saved));
    if (run->saved >= 0) {
        TRY(snapshot_to_store(&run->snapshot));
        TRY(restore_scalars(run, &contents.scalars));
        run->launched = run->done;
        if (run->best_step == run->saved) /* a kill may have come between saving and marking it */
            TRY(checkpoint_mark_best(run->journal.folder.path, run->saved));
        say(run, "resuming after step %lld of %lld", (long long)run->done, (long long)run->total);
    }
    if (run->task->record)
        TRY(run->task->record(run->task->context, run->journal.folder.path));
    return journal_start(&run->journal, run->config, run->saved, run->total);
}

static ttt_status write_checkpoint(struct run *run)
{
    checkpoint contents = {
        run->snapshot.model, run->snapshot.model_count, run->snapshot.state, run->snapshot.state_count, {0}};
    checkpoint_set_i64(&contents.scalars, "step", run->done);
    checkpoint_set_i64(&contents.scalars, "batches", run->batches);
    checkpoint_set_i64(&contents.scalars, "bad_steps", run->bad_steps);
    checkpoint_set_i64(&contents.scalars, "bad_in_a_row", run->bad_in_a_row);
    checkpoint_set_i64(&contents.scalars, "best_step", run->best_step);
    checkpoint_set_f64(&contents.scalars, "best", run->best);
    const char *folder = run->journal.folder.path;
    TRY(checkpoint_save(folder, run->done, &contents));
    run->saved = run->done;
    if (run->best_step == run->done)
        TRY(checkpoint_mark_best(folder, run->done));
    TRY(journal_checkpoint(&run->journal, run->done));
    return checkpoint_prune(folder, run->config->train.keep);
}

/* Judges the weights, or their averages, and remembers the best. */
static ttt_status evaluate(struct run *run)
{
    struct evaluation evaluation;
    TRY(run->task->evaluate(run->task->context, run->store, judged_prefix(run), &evaluation));
    double value = evaluation.values[evaluation.best].value;
    if (run->best_step < 0 || value > run->best) {
        run->best = value;
        run->best_step = run->done;
    }
    run->outcome->evaluated = true;
    run->outcome->evaluation = evaluation;
    struct journal_row row = {.step = run->done,
                              .epoch = epoch_of(run, run->done),
                              .rate = schedule_rate(&run->schedule, run->done - 1),
                              .train_loss = run->summed ? run->loss_sum / (double)run->summed : NAN,
                              .samples_per_second =
                                  run->seconds > 0 ? (double)run->samples / run->seconds : NAN,
                              .waiting = run->seconds > 0 ? run->waited / run->seconds : NAN,
                              .bad_steps = run->bad_steps};
    TRY(journal_evaluation(&run->journal, &row, &evaluation));
    run->seconds = run->waited = run->loss_sum = 0;
    run->samples = run->summed = 0;
    if (run->observer && run->observer->evaluated)
        run->observer->evaluated(run->observer->context, run->done, row.epoch, &evaluation);
    return TTT_OK;
}

/* Saves, after judging where that is due: a checkpoint knows the best one.  The weights are taken from the
 * device before, so that nothing that goes wrong in judging costs the steps that were taken. */
static ttt_status save(struct run *run, bool judge)
{
    TRY(snapshot_from_store(&run->snapshot));
    ttt_status judged = judge ? evaluate(run) : TTT_OK, written = write_checkpoint(run);
    if (!judged)
        return written;
    ttt_status_free(written);
    return ttt_within(judged, "evaluation after step %lld", (long long)run->done);
}

/* A step skipped for its large gradient is counted too, but does no harm and ends no run: the weights are
 * sound, and the next batch may be an easier one. */
static ttt_status count_large_step(struct run *run, const struct step_result *result)
{
    const struct config_train *train = &run->config->train;
    char why[96];
    snprintf(why, sizeof why, "norm over %g x clip %g", train->skip_over, train->clip);
    run->bad_steps++;
    run->bad_in_a_row = 0;
    say(run, "warning: step %lld skipped: loss %g, gradient %s: %g", (long long)run->done, result->loss, why,
        result->norm);
    return journal_bad_step(&run->journal, run->done, result->loss, result->norm, why);
}

/* Puts the data at the first batch of step `number`, from 0. */
static ttt_status seek(struct run *run, int64_t number)
{
    const uint64_t passes = (uint64_t)(number * run->config->train.accumulate),
                   batches = (uint64_t)run->batches;
    return run->task->start(run->task->context, ttt_store_device(run->store), passes / batches,
                            passes % batches);
}

/* What was not finite in the step just finished. */
static ttt_status diagnose(struct run *run)
{
    if (!run->step.ahead)
        return train_step_diagnose(&run->step);
    TRY(seek(run, run->done - 1));
    ttt_status found = train_step_diagnose_again(&run->step, run->task, run->done - 1);
    ttt_status status = run->launched < run->total ? seek(run, run->launched) : TTT_OK;
    if (!status)
        return found;
    ttt_status_free(found);
    return status;
}

/* A step that was skipped: counted, the culprit named once per row of them, and too many end the run. */
static ttt_status count_bad_step(struct run *run, const struct step_result *result)
{
    run->bad_steps++;
    run->bad_in_a_row++;
    char culprit[256] = "";
    if (run->bad_in_a_row == 1) {
        ttt_status found = diagnose(run);
        if (found)
            snprintf(culprit, sizeof culprit, "%s", ttt_status_text(found));
        bool failed = found && ttt_status_code(found) != TTT_NUMERIC;
        if (failed)
            return found;
        ttt_status_free(found);
    }
    say(run, "warning: step %lld skipped: loss %g, gradient norm %g%s%s", (long long)run->done, result->loss,
        result->norm, *culprit ? "; " : "", culprit);
    TRY(journal_bad_step(&run->journal, run->done, result->loss, result->norm, culprit));
    if (run->bad_in_a_row < run->config->train.max_bad_steps)
        return TTT_OK;
    if (run->saved < 0)
        return ttt_fail(TTT_NUMERIC,
                        "%lld steps in a row had a loss or gradient that is not finite; no checkpoint had "
                        "been written yet",
                        (long long)run->bad_in_a_row);
    return ttt_fail(
        TTT_NUMERIC,
        "%lld steps in a row had a loss or gradient that is not finite; the last good checkpoint is "
        "%s/checkpoints/%lld",
        (long long)run->bad_in_a_row, run->journal.folder.path, (long long)run->saved);
}

static void report_progress(struct run *run, const struct step_result *result, double rate)
{
    if (!run->observer || !run->observer->progress)
        return;
    double pace = run->all_seconds > 0 ? (double)run->all_samples / run->all_seconds : 0;
    double step_samples = (double)run->config->train.batch_size * run->config->train.accumulate;
    struct train_progress progress = {
        .step = run->done,
        .steps = run->total,
        .epoch = epoch_of(run, run->done),
        .loss = result->loss,
        .norm = result->norm,
        .rate = rate,
        .samples_per_second = pace,
        .waiting = run->seconds > 0 ? run->waited / run->seconds : 0,
        .seconds_left = pace > 0 ? (double)(run->total - run->done) * step_samples / pace : NAN,
    };
    run->observer->progress(run->observer->context, &progress);
}

/* A device that fails says where it was: in the middle of a recorded step no node is known. */
static ttt_status within_step(int64_t step, ttt_status status)
{
    return status && ttt_status_code(status) == TTT_DEVICE
               ? ttt_within(status, "step %lld", (long long)step + 1)
               : status;
}

static ttt_status launch_step(struct run *run)
{
    if (run->launched == run->done)
        run->began = ttt_seconds();
    TRY(within_step(run->launched, train_step_launch(&run->step, run->task, run->launched,
                                                     schedule_rate(&run->schedule, run->launched))));
    run->launched++;
    return TTT_OK;
}

static ttt_status finish_step(struct run *run)
{
    struct step_result result;
    TRY(within_step(run->done, train_step_finish(&run->step, &result)));
    const double now = ttt_seconds(), seconds = now - run->began,
                 rate = schedule_rate(&run->schedule, run->done);
    run->began = now;
    run->done++;
    run->seconds += seconds;
    run->all_seconds += seconds;
    run->waited += result.waited;
    run->samples += result.samples;
    run->all_samples += result.samples;
    if (result.taken) {
        run->bad_in_a_row = 0;
        run->loss_sum += result.loss;
        run->summed++;
    }
    TRY(journal_step(&run->journal, run->done, result.loss, result.norm, rate, seconds, result.waited));
    report_progress(run, &result, rate);
    if (result.taken)
        return TTT_OK;
    return result.too_large ? count_large_step(run, &result) : count_bad_step(run, &result);
}

/* Whether the step just launched ends an epoch that is a multiple of `every`. */
static bool ends_epochs(const struct run *run, int64_t every)
{
    int64_t accumulate = run->config->train.accumulate;
    int64_t epoch = run->launched * accumulate / run->batches,
            before = (run->launched - 1) * accumulate / run->batches;
    return every > 0 && epoch > before && epoch / every > before / every;
}

static bool should_stop(const volatile sig_atomic_t *stop)
{
    return stop && *stop;
}

/* Whether a checkpoint is due after the step just launched, besides the evaluated ones. */
static bool should_save(const struct run *run)
{
    const struct config_train *train = &run->config->train;
    return ends_epochs(run, train->save_every) ||
           (train->save_steps && run->launched % train->save_steps == 0);
}

/* Finishes steps until at most `ahead` are left. */
static ttt_status finish_steps(struct run *run, int ahead)
{
    while (run->launched - run->done > ahead)
        TRY(finish_step(run));
    return TTT_OK;
}

/* Where steps run ahead of what the host knows of them, it catches up before it judges or saves, so that
 * decisions are the same everywhere.
 *
 * While steps are being skipped nothing is judged or saved: the weights may be what makes them bad, and the
 * checkpoints from before must not be crowded out.  A run that resumes from those takes the same steps. */
static ttt_status train(struct run *run, const volatile sig_atomic_t *stop)
{
    if (run->done < run->total)
        TRY(seek(run, run->done));
    while (run->launched < run->total && !should_stop(stop)) {
        TRY(launch_step(run));
        const bool last = run->launched == run->total;
        const bool may_judge = last || ends_epochs(run, run->config->eval.every);
        const bool may_save = may_judge || should_save(run);
        TRY(finish_steps(run, may_save ? 0 : run->step.ahead));
        if (last || (may_save && !run->bad_in_a_row))
            TRY(save(run, may_judge));
    }
    TRY(finish_steps(run, 0));
    run->outcome->interrupted = run->done < run->total;
    if (run->outcome->interrupted && run->saved != run->done && (run->saved < 0 || !run->bad_in_a_row))
        TRY(save(run, false));
    if (run->task->skipped)
        run->outcome->skipped = run->task->skipped(run->task->context);
    return journal_stop(&run->journal, run->done, run->outcome->interrupted, run->outcome->skipped);
}

static ttt_status open_run(struct run *run, ttt_device *device)
{
    run->batches = run->task->batches(run->task->context);
    run->total = train_total_steps(run->config, run->batches);
    run->schedule = train_schedule(run->config, run->total);
    TRY(ttt_store_create(device, &run->store));
    TRY(journal_open(run->config, &run->journal));
    TRY(plan(run));
    return resume(run);
}

static void finish_outcome(struct run *run)
{
    run->outcome->step = run->done;
    run->outcome->bad_steps = run->bad_steps;
    run->outcome->best = run->best;
    run->outcome->best_step = run->best_step;
    run->outcome->samples_per_second = run->all_seconds > 0 ? (double)run->all_samples / run->all_seconds : 0;
    run->outcome->folder = strdup(run->journal.folder.path);
}

ttt_status train_run(const struct train_task *task, const struct run_config *config, ttt_device *device,
                     const volatile sig_atomic_t *stop, const struct train_observer *observer,
                     struct train_outcome *outcome)
{
    struct run run = {.task = task,
                      .config = config,
                      .observer = observer,
                      .outcome = outcome,
                      .best_step = -1,
                      .saved = -1};
    run.journal = journal_closed();
    *outcome = (struct train_outcome){.best_step = -1};
    ttt_status status = open_run(&run, device);
    if (!status)
        status = train(&run, stop);
    if (!status)
        finish_outcome(&run);
    else
        journal_failed(&run.journal, run.done, ttt_status_text(status));
    snapshot_destroy(&run.snapshot);
    train_step_destroy(&run.step);
    journal_close(&run.journal);
    ttt_store_destroy(run.store);
    free(run.parameters);
    return status;
}
