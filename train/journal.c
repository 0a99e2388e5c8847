/* The written record of a run. */
#include "train/journal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct journal journal_closed(void)
{
    return (struct journal){.folder = {NULL, -1}};
}

ttt_status journal_open(const struct run_config *config, struct journal *journal)
{
    char *path;
    TRY(path_join(config->run.dir, config->run.name, &path));
    ttt_status status = run_folder_open(path, &journal->folder);
    journal->has_folder = !status;
    free(path);
    return status;
}

static ttt_status in_folder(const struct journal *journal, const char *name, char **path)
{
    return path_join(journal->folder.path, name, path);
}

static ttt_status write_synced(const struct run_config *config, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(errno));
    ttt_status status = run_config_record(config, file);
    if (!status && (fflush(file) || fsync(fileno(file))))
        status = ttt_fail(TTT_IO, "%s: writing failed: %s", path, strerror(errno));
    fclose(file);
    return status;
}

/* config.yaml becomes visible when it is whole. */
static ttt_status write_config(const struct journal *journal, const struct run_config *config)
{
    char *hidden = NULL, *path = NULL;
    ttt_status status;
    TRY_TO(in_folder(journal, ".config.yaml", &hidden), cleanup);
    TRY_TO(in_folder(journal, "config.yaml", &path), cleanup);
    TRY_TO(write_synced(config, hidden), cleanup);
    if (rename(hidden, path))
        status = ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(errno));
    else
        status = folder_sync(journal->folder.path);
cleanup:
    free(hidden);
    free(path);
    return status;
}

enum { ROW_COLUMNS = 7 };

static ttt_status open_log(struct journal *journal, const struct evaluation *evaluation, int64_t resumed)
{
    const char *names[ROW_COLUMNS + EVALUATION_MOST_VALUES] = {
        "step", "epoch", "lr", "train_loss", "samples_per_second", "waiting", "bad_steps"};
    char own[EVALUATION_MOST_VALUES][40];
    for (int i = 0; i < evaluation->count; i++) {
        snprintf(own[i], sizeof own[i], "val_%s", evaluation->values[i].name);
        names[ROW_COLUMNS + i] = own[i];
    }
    char *path;
    TRY(in_folder(journal, "log.csv", &path));
    ttt_status status =
        metric_log_open(path, names, (size_t)(ROW_COLUMNS + evaluation->count), resumed, &journal->log);
    journal->has_log = !status;
    free(path);
    return status;
}

ttt_status journal_start(struct journal *journal, const struct run_config *config, int64_t resumed,
                         int64_t total)
{
    char *path;
    TRY(write_config(journal, config));
    TRY(in_folder(journal, "events.jsonl", &path));
    ttt_status status = event_log_open(path, &journal->events);
    journal->has_events = !status;
    free(path);
    if (status)
        return status;
    event_field fields[] = {event_integer("step", resumed < 0 ? 0 : resumed), event_integer("steps", total),
                            event_text("model", config->model.name),
                            event_text("device", config->device.name),
                            event_integer("seed", config->run.seed)};
    return event_log_write(&journal->events, resumed < 0 ? EVENT_START : EVENT_RESUME, fields,
                           sizeof fields / sizeof *fields);
}

ttt_status journal_step(struct journal *journal, int64_t step, double loss, double norm, double rate,
                        double seconds, double waited)
{
    event_field fields[] = {event_integer("step", step),    event_real("loss", loss),
                            event_real("norm", norm),       event_real("lr", rate),
                            event_real("seconds", seconds), event_real("waited", waited)};
    return event_log_write(&journal->events, EVENT_STEP, fields, sizeof fields / sizeof *fields);
}

ttt_status journal_bad_step(struct journal *journal, int64_t step, double loss, double norm,
                            const char *culprit)
{
    event_field fields[] = {event_integer("step", step), event_real("loss", loss), event_real("norm", norm),
                            event_text("first", culprit)};
    return event_log_write(&journal->events, EVENT_BAD_STEP, fields, sizeof fields / sizeof *fields);
}

ttt_status journal_evaluation(struct journal *journal, const struct journal_row *row,
                              const struct evaluation *evaluation)
{
    double values[ROW_COLUMNS - 1 + EVALUATION_MOST_VALUES] = {row->epoch,      row->rate,
                                                               row->train_loss, row->samples_per_second,
                                                               row->waiting,    (double)row->bad_steps};
    enum { OWN_FIELDS = 5 };
    event_field fields[OWN_FIELDS + EVALUATION_MOST_VALUES] = {
        event_integer("step", row->step), event_real("epoch", row->epoch),
        event_real("seconds", evaluation->seconds), event_integer("samples", evaluation->samples),
        event_integer("skipped", evaluation->skipped)};
    for (int i = 0; i < evaluation->count; i++) {
        values[ROW_COLUMNS - 1 + i] = evaluation->values[i].value;
        fields[OWN_FIELDS + i] = event_real(evaluation->values[i].name, evaluation->values[i].value);
    }
    if (!journal->has_log) /* a resumed run goes on after the rows of steps before this one */
        TRY(open_log(journal, evaluation, row->step - 1));
    TRY(metric_log_write(&journal->log, row->step, values));
    return event_log_write(&journal->events, EVENT_EVALUATION, fields,
                           (size_t)(OWN_FIELDS + evaluation->count));
}

ttt_status journal_checkpoint(struct journal *journal, int64_t step)
{
    event_field field = event_integer("step", step);
    return event_log_write(&journal->events, EVENT_CHECKPOINT, &field, 1);
}

ttt_status journal_stop(struct journal *journal, int64_t step, bool interrupted, int64_t skipped)
{
    event_field fields[] = {event_integer("step", step), event_truth("finished", !interrupted),
                            event_integer("skipped", skipped)};
    return event_log_write(&journal->events, EVENT_STOP, fields, sizeof fields / sizeof *fields);
}

void journal_failed(struct journal *journal, int64_t step, const char *why)
{
    event_field fields[] = {event_integer("step", step), event_truth("finished", false),
                            event_text("error", why)};
    if (journal->has_events)
        ttt_status_free(event_log_write(&journal->events, EVENT_STOP, fields, 3));
}

void journal_close(struct journal *journal)
{
    if (journal->has_log)
        metric_log_close(&journal->log);
    if (journal->has_events)
        event_log_close(&journal->events);
    if (journal->has_folder)
        run_folder_close(&journal->folder);
    *journal = journal_closed();
}
