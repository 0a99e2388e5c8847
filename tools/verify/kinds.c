/* The table of kinds. */
#include "tools/verify/kind.h"

const struct verify_kind verify_kinds[] = {
    {"vittt_layer", "one layer, forward and backward", verify_vittt_layer},
    {"vittt_model", "a classifier, its loss and all gradients", verify_vittt_model},
    {"lact_layer", "one layer over a plan, forward and backward", verify_lact_layer},
    {"lact_chunks", "a sequence of chunks, in both forms", verify_lact_chunks},
    {"lact_model", "view synthesis, its loss and all gradients, and in passes", verify_lact_model},
    {"optimiser", "clipping, AdamW, schedules", verify_optimiser},
    {"resize", "resampling and the evaluation transform", verify_resize},
    {"jpeg", "decoding", verify_jpeg},
    {"metrics", "PSNR and SSIM", verify_metrics},
    {"cameras", "poses: inverse, axes, normalisation", verify_cameras},
    {NULL, NULL, NULL},
};
