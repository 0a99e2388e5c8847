/* Training and evaluation transforms of one picture. */
#include "data/transform.h"

#include <assert.h>
#include <math.h>

struct picture_transform picture_transform_default(int height, int width)
{
    return (struct picture_transform){
        .height = height,
        .width = width,
        .filter = RESAMPLE_BICUBIC,
        .area_min = 0.08,
        .area_max = 1,
        .ratio_min = 3.0 / 4,
        .ratio_max = 4.0 / 3,
        .flip = 0.5,
        .eval_crop = EVAL_CROP_CENTRE,
        .eval_ratio = 256.0 / 224,
        .mean = {0.485, 0.456, 0.406},
        .deviation = {0.229, 0.224, 0.225},
    };
}

ttt_status picture_transform_check(const struct picture_transform *t)
{
    if (t->width < 1 || t->height < 1)
        return ttt_fail(TTT_ARGUMENT, "a picture size of %dx%d pixels: both must be 1 or more", t->width,
                        t->height);
    if (!(t->area_min > 0 && t->area_min <= t->area_max && t->area_max <= 1))
        return ttt_fail(TTT_ARGUMENT, "a crop area of %g to %g: must rise within 0 (not itself) to 1",
                        t->area_min, t->area_max);
    if (!(t->ratio_min > 0 && t->ratio_min <= t->ratio_max && isfinite(t->ratio_max)))
        return ttt_fail(TTT_ARGUMENT, "a crop aspect ratio of %g to %g: must rise from above 0", t->ratio_min,
                        t->ratio_max);
    if (!(t->flip >= 0 && t->flip <= 1))
        return ttt_fail(TTT_ARGUMENT, "a flip probability of %g: must be in 0 to 1", t->flip);
    if (!(t->eval_ratio >= 1 && t->eval_ratio <= 16))
        return ttt_fail(TTT_ARGUMENT, "an evaluation ratio of %g: must be in 1 to 16", t->eval_ratio);
    for (int c = 0; c < 3; c++)
        if (!(t->deviation[c] > 0 && isfinite(t->deviation[c]) && isfinite(t->mean[c])))
            return ttt_fail(TTT_ARGUMENT, "a mean of %g and a deviation of %g: the deviation must be above 0",
                            t->mean[c], t->deviation[c]);
    return TTT_OK;
}

/* Rounded to nearest, halves to even, as Python's round(). */
static int round_even(double x)
{
    return (int)nearbyint(x);
}

/* The largest centred crop whose aspect ratio is permitted. */
static struct rect central_crop(const struct picture_transform *t, int width, int height)
{
    double ratio = (double)width / height;
    struct rect crop = {0, 0, width, height};
    if (ratio < t->ratio_min)
        crop.height = round_even(width / t->ratio_min);
    else if (ratio > t->ratio_max)
        crop.width = round_even(height * t->ratio_max);
    crop.width = crop.width < 1 ? 1 : crop.width > width ? width : crop.width;
    crop.height = crop.height < 1 ? 1 : crop.height > height ? height : crop.height;
    crop.x = (width - crop.width) / 2;
    crop.y = (height - crop.height) / 2;
    return crop;
}

struct rect random_crop(const struct picture_transform *t, int width, int height, ttt_random *random)
{
    double log_min = log(t->ratio_min), log_max = log(t->ratio_max);
    for (int attempt = 0; attempt < 10; attempt++) {
        double share = t->area_min + (t->area_max - t->area_min) * ttt_random_uniform(random);
        double area = share * width * height;
        double ratio = exp(log_min + (log_max - log_min) * ttt_random_uniform(random));
        double w = nearbyint(sqrt(area * ratio)), h = nearbyint(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > width || h > height)
            continue;
        struct rect crop = {0, 0, (int)w, (int)h};
        crop.y = (int)ttt_random_below(random, (uint32_t)(height - crop.height) + 1);
        crop.x = (int)ttt_random_below(random, (uint32_t)(width - crop.width) + 1);
        return crop;
    }
    return central_crop(t, width, height);
}

ttt_status picture_train_image(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                               const struct decode_options *options, ttt_random *random, struct image *out,
                               int *warnings)
{
    int width, height;
    struct image crop;
    struct decode_options rgb = *options;
    rgb.keep_alpha = false;
    *out = (struct image){0};
    TRY(image_size(bytes, size, &rgb, &width, &height));
    struct rect part = random_crop(t, width, height, random);
    bool flip = ttt_random_uniform(random) < t->flip;
    TRY(image_decode(bytes, size, &part, &rgb, &crop, warnings));
    ttt_status status = image_resize(&crop, t->width, t->height, t->filter, out);
    image_free(&crop);
    if (!status && flip)
        image_flip(out);
    return status;
}

/* How a (height, width) picture is resized and cut for evaluation. */
struct fit {
    int width, height; /* resized to this */
    int left, top;     /* and cut from here on */
};

/* The resized picture covers int(size * eval_ratio) on both sides and meets it on one. */
static struct fit eval_fit(const struct picture_transform *t, int width, int height)
{
    if (t->eval_crop == EVAL_CROP_NONE)
        return (struct fit){t->width, t->height, 0, 0};
    /* 224 * (256.0 / 224) must not fall to 255 by rounding. */
    int64_t to_width = (int64_t)(t->width * t->eval_ratio + 1e-6);
    int64_t to_height = (int64_t)(t->height * t->eval_ratio + 1e-6);
    if (width * to_height >= height * to_width)
        to_width = to_height * width / height;
    else
        to_height = to_width * height / width;
    return (struct fit){(int)to_width, (int)to_height, round_even((double)(to_width - t->width) / 2),
                        round_even((double)(to_height - t->height) / 2)};
}

static ttt_status eval_axes(const struct picture_transform *t, int width, int height, struct resample_axis *x,
                            struct resample_axis *y)
{
    struct fit fit = eval_fit(t, width, height);
    *y = (struct resample_axis){0};
    TRY(resample_axis_new(t->filter, width, fit.width, fit.left, t->width, x));
    ttt_status status = resample_axis_new(t->filter, height, fit.height, fit.top, t->height, y);
    if (status)
        resample_axis_free(x);
    return status;
}

ttt_status picture_eval_image(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                              const struct decode_options *options, struct image *out, int *warnings)
{
    int width, height;
    struct resample_axis x, y;
    struct image part = {0};
    struct decode_options rgb = *options;
    rgb.keep_alpha = false;
    *out = (struct image){0};
    TRY(image_size(bytes, size, &rgb, &width, &height));
    TRY(eval_axes(t, width, height, &x, &y));
    struct rect needed = {x.in_first, y.in_first, x.in_end - x.in_first, y.in_end - y.in_first};
    ttt_status status = image_decode(bytes, size, &needed, &rgb, &part, warnings);
    if (!status)
        status = image_resample(&part, needed.x, needed.y, &x, &y, out);
    image_free(&part);
    resample_axis_free(&y);
    resample_axis_free(&x);
    return status;
}

ttt_status picture_eval_resize(const struct picture_transform *t, const struct image *picture,
                               struct image *out)
{
    struct resample_axis x, y;
    *out = (struct image){0};
    TRY(eval_axes(t, picture->width, picture->height, &x, &y));
    ttt_status status = image_resample(picture, 0, 0, &x, &y, out);
    resample_axis_free(&y);
    resample_axis_free(&x);
    return status;
}

void picture_normalise(const struct picture_transform *t, const struct image *picture, float *out)
{
    assert(picture->channels == 3);
    float table[3][256];
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++)
            table[c][i] = (float)((i / 255.0 - t->mean[c]) / t->deviation[c]);
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < pixels; i++)
            out[c * pixels + i] = table[c][picture->pixels[3 * i + c]];
}

ttt_status picture_train(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                         const struct decode_options *options, ttt_random *random, float *out, int *warnings)
{
    struct image picture;
    TRY(picture_train_image(t, bytes, size, options, random, &picture, warnings));
    picture_normalise(t, &picture, out);
    image_free(&picture);
    return TTT_OK;
}

ttt_status picture_eval(const struct picture_transform *t, const uint8_t *bytes, size_t size,
                        const struct decode_options *options, float *out, int *warnings)
{
    struct image picture;
    TRY(picture_eval_image(t, bytes, size, options, &picture, warnings));
    picture_normalise(t, &picture, out);
    image_free(&picture);
    return TTT_OK;
}
