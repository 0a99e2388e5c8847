/* The configuration of a run: what YAML files and `key=value` overrides add up to.
 *
 * Every key is declared once, in keys.c: its type, range, default and meaning.  Reading, checking, writing
 * and help all follow that table.  The groups below carry the names of the groups in the file.
 */
#ifndef TRAIN_CONFIG_CONFIG_H
#define TRAIN_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "data/loader.h"
#include "data/scenes/scene_sample.h"
#include "data/transform.h"
#include "train/schedule.h"
#include "ttt/base/dtype.h"
#include "ttt/base/status.h"
#include "vision/lact_nvs_config.h"
#include "vision/vittt_config.h"

enum config_task {
    TASK_CLASSIFY,
    TASK_VIEWS,
};

enum config_weights {
    WEIGHTS_MODEL,
    WEIGHTS_EMA,
};

struct config_run {
    char *name;   /* folder under dir, without '/'; never empty after loading */
    char *dir;    /* folder of all runs */
    int64_t seed; /* at least 0 */
};

struct config_device {
    char *name;            /* "cpu", "cuda" or "cuda:1" */
    ttt_dtype dtype;       /* of activations: TTT_F32 or TTT_BF16 */
    int threads;           /* 0: all cores */
    int64_t memory_limit;  /* bytes; 0: all memory */
    char *implementations; /* forced rows, "layernorm:reference,..."; may be empty */
};

struct config_model {
    char *name;                  /* a preset; its sizes are resolved in vittt or lact */
    char *variant;               /* named setting of the switches, resolved in vittt.variant */
    struct vittt_config vittt;   /* classes is 0 where the data decide */
    struct lact_nvs_config lact; /* for views; what both models have is what vittt has */
};

/* Which views of a scene are given and which are to be rendered: as struct view_choice. */
struct config_views {
    enum view_order order;
    char *inputs, *targets; /* rules, as view_rule_parse reads them */
    char *index;            /* file, or empty */
};

struct config_data {
    char *root;                /* may be empty: not given */
    char *train, *val;         /* folders under root */
    struct config_views views; /* of training */
    int threads;               /* of the loader; 0: none, loader_next decodes */
    int prefetch;              /* batches */
    double crop_area[2];       /* share of the picture's area, low and high */
    double crop_ratio[2];      /* width over height, low and high */
    double flip;               /* probability */
    enum resample_filter interpolation;
    double mean[3], std[3]; /* RGB, of pixels in [0, 1] */
    enum eval_crop eval_crop;
    enum loader_bad_file on_bad;
    int64_t max_pixels; /* of an encoded picture */
    bool drop_last;     /* leave out an epoch's incomplete last batch */

    enum pose_normalisation poses;
    double pose_scale;
    enum pose_scope pose_scope;
    int64_t cache; /* bytes of decoded views; 0: none are kept */
};

struct config_train {
    int epochs;
    int64_t steps;  /* optimiser steps; 0: epochs decide */
    int batch_size; /* pictures per forward pass */
    int accumulate; /* forward passes per optimiser step */
    double lr;      /* the highest rate, used as it is */
    schedule_kind schedule;
    double warmup_fraction; /* of all steps */
    double warmup_lr, min_lr;
    double betas[2], eps, weight_decay;
    double clip;      /* largest gradient norm; 0: none */
    double skip_over; /* steps with a norm over skip_over * clip are skipped; 0: none */
    double label_smoothing;
    double ema; /* decay of the averaged weights; 0: none */
    int max_bad_steps;
    int save_every;     /* epochs; 0: not by epochs */
    int64_t save_steps; /* optimiser steps; 0: not by steps */
    int keep;           /* last checkpoints kept */
};

struct config_eval {
    int every; /* epochs; 0: only at the end */
    int batch_size;
    enum config_weights weights;

    int num_input_views;     /* 0: the model's */
    int num_target_views;    /* 0: all that the rule leaves */
    int64_t tokens_per_pass; /* of a reconstruction; 0: all */
    struct config_views views;
};

struct run_config {
    enum config_task task;
    struct config_run run;
    struct config_device device;
    struct config_model model;
    struct config_data data;
    struct config_train train;
    struct config_eval eval;
};

/* Reads the YAML file at `path` with all that it inherits through `base:`, applies the overrides
 * ("train.lr=0.001"; of two for the same key the later one holds), resolves the model's and the variant's
 * names, and checks everything.  A key given explicitly wins over what a name stands for, wherever it is.
 * Some defaults are another one for task: views, and some keys belong to one task alone.
 *
 * Fails with TTT_ARGUMENT and "FILE:LINE: KEY: ..." (or "command line: KEY: ...") for a mistake in a value or
 * key, TTT_ARGUMENT for a missing file, TTT_FORMAT for a file that is not YAML, TTT_SHAPE for sizes that do
 * not fit each other.  On success `config` owns its strings; on failure there is nothing to free. */
ttt_status run_config_load(const char *path, int n_overrides, char *const *overrides,
                           struct run_config *config);

/* Frees what run_config_load gave; a zeroed config is allowed. */
void run_config_free(struct run_config *config);

/* Writes every key that the task has and its value as YAML, with its meaning above it when `with_help`.
 * Loading what was written gives the same config to the last bit.  Fails with TTT_IO. */
ttt_status run_config_write(const struct run_config *config, FILE *file, bool with_help);

/* The same with help, as the record of a run: data.root and the view indices start at / where they started at
 * the working folder, so that they hold in any other.  run.dir stays: a run is found by its own path.
 * TTT_MEMORY too. */
ttt_status run_config_record(const struct run_config *config, FILE *file);

/* One key, for help texts.  All strings are static except `allowed`. */
struct run_config_key {
    const char *path;     /* "train.lr" */
    const char *fallback; /* the default as it would stand in a file, or what decides it */
    const char *views;    /* the default of task: views where it is another one; else NULL */
    const char *task;     /* "classify" or "views" when only that task has the key; else NULL */
    const char *help;     /* one line with the unit */
    char allowed[128];    /* "a number above 0", "one of all, last" */
};

/* Describes the i-th key in the order of the file; false past the end. */
bool run_config_key(int i, struct run_config_key *key);

#endif
