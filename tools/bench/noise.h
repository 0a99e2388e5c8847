/* A config's training task on noise in place of its data. */
#ifndef TOOLS_BENCH_NOISE_H
#define TOOLS_BENCH_NOISE_H

#include "data/scenes/scene_sample.h"
#include "train/config/config.h"
#include "train/task.h"

enum { BENCH_NOISE_INPUTS = 6 };

struct bench_noise {
    const struct run_config *config;
    ttt_device *device;     /* whose host memory `fed` is */
    struct train_task task; /* parameters, initialise, loss, feed */
    const char *items;      /* what a batch has: "pictures" */
    char about[128];        /* "4 pictures of 64x64 pixels" */
    struct {
        const char *name;
        float *values;
        void *fed; /* the same where the device copies from fastest; NULL before the first pass */
    } inputs[BENCH_NOISE_INPUTS]; /* of one forward pass; name NULL: none */
};

/* Makes the task of either kind; `noise` must stay where it is.  The caller frees it.  TTT_MEMORY. */
ttt_status bench_noise_create(const struct run_config *config, struct bench_noise *noise)
    __attribute__((warn_unused_result));
void bench_noise_free(struct bench_noise *noise);

/* `count` views with pictures of noise, and cameras on a circle that look at its middle; the caller frees
 * block->images, which all arrays are in.  TTT_MEMORY. */
ttt_status bench_noise_views(const struct lact_nvs_config *model, int64_t count, struct view_block *block)
    __attribute__((warn_unused_result));

#endif
