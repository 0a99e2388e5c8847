/* Sizes of a ViT^3 (ViTTT) classifier, and the published ones by name. */
#ifndef VISION_VITTT_CONFIG_H
#define VISION_VITTT_CONFIG_H

#include "ttt/fast/variant.h"

struct vittt_config {
    int image_height, image_width; /* pixels; multiples of patch */
    int patch;                     /* side of a square patch, pixels */
    int width;                     /* C, channels of a token; a multiple of heads */
    int depth;                     /* blocks */
    int heads;                     /* H; a head has d = C / H channels */
    float mlp_ratio;               /* hidden width of the MLP over C */
    int classes;
    float drop_path; /* stochastic depth of the last block, rising linearly from 0 in the first */
    bool recompute;  /* recompute each block in the backward pass to save memory */
    ttt_variant variant;
};

/* Fills width, depth, heads, drop_path, patch 16, mlp_ratio 4, 224x224 pixels and 1000 classes of
 * "vittt_tiny", "vittt_small" or "vittt_base", baseline variant.  Fails with TTT_ARGUMENT and the names there
 * are. */
ttt_status vittt_config_named(const char *name, struct vittt_config *config);

/* Checks that the sizes fit each other; an error names the numbers that do not. */
ttt_status vittt_config_check(const struct vittt_config *config);

#endif
