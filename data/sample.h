/* One picture of a set becomes a network's input. */
#ifndef DATA_SAMPLE_H
#define DATA_SAMPLE_H

#include "data/pictures.h"
#include "data/transform.h"

/* How the pictures of a set are read. */
struct sample_options {
    bool train; /* the training transform; otherwise that of evaluation */
    struct picture_transform transform;
    struct decode_options decode;
};

/* Reads, decodes and transforms picture `index`.
 *
 * random    the stream that the training transform draws from; not used in evaluation
 * out       (3, height, width), the caller's; undefined on failure
 * warnings  faults that the decoder got over are added to it
 *
 * The errors of file_read and picture_train, naming the file.
 */
ttt_status sample_load(const struct pictures *set, uint32_t index, const struct sample_options *options,
                       ttt_random *random, float *out, int *warnings) __attribute__((warn_unused_result));

/* Whether an error of sample_load is the file's own fault: unreadable, no picture, or broken. */
bool sample_is_bad(ttt_status status);

/* How fast pictures are read and transformed. */
struct sample_rate {
    double seconds;
    double per_second;            /* pictures */
    double per_second_per_thread; /* pictures, for every second that a thread spent */
    uint64_t pictures, bad;       /* done; of these, undecodable */
};

/* Runs sample_load on `pictures` pictures, the set's first ones and again from its start, on `threads`
 * threads (0: one for each processor).  Augmentation draws from (seed 0, TTT_RANDOM_AUGMENT).  Bad files are
 * counted. TTT_ARGUMENT for threads out of range; TTT_MEMORY. */
ttt_status sample_benchmark(const struct pictures *set, const struct sample_options *options, int threads,
                            uint64_t pictures, struct sample_rate *rate) __attribute__((warn_unused_result));

#endif
