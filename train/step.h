/* One optimiser step as plans: forward, backward, gradient norm, AdamW, averages.
 *
 * With accumulate 1 that is one plan.  Else one plan adds the gradients of a forward pass to sums, and a
 * second one applies them.
 *
 * Variables of the store, besides the parameters: "adamw.mean.NAME", "adamw.variance.NAME", "adamw.steps",
 * "ema.NAME" and "sum.NAME".
 */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "train/config/config.h"
#include "train/task.h"

struct train_step {
    ttt_plan *pass;   /* inputs of the task, "step" i32, "rate"; outputs "loss", "norm", "taken" */
    ttt_plan *update; /* NULL unless accumulating; then it has "rate", "norm" and "taken" */
    int accumulate;
    ttt_status culprit; /* what was not finite in an earlier pass of the last step; owned */

    /* How many steps may be launched before the oldest is finished, one less: 1 where the host's work on a
     * step goes on beside the device's on the one before, else 0. */
    int ahead;
    int64_t launched, finished;
    struct step_slot *slots; /* (ahead + 1), host memory of the device */
};

/* Plans a step; takes no memory on the device until train_step_prepare.
 * TTT_MEMORY when over the limit: the text says what batch size would fit, and what recomputing would save.
 */
ttt_status train_step_create(const struct train_task *task, const struct run_config *config, ttt_store *store,
                             struct train_step *step);
ttt_status train_step_prepare(struct train_step *step);
void train_step_destroy(struct train_step *step);

ttt_plan_memory train_step_memory(const struct train_step *step);

struct step_result {
    double loss, norm; /* norm: of the gradient before clipping */
    bool taken;        /* false: skipped */
    bool too_large;    /* skipped because the norm is over train.skip_over * train.clip; else a loss or norm
                        * that is not finite is why */
    int samples;
    double waited; /* seconds for data */
};

/* Feeds and launches one optimiser step; at most `ahead` others may be unfinished.
 * number: of the step, from 0; rate: its learning rate. */
ttt_status train_step_launch(struct train_step *step, const struct train_task *task, int64_t number,
                             double rate);

/* Waits for the oldest unfinished step. */
ttt_status train_step_finish(struct train_step *step, struct step_result *result);

/* After a step that was not taken: names the first tensor that is not finite, of the first of its forward
 * passes with such a loss, or else of the last one, which is run again.  TTT_NUMERIC with the name; TTT_OK
 * when none is found. */
ttt_status train_step_diagnose(struct train_step *step);

/* The same where steps run ahead: the passes of step `number` are fed and run again, so the task must stand
 * at its first batch; the weights may be those of one step later. */
ttt_status train_step_diagnose_again(struct train_step *step, const struct train_task *task, int64_t number);

/* Sets the averaged weights to the weights.  For the start of a run with `ema`. */
ttt_status train_step_start_averages(const struct train_task *task, ttt_store *store);

#endif
