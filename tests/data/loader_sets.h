/* A small picture set to load, and the ways to spoil it. */
#ifndef TESTS_DATA_LOADER_SETS_H
#define TESTS_DATA_LOADER_SETS_H

#include "data/loader.h"

enum { TRAIN = 41, VAL = 13, SIDE = 16, PICTURE = 3 * SIDE * SIDE, BATCH = 4 };

/* The set of the running test. */
extern struct pictures *train, *val;

/* cmocka's setup and teardown: three classes, TRAIN and VAL pictures, in a temporary folder. */
int make_sets(void **state);
int remove_sets(void **state);

/* Batches of BATCH pictures of SIDE x SIDE. */
struct loader_options options_for(bool training, int threads);

/* Puts text in a picture's place. */
void ruin(const struct pictures *set, uint32_t picture);

#endif
