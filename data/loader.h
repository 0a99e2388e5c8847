/* Batches of pictures, decoded ahead of time by several threads.
 *
 * What a batch holds is a pure function of the set, the options, its epoch and its number: the number of
 * threads cannot matter, and a loader that starts at a batch gives what one that came by there would give.
 *
 * Training: every epoch is a permutation, drawn from (seed, TTT_RANDOM_SHUFFLE, epoch), without end.  A
 * sample's transform draws from (seed, TTT_RANDOM_AUGMENT, epoch, sample).
 * Evaluation: every picture once, in order, then the end.
 *
 * A bad file (unreadable, no picture, broken) is reported once.  With LOADER_REPLACE training takes the next
 * picture of the set that can be decoded, transformed as the one it stands in for would be; evaluation leaves
 * the picture out, so that a batch has fewer.  With LOADER_STOP it is an error.
 */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "data/pictures.h"
#include "data/sample.h"
#include "ttt/device/device.h"

enum loader_bad_file { LOADER_REPLACE, LOADER_STOP };

struct loader_options {
    struct sample_options sample; /* sample.train chooses between training and evaluation */
    int batch_size;               /* >= 1 */
    int threads;                  /* 0 .. 256; 0: loader_next decodes by itself */
    int prefetch;                 /* >= 1: batches that are decoded ahead; without threads none are */
    bool drop_last;               /* leave out the last batch of an epoch when it is not full */
    enum loader_bad_file bad_file;
    uint64_t seed;
    ttt_device *device;                /* as in prefetch.h */
    uint64_t first_epoch, first_batch; /* where to start; batches beyond the epoch's end run into the next */
    /* NULL, or called by loader_next, in its thread, with one line per bad file. */
    void (*report)(void *context, const char *line);
    void *context;
};

struct batch {
    float *images;         /* (batch_size, 3, height, width); zero behind the first `count` */
    int32_t *labels;       /* (batch_size); -1 behind the first `count` */
    uint32_t *indices;     /* (batch_size): which pictures they are; 0 behind the first `count` */
    int count;             /* pictures in the batch; 0: the end of an evaluation */
    uint64_t epoch, index; /* the epoch, and the batch's number in it */
    double waited;         /* seconds that loader_next waited or decoded for it */
};

/* Since the loader was created. */
struct loader_statistics {
    uint64_t pictures;     /* handed out */
    uint32_t bad_files;    /* different files */
    uint32_t warned_files; /* different files with faults that the decoder got over */
    double decode_seconds; /* spent by all threads together */
    double waited;         /* seconds, by loader_next */
    int threads;           /* that share decode_seconds, >= 1 */
};

struct loader;

/* The caller owns *out and frees it with loader_destroy; the set must outlive it.
 *
 * TTT_ARGUMENT  an option out of range; drop_last with fewer pictures than one batch
 * TTT_MEMORY    no memory for the batches, which the text counts, or for the threads
 */
ttt_status loader_create(const struct pictures *set, const struct loader_options *options,
                         struct loader **out) __attribute__((warn_unused_result));

/* The next batch, which belongs to the loader and lives until the next call.
 *
 * Fails with the error of a bad file under LOADER_STOP, with TTT_FORMAT when no picture of the set can be
 * decoded, and with TTT_MEMORY; every later call then fails likewise.
 */
ttt_status loader_next(struct loader *loader, struct batch *batch) __attribute__((warn_unused_result));

/* Batches of one epoch. */
uint64_t loader_batches(const struct loader *loader);

struct loader_statistics loader_statistics(struct loader *loader);

/* Stops the threads, whatever they are at, and frees everything; NULL is allowed. */
void loader_destroy(struct loader *loader);

#endif
