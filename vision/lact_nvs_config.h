/* Sizes of a LaCT novel-view-synthesis model, and the published ones by name. */
#ifndef VISION_LACT_NVS_CONFIG_H
#define VISION_LACT_NVS_CONFIG_H

#include "ttt/fast/variant.h"

struct lact_nvs_config {
    int image_height, image_width; /* pixels; multiples of patch */
    int patch;                     /* side of a square patch, pixels */
    int width;                     /* D, channels of a token */
    int depth;                     /* blocks */
    int head_dim;                  /* channels of an attention head; divides the width */
    int fast_head_dim;             /* channels of a fast-weight head; divides the width */
    double inter_multi;    /* hidden width of the fast weights over fast_head_dim; 1 for the linear kernel */
    double base_lr;        /* where the per-token rates start */
    int muon_update_steps; /* Newton-Schulz iterations on each gradient */
    int num_input_views, num_target_views;
    bool recompute; /* recompute each block in the backward pass to save memory */
    ttt_variant variant;
};

/* Fills in the sizes of "lact_nvs_nano", "lact_nvs_l12", "lact_nvs_l24_x2" or "lact_nvs_l24_x4", the baseline
 * variant, 128x128 pixels, 2 input and 6 target views.  Fails with TTT_ARGUMENT and the names there are. */
ttt_status lact_nvs_config_named(const char *name, struct lact_nvs_config *config);

/* Checks that the sizes fit each other; an error names the numbers that do not. */
ttt_status lact_nvs_config_check(const struct lact_nvs_config *config);

#endif
