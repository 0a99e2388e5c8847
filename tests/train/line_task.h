/* The smallest task that the training loop can run: y = <w, x>, with faults and scores that a test chooses.
 */
#ifndef TESTS_TRAIN_LINE_TASK_H
#define TESTS_TRAIN_LINE_TASK_H

#include <signal.h>

#include "train/loop.h"

enum { line_size = 6, line_batch = 4, line_batches = 5, line_most = 64 };

/* A task and its observer; zero is one without faults. */
struct line_task {
    uint64_t poison_from,
        poison_to;            /* batches, counted from the run's first, that hold a NaN: from .. to - 1 */
    double scores[line_most]; /* of the evaluations, one after the other */
    bool unjudged;            /* evaluations fail */
    int64_t evaluation_bytes; /* that they need on the device beside the weights */
    int64_t stop_after;       /* the step after which a stop is asked for; 0: none */

    uint64_t next; /* batch */
    struct line_host {
        float x[line_batch][line_size], target[line_batch];
    } * host; /* of the device: the batch that was fed last */
    int fed, evaluated, records;
    char prefix[8]; /* of the last evaluation */
    volatile sig_atomic_t stop;
    int progressed;
    struct train_progress progress[line_most];
    char said[4000];
    struct train_outcome outcome; /* of the last line_run */
};

/* Trains with this config, from wherever its run stands; outcome.folder has been freed.  The device is that
 * of the environment's LINE_DEVICE, or the CPU. */
ttt_status line_run(struct line_task *line, const struct run_config *config);

/* The same, which must succeed. */
void line_run_ok(struct line_task *line, const struct run_config *config);

/* How many steps that device is given before the first one's result is known, one less. */
int line_ahead(void);

#endif
