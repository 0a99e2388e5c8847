/* What a run needs on its device, weighed before any of it is taken. */
#ifndef TRAIN_MEMORY_H
#define TRAIN_MEMORY_H

#include "train/step.h"

struct train_memory {
    ttt_plan_memory step;
    int64_t evaluation; /* bytes that an evaluation adds to it, which may stay taken while steps go on */
    int64_t total;
};

/* Plans the evaluation of the weights with `prefix` beside a planned step.
 * TTT_MEMORY when both are over the limit together: with all numbers, and the task's advice. */
ttt_status train_memory_weigh(const struct train_task *task, const struct run_config *config,
                              ttt_store *store, const struct train_step *step, const char *prefix,
                              struct train_memory *memory);

#endif
