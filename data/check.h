/* Reading every picture of a data folder: what is there, and what is broken. */
#ifndef DATA_CHECK_H
#define DATA_CHECK_H

#include "data/decode.h"
#include "data/picture_mode.h"
#include "data/pictures.h"

struct check_options {
    int threads; /* 0: one for each processor */
    struct decode_options decode;
    /* NULL, or called after every picture, by one thread at a time. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/* A picture that cannot be decoded, or one with faults that the decoder got over. */
struct check_finding {
    char *path;
    char *error;  /* NULL: it was decoded */
    int warnings; /* faults got over */
};

/* Over the pictures that were decoded; zero where there are none.  The median of an even number is the
 * lower one. */
struct check_sizes {
    int smallest, median, largest;
};

/* One of the folders: train, val, or the root itself. */
struct check_part {
    struct pictures *set;
    uint32_t good, bad, warned; /* pictures; those with warnings are among the good */
    uint32_t *class_bad;        /* (set->class_count) bad pictures of each class */
    struct check_sizes width, height;
    uint32_t modes[PICTURE_MODE_COUNT]; /* pictures of each kind, bad ones too */
    uint32_t finding_count;
    struct check_finding *findings; /* in the order of the pictures */
};

struct check_result {
    int part_count;
    struct check_part parts[2];
};

/* Decodes every picture of ROOT/train and ROOT/val, of either where the other is missing, or of the class
 * folders in ROOT itself where both are.  Bad pictures are findings; errors are those of pictures_open, and
 * TTT_MEMORY.  On success the caller frees *result with check_free; on failure it is empty. */
ttt_status check_pictures(const char *root, const struct check_options *options, struct check_result *result)
    __attribute__((warn_unused_result));

void check_free(struct check_result *result);

#endif
