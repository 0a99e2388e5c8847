/* A folder to train in: a few small pictures or scenes, and a config of a model that trains in a fraction of
 * a second. */
#ifndef TESTS_TOOLS_TRAINING_H
#define TESTS_TOOLS_TRAINING_H

#include <stdint.h>
#include <sys/types.h>

#include "tests/tools/program.h"

/* Setup and teardown of a group of tests: the working folder becomes a temporary one with `pictures` (3
 * classes, 48 to train on, 15 to validate, 16 pixels) and `tiny.yaml` (6 steps an epoch, 6 epochs). */
int training_enter(void **state);
int training_leave(void **state);

/* The same setup with `scenes` (3 of 8 views, 16 pixels) and `views.yaml` (2 steps). */
enum { TRAINING_VIEWS = 8, TRAINING_SIDE = 16 };
int training_enter_views(void **state);

/* ttt train tiny.yaml run.name=NAME and at least one more argument. */
#define train(name, ...) run("train", "tiny.yaml", "run.name=" name, __VA_ARGS__)

/* The same, which must end well. */
#define train_ok(name, ...) succeed(train(name, __VA_ARGS__))

/* Fails the running test unless the exit status is 0; frees the result. */
void succeed(struct program_result result);

/* Fails the running test unless the exit status is this one and the standard error contains `part`; frees the
 * result. */
void fails(struct program_result result, int status, const char *part);

/* Starts the program with arguments up to a NULL, its output going nowhere; its process, to be waited for. */
pid_t program_start(const char *const *arguments);
#define start(...) program_start((const char *const[]){__VA_ARGS__, NULL})

/* Fails the running test unless the newest checkpoints of runs/A and runs/B are equal to the last bit, of the
 * same step, and the same step is the best one. */
void check_same_end(const char *a, const char *b);

/* The latest step of runs/NAME. */
int64_t latest_step(const char *name);

#endif
