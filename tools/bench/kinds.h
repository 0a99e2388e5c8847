/* What `ttt bench` can measure. */
#ifndef TOOLS_BENCH_KINDS_H
#define TOOLS_BENCH_KINDS_H

#include <stdbool.h>

#include "train/config/config.h"

struct bench_options {
    int runs;   /* 0: as many as ten seconds hold, up to ten */
    int warmup; /* runs before, which do not count */
    bool profile, json;
};

/* Each prints its measurements to stdout.  The config, for the task classify, says how many
 * classes there are; the loader is that of classify. */
ttt_status bench_train(const struct run_config *config, const struct bench_options *options);
ttt_status bench_infer(const struct run_config *config, const struct bench_options *options);
/* As bench_infer for the task views: reconstruction from the config's number of views and from more, and
 * rendering. */
ttt_status bench_views(const struct run_config *config, const struct bench_options *options);
ttt_status bench_loader(const struct run_config *config, const struct bench_options *options);

/* only: names of operators with commas between, or NULL for all.  TTT_ARGUMENT for a name that is none. */
ttt_status bench_ops(const char *only, const struct config_device *device,
                     const struct bench_options *options);

/* The fast-weight part of a causal LaCT layer. */
struct bench_layer {
    int64_t heads, head_dim, tokens, chunk;
    const char *variant, *form; /* "recurrent" or "parallel" */
};
ttt_status bench_layer(const struct bench_layer *layer, const struct config_device *device,
                       const struct bench_options *options);

/* Prints the cases of bench_ops, without running them. */
void bench_ops_list(void);

#endif
