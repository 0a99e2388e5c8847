/* What a run trains: a model with a loss, batches to feed it, and a way to judge it.
 *
 * The loop (loop.h) knows tasks through this interface alone; classify.h makes one.
 */
#ifndef TRAIN_TASK_H
#define TRAIN_TASK_H

#include "ttt/graph/plan.h"
#include "vision/vittt.h"

enum { EVALUATION_MOST_VALUES = 8 };

/* The result of an evaluation: named numbers, one of which says which checkpoint is best (higher is better).
 */
struct evaluation {
    struct {
        const char *name; /* "top1": static */
        double value;
    } values[EVALUATION_MOST_VALUES];
    int count;
    int best; /* index into values */
    double seconds;
    int64_t samples, skipped; /* that were judged; that could not be read */
};

/* What a batch was, for progress and logs. */
struct fed {
    int samples;
    double waited; /* seconds for data */
};

struct train_task {
    void *context; /* the first argument of every function */

    /* The trained parameters; malloc'ed, for the caller to free. */
    ttt_status (*parameters)(void *context, struct parameter **parameters, int *count);

    /* Fills the store with initial values. */
    ttt_status (*initialise)(void *context, ttt_store *store, uint64_t seed);

    /* Adds inputs and the forward pass to a graph: a loss of one element, the mean over a batch.
     * step: (1) i32, counts forward passes; batch: samples in one forward pass. */
    ttt_tensor (*loss)(void *context, ttt_graph *g, ttt_tensor step, int batch);

    /* Batches that one epoch has. */
    int64_t (*batches)(void *context);

    /* Positions the data: the next batch fed is `batch` of `epoch`, and goes to `device`, which outlives the
     * task. */
    ttt_status (*start)(void *context, ttt_device *device, uint64_t epoch, uint64_t batch);

    /* Writes the next batch into the plan's inputs; what earlier calls wrote with ttt_plan_write_later has
     * been copied. */
    ttt_status (*feed)(void *context, ttt_plan *plan, struct fed *fed);

    /* Plans `evaluate`, which comes later, for the same store and prefix: how much memory on the device it
     * will need, whatever the limit, and for a message what makes that less.  Takes none there. */
    ttt_status (*plan_evaluation)(void *context, ttt_store *store, const char *prefix,
                                  ttt_plan_memory *memory);
    const char *evaluation_advice;

    /* Judges the weights in the store, those whose names start with `prefix` ("" or "ema."). */
    ttt_status (*evaluate)(void *context, ttt_store *store, const char *prefix,
                           struct evaluation *evaluation);

    /* Writes into the run's folder what must be remembered of the data; NULL: nothing. */
    ttt_status (*record)(void *context, const char *folder);

    /* Samples of the training set that are left out, as far as is known: they cannot be read.  NULL: none. */
    int64_t (*skipped)(void *context);
};

#endif
