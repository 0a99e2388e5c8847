/* A trained model, ready to be run: found from a run's folder, or from a config and a file of weights. */
#ifndef TRAIN_TRAINED_H
#define TRAIN_TRAINED_H

#include "data/pictures.h"
#include "train/config/config.h"
#include "ttt/graph/store.h"

struct trained_request {
    const char *path;    /* a run's folder; or a config, which stands for its run where `weights` is NULL */
    const char *weights; /* a safetensors file of published names; NULL: a checkpoint of the run */
    const char *checkpoint; /* "best", "latest" or a step; NULL: the best, or the latest where none is */
    int override_count;
    char *const *overrides; /* "key=value", as for run_config_load */
};

struct trained {
    struct run_config config; /* of any task; a classifier's model.vittt.classes is that of the weights */
    char *run;                /* the run's folder; NULL for a config and a file of weights */
    int64_t step;             /* of the checkpoint; -1 for a file of weights */
    char *weights;            /* path of the file that was read */
    bool averaged;            /* eval.weights was ema: the averages stand under the weights' own names */
    struct pictures *classes; /* names and titles without pictures; NULL where the run does not know them */
    ttt_device *device;
    ttt_store *store; /* the parameters */
};

/* Reads the config, opens its device and loads the weights.  eval.weights chooses between a checkpoint's
 * weights and their averages; it does not matter for a file of weights.
 * TTT_ARGUMENT  nothing at `path`, no such checkpoint, or a config whose run has none
 * TTT_FORMAT    a damaged file, or one of another model: missing, extra and other tensors are named
 * TTT_UNSUPPORTED for a type of number that the device does not compute in; otherwise as run_config_load.
 * The caller closes *trained; on failure there is nothing to close. */
ttt_status trained_open(const struct trained_request *request, struct trained *trained)
    __attribute__((warn_unused_result));
void trained_close(struct trained *trained);

#endif
