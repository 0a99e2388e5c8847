/* Pictures in fixtures: tensors of bytes, (height, width, channels). */
#ifndef TOOLS_VERIFY_PICTURE_H
#define TOOLS_VERIFY_PICTURE_H

#include "data/image.h"
#include "tools/verify/fixture.h"
#include "tools/verify/report.h"

/* A copy of the tensor `name` as a picture, for the caller to free. */
ttt_status picture_read(const struct fixture *fixture, const char *name, struct image *image)
    __attribute__((warn_unused_result));

/* Checks that a tensor holds bytes, (height, width, channels). */
ttt_status picture_require(const safetensors_tensor *tensor, int height, int width, int channels)
    __attribute__((warn_unused_result));

/* Compares a picture with a tensor, which must have its shape. */
ttt_status picture_report(struct report *report, const safetensors_tensor *expected,
                          const struct image *image) __attribute__((warn_unused_result));

#endif
