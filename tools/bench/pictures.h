/* Numbers in place of pictures. */
#ifndef TOOLS_BENCH_PICTURES_H
#define TOOLS_BENCH_PICTURES_H

#include <stdint.h>

#include "ttt/base/status.h"
#include "vision/vittt_config.h"

/* A batch of normalised noise (batch, 3, height, width), which the caller frees.  TTT_MEMORY. */
ttt_status bench_pictures(const struct vittt_config *model, int64_t batch, float **images)
    __attribute__((warn_unused_result));

/* One random class per picture: (batch, classes), which the caller frees.  TTT_MEMORY. */
ttt_status bench_targets(const struct vittt_config *model, int64_t batch, float **targets)
    __attribute__((warn_unused_result));

#endif
