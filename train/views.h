/* The view synthesis task: posed scenes, a LaCT-NVS model, mean squared error. */
#ifndef TRAIN_VIEWS_H
#define TRAIN_VIEWS_H

#include "data/scenes/scene_loader.h"
#include "eval/views.h"
#include "train/config/config.h"
#include "train/task.h"

/* Where lines for the user go, and how an evaluation comes along. */
struct views_observer {
    void (*say)(void *context, const char *line); /* NULL: nowhere */
    void (*evaluation)(void *context, int64_t done, int64_t scenes);
    void *context;
};

struct views;

/* Opens the scenes that the config names, for training and for validation; fails before anything is computed
 * when they are not what they should be, and says what it skips.  The config and the observer must outlive
 * the task; the caller destroys it. */
ttt_status views_create(const struct run_config *config, const struct views_observer *observer,
                        struct views **views);
void views_destroy(struct views *views);

/* The task as the loop knows it; it lives as long as `views`. */
const struct train_task *views_task(const struct views *views);
const struct scene_set *views_train_set(const struct views *views);
const struct scene_set *views_val_set(const struct views *views);

/* What the keys for training and for evaluation ask of a scene's views. */
enum views_use { VIEWS_TO_TRAIN, VIEWS_TO_EVALUATE };

/* A sample's options, with the index file that they refer to. */
struct views_sample {
    struct scene_sample_options options;
    struct view_index *index; /* owned; NULL: none */
};

/* The caller frees *sample; on failure it is empty.  Errors: view_rule_parse's, view_index_open's. */
ttt_status views_sample_create(const struct run_config *config, enum views_use use,
                               struct views_sample *sample);
void views_sample_free(struct views_sample *sample);

/* Opens data.root/data.train or data.root/data.val, or `path` in their place; scenes must have views enough
 * for the sample.  Errors: scene_set_open's, TTT_ARGUMENT without data.root. */
ttt_status views_set_open(const struct run_config *config, enum views_use use, const char *path,
                          const struct views_sample *sample, struct scene_set *set);

/* How the config evaluates; without prefix, progress and context. */
struct views_options views_evaluation_options(const struct run_config *config,
                                              const struct views_sample *sample);

/* Adds the loss over inputs "input_images" (batch, inputs, 3, h, w), "input_fxfycxcy", "input_c2w",
 * "target_images" (batch, targets, 3, h, w), "target_fxfycxcy" and "target_c2w" to a graph. */
ttt_tensor views_loss(ttt_graph *g, const struct run_config *config, int batch);

#endif
