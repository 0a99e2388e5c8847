/* The table of kinds. */
#include "tools/verify/kind.h"

const struct verify_kind verify_kinds[] = {
    {"vittt_layer", verify_vittt_layer}, /* one layer, forward and backward */
    {"vittt_model", verify_vittt_model}, /* a classifier, its loss and all gradients */
    {"lact_layer", verify_lact_layer},   /* one layer over a plan, forward and backward */
    {"lact_chunks", verify_lact_chunks}, /* a sequence of chunks, in both forms */
    {"lact_model", verify_lact_model},   /* view synthesis, its loss and all gradients, and in passes */
    {"optimiser", verify_optimiser},     /* clipping, AdamW, schedules */
    {"resize", verify_resize},           /* resampling and the evaluation transform */
    {"jpeg", verify_jpeg},               /* decoding */
    {"metrics", verify_metrics},         /* PSNR and SSIM */
    {"cameras", verify_cameras},         /* poses: inverse, axes, normalisation */
    {NULL, NULL},
};
