/* Judging a classifier on a set of pictures. */
#ifndef EVAL_CLASSIFICATION_H
#define EVAL_CLASSIFICATION_H

#include <stdio.h>

#include "data/loader.h"
#include "eval/classifier.h"
#include "eval/metrics.h"

struct classification_progress {
    void (*report)(void *context, int64_t done, int64_t pictures); /* after every batch; NULL: none */
    void *context;
};

/* Runs every picture of the set once and counts (counts is created by the call; the caller frees it).
 * loader: as for loader_create; sample.train and batch_size are set here.  Bad files are left out.
 * TTT_FORMAT when no picture could be decoded. */
ttt_status classification_run(struct classifier *classifier, const struct pictures *set,
                              const struct loader_options *loader, struct classification_progress progress,
                              classification_counts *counts);

/* One row a class: class, title, pictures, correct, accuracy. */
ttt_status classification_write_classes(const classification_counts *counts, const struct pictures *set,
                                        const char *path);

/* The confusion matrix: a row for every true class, a column for every predicted one. */
ttt_status classification_write_confusion(const classification_counts *counts, const struct pictures *set,
                                          const char *path);

#endif
