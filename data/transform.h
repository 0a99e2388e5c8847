/* From the bytes of a picture file to a network's input, for training and for evaluation. */
#ifndef DATA_TRANSFORM_H
#define DATA_TRANSFORM_H

#include <stddef.h>
#include <stdint.h>

#include "data/decode.h"
#include "data/image.h"
#include "data/resample.h"
#include "ttt/base/random.h"
#include "ttt/base/status.h"

/* How an evaluation picture is fitted into (height, width). */
enum eval_crop {
    EVAL_CROP_CENTRE, /* shorter side to int(size * eval_ratio), then the centre */
    EVAL_CROP_NONE,   /* the whole picture resized, whatever its aspect ratio */
};

struct picture_transform {
    int height, width; /* of the result, in pixels */
    enum resample_filter filter;
    double area_min, area_max;   /* training crop: share of the picture's area, 0 < min <= max <= 1 */
    double ratio_min, ratio_max; /* training crop: width over height, 0 < min <= max */
    double flip;                 /* probability of mirroring a training picture */
    enum eval_crop eval_crop;
    double eval_ratio;   /* >= 1: how much larger than the result the picture is resized before the cut */
    double mean[3];      /* of red, green, blue in 0..1 */
    double deviation[3]; /* > 0: the standard deviation likewise */
};

/* Bicubic, area 0.08-1, ratio 3/4-4/3, flip 0.5, centre crop with 256/224, ImageNet's mean and deviation:
 * the recipe of timm and torchvision, at this size. */
struct picture_transform picture_transform_default(int height, int width);

/* TTT_ARGUMENT when a value is outside the range stated above. */
ttt_status picture_transform_check(const struct picture_transform *t) __attribute__((warn_unused_result));

/* Chooses a training crop of a (height, width) picture: at most ten times an area, uniform, and an aspect
 * ratio, log-uniform; when none fits, the largest centred crop with a permitted ratio.
 * (torchvision.transforms.RandomResizedCrop.get_params) */
struct rect random_crop(const struct picture_transform *t, int width, int height, ttt_random *random);

/* Decodes, crops at random, resizes and perhaps mirrors: out is (t->height, t->width, 3), owned by the
 * caller, empty on failure.  The crop is decoded alone unless options->decode_whole.  Errors, warnings:
 * image_decode. The stream is drawn from in the same order whatever the options. */
ttt_status picture_train_image(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                               const struct decode_options *options, ttt_random *random, struct image *out,
                               int *warnings) __attribute__((warn_unused_result));

/* Decodes, resizes and cuts as t->eval_crop says; the rest as picture_train_image. */
ttt_status picture_eval_image(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                              const struct decode_options *options, struct image *out, int *warnings)
    __attribute__((warn_unused_result));

/* picture_eval_image for a picture that is already decoded: (h, w, 3). */
ttt_status picture_eval_resize(const struct picture_transform *t, const struct image *picture,
                               struct image *out) __attribute__((warn_unused_result));

/* (sample / 255 - mean) / deviation, computed in double: (h, w, 3) bytes to out, (3, h, w) floats. */
void picture_normalise(const struct picture_transform *t, const struct image *picture, float *out);

/* picture_train_image and picture_normalise: out is (3, t->height, t->width), the caller's buffer, undefined
 * on failure. */
ttt_status picture_train(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                         const struct decode_options *options, ttt_random *random, float *out, int *warnings)
    __attribute__((warn_unused_result));

/* picture_eval_image and picture_normalise, likewise. */
ttt_status picture_eval(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                        const struct decode_options *options, float *out, int *warnings)
    __attribute__((warn_unused_result));

#endif
