/* The training loop: steps, evaluations, checkpoints and logs of a run, from wherever it stopped.
 *
 * A run lives in DIR/NAME (run.dir, run.name).  Training a run that is there already goes on from its latest
 * checkpoint, and ends with the same weights to the last bit as one that was never interrupted.
 */
#ifndef TRAIN_LOOP_H
#define TRAIN_LOOP_H

#include <signal.h>

#include "train/config/config.h"
#include "train/task.h"

/* Where training stands; what a progress bar shows. */
struct train_progress {
    int64_t step, steps; /* taken so far, and in all */
    double epoch;        /* 3.25: a quarter of the fourth */
    double loss, norm;   /* of the last step */
    double rate;         /* its learning rate */
    double samples_per_second;
    double waiting; /* share of the time spent waiting for data */
    double seconds_left;
};

struct train_observer {
    void (*progress)(void *context, const struct train_progress *progress); /* after every step */
    void (*evaluated)(void *context, int64_t step, double epoch, const struct evaluation *evaluation);
    void (*say)(void *context, const char *line); /* a line for the user */
    void *context;
};

struct train_outcome {
    char *folder;      /* of the run; the caller frees it */
    int64_t step;      /* optimiser steps of the run, this process's and earlier ones */
    int64_t bad_steps; /* of these, how many were skipped, for whatever reason */
    int64_t skipped;   /* samples of the training set left out: they cannot be read */
    bool interrupted;  /* stopped by *stop, saved */
    bool evaluated;
    struct evaluation evaluation; /* the last one, when evaluated */
    double best;                  /* value of the best evaluation's chosen number */
    int64_t best_step;            /* -1: none */
    double samples_per_second;    /* of training alone */
    int64_t predicted_bytes;      /* what planning said that steps and evaluations take */
};

/* Trains `task` as the config says, on `store`'s device.
 *
 * stop  when it becomes non-zero the step is finished and saved, and the call returns; may be NULL
 *
 * TTT_NUMERIC after train.max_bad_steps skipped steps in a row; TTT_IO when a checkpoint cannot be written;
 * the last good checkpoint is intact in both cases.  An evaluation that fails ends the run with a checkpoint
 * of the step that it judged.  Otherwise the errors of planning, of the task and of
 * checkpoints. On failure outcome->folder is NULL. */
ttt_status train_run(const struct train_task *task, const struct run_config *config, ttt_device *device,
                     const volatile sig_atomic_t *stop, const struct train_observer *observer,
                     struct train_outcome *outcome);

/* Optimiser steps of the whole run, and the schedule of its learning rate. */
int64_t train_total_steps(const struct run_config *config, int64_t batches);
rate_schedule train_schedule(const struct run_config *config, int64_t total_steps);

#endif
