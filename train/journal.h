/* What a run writes besides checkpoints: config.yaml, log.csv, events.jsonl, in its locked folder. */
#ifndef TRAIN_JOURNAL_H
#define TRAIN_JOURNAL_H

#include "train/config/config.h"
#include "train/events.h"
#include "train/metric_log.h"
#include "train/run_folder.h"
#include "train/task.h"

struct journal {
    run_folder folder;
    event_log events;
    metric_log log;
    bool has_folder, has_events, has_log;
};

/* One that holds nothing: journal_close takes it. */
struct journal journal_closed(void);

/* Locks the run's folder, creating it where it is not there. */
ttt_status journal_open(const struct run_config *config, struct journal *journal);

/* Writes config.yaml and opens the event log, for a run that goes on after `resumed` (-1: from the start). */
ttt_status journal_start(struct journal *journal, const struct run_config *config, int64_t resumed,
                         int64_t total);

struct journal_row {
    int64_t step;
    double epoch, rate, train_loss, samples_per_second, waiting;
    int64_t bad_steps;
};

ttt_status journal_step(struct journal *journal, int64_t step, double loss, double norm, double rate,
                        double seconds, double waited);
ttt_status journal_bad_step(struct journal *journal, int64_t step, double loss, double norm,
                            const char *culprit);

/* A row of log.csv, whose columns are the row's and the evaluation's, and an event. */
ttt_status journal_evaluation(struct journal *journal, const struct journal_row *row,
                              const struct evaluation *evaluation);
ttt_status journal_checkpoint(struct journal *journal, int64_t step);
ttt_status journal_stop(struct journal *journal, int64_t step, bool interrupted, int64_t skipped);

/* Notes why a run ended, as far as that can still be written. */
void journal_failed(struct journal *journal, int64_t step, const char *why);

void journal_close(struct journal *journal);

#endif
