/* The classification task: pictures in class folders, a ViT^3, cross-entropy. */
#ifndef TRAIN_CLASSIFY_H
#define TRAIN_CLASSIFY_H

#include "data/loader.h"
#include "eval/classification.h"
#include "train/config/config.h"
#include "train/task.h"

/* Where lines for the user go, and how an evaluation comes along. */
struct classify_observer {
    void (*say)(void *context, const char *line);
    struct classification_progress evaluation;
    void *context; /* of say */
};

struct classify;

/* Opens the training and validation folders that the config names; fails before anything is computed when
 * they are not what they should be.  Sets config->model.vittt.classes where it is 0. The config and the
 * observer must outlive the task; the caller destroys it. */
ttt_status classify_create(struct run_config *config, const struct classify_observer *observer,
                           struct classify **classify);
void classify_destroy(struct classify *classify);

/* The task as the loop knows it; it lives as long as `classify`. */
const struct train_task *classify_task(const struct classify *classify);

/* The sets, and how pictures of this config are read. */
const struct pictures *classify_train_set(const struct classify *classify);
const struct pictures *classify_val_set(const struct classify *classify);
struct loader_options classify_loader_options(const struct run_config *config);

/* Adds the loss over inputs "images" (batch, 3, height, width) and "target" (batch, classes) to a graph. */
ttt_tensor classify_loss(ttt_graph *g, const struct run_config *config, ttt_tensor step, int batch);

#endif
