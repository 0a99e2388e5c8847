/* A run of a tiny training for the tests of checkpoints: its tensors hold numbers made from the step. */
#ifndef TESTS_TRAIN_TINY_RUN_H
#define TESTS_TRAIN_TINY_RUN_H

#include "tests/support/check.h"
#include "train/checkpoint.h"
#include "train/run_folder.h"

enum { tiny_weights = 3 * 50, tiny_moments = 7 };

struct tiny_training {
    float weight[tiny_weights];
    uint16_t half[4];
    float moment[tiny_moments];
    checkpoint_tensor model[2], state[1];
    checkpoint contents; /* of the two above */
};

struct tiny_run {
    char *parent; /* a temporary folder */
    char *path;   /* of the run in it */
    run_folder folder;
};

/* The lines that a reporter was told, one after the other. */
struct tiny_lines {
    char text[4000];
};

/* All zero but the descriptions; and as it is at a step. */
void tiny_training_start(struct tiny_training *training);
void tiny_training_at(struct tiny_training *training, int64_t step);

/* Fails the running test unless the tensors and numbers are those of the step. */
void assert_tiny_training_at(const struct tiny_training *training, int64_t step);

void tiny_run_start(struct tiny_run *run);
void tiny_run_end(struct tiny_run *run);

/* Saves the training as it is at the step. */
void tiny_run_save(const struct tiny_run *run, int64_t step);

/* The path of a file of a checkpoint, which the caller frees. */
char *tiny_run_file(const struct tiny_run *run, int64_t step, const char *name);

/* A reporter that appends to *lines. */
checkpoint_reporter tiny_reporter(struct tiny_lines *lines);

/* Fails the running test unless loading the latest gives the wanted step and, on the way, says a line with
 * this text; NULL: says nothing. */
void assert_latest(const struct tiny_run *run, int64_t wanted, const char *line);

/* Fails the running test unless these are all checkpoints of the run. */
void assert_steps(const struct tiny_run *run, const int64_t *wanted, size_t n);

/* Changes one bit of a file; a negative offset counts from its end. */
void flip_bit(const char *path, long offset);

#endif
