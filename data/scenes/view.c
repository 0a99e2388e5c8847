/* Loading views: resize to cover, cut the centre, and the intrinsics that go with it. */
#include "data/scenes/view.h"

#include <math.h>
#include <string.h>

#include "data/decode.h"
#include "data/resample.h"

/* How a picture is fitted: resized to width x height, of which a window is cut out. */
struct fit {
    int width, height, left, top;
};

static struct fit fit_of(const struct scene_view *view, int height, int width)
{
    double scale = fmax((double)width / view->width, (double)height / view->height);
    struct fit fit = {(int)rint(view->width * scale), (int)rint(view->height * scale), 0, 0};
    fit.width = fit.width < width ? width : fit.width;
    fit.height = fit.height < height ? height : fit.height;
    fit.left = (fit.width - width) / 2;
    fit.top = (fit.height - height) / 2;
    return fit;
}

/* Intrinsics of the whole picture without distortion. */
static ttt_status pinhole_of(const struct scene_view *view, double k[4])
{
    if (!distortion_is_none(&view->distortion))
        return ttt_within(distortion_pinhole(&view->distortion, view->fxfycxcy, view->width, view->height, k),
                          "%s", view->path);
    memcpy(k, view->fxfycxcy, sizeof view->fxfycxcy);
    return TTT_OK;
}

ttt_status view_intrinsics(const struct scene_view *view, int height, int width, double fxfycxcy[4])
{
    struct fit fit = fit_of(view, height, width);
    double k[4], x = (double)fit.width / view->width, y = (double)fit.height / view->height;
    TRY(pinhole_of(view, k));
    fxfycxcy[0] = k[0] * x;
    fxfycxcy[1] = k[1] * y;
    fxfycxcy[2] = k[2] * x - fit.left;
    fxfycxcy[3] = k[3] * y - fit.top;
    return TTT_OK;
}

/* The picture, at its own size and without distortion: RGB or RGBA. */
static ttt_status decode(const struct scene_view *view, struct image *out)
{
    struct decode_options options = decode_options_default();
    struct image distorted;
    double pinhole[4];
    options.keep_alpha = true;
    TRY(image_decode_file(view->path, &options, out, NULL));
    if (out->width != view->width || out->height != view->height) {
        ttt_status status = ttt_fail(TTT_FORMAT, "%s: has %dx%d pixels, but had %dx%d before", view->path,
                                     out->width, out->height, view->width, view->height);
        image_free(out);
        return status;
    }
    if (distortion_is_none(&view->distortion))
        return TTT_OK;
    distorted = *out;
    *out = (struct image){0};
    ttt_status status = pinhole_of(view, pinhole);
    if (!status)
        status = image_undistort(&distorted, &view->distortion, view->fxfycxcy, pinhole, out);
    image_free(&distorted);
    return status;
}

static ttt_status resize(const struct image *picture, const struct fit *fit, int height, int width,
                         struct image *out)
{
    struct resample_axis x = {0}, y = {0};
    ttt_status status;
    TRY_TO(resample_axis_new(RESAMPLE_LANCZOS, picture->width, fit->width, fit->left, width, &x), cleanup);
    TRY_TO(resample_axis_new(RESAMPLE_LANCZOS, picture->height, fit->height, fit->top, height, &y), cleanup);
    status = image_resample(picture, 0, 0, &x, &y, out);
cleanup:
    resample_axis_free(&x);
    resample_axis_free(&y);
    return status;
}

ttt_status view_load(const struct scene_view *view, int height, int width, struct image *out)
{
    struct fit fit = fit_of(view, height, width);
    struct image picture = {0}, resized = {0};
    ttt_status status;
    *out = (struct image){0};
    TRY_TO(decode(view, &picture), cleanup);
    if (fit.width == picture.width && fit.height == picture.height)
        TRY_TO(image_crop(&picture, &(struct rect){fit.left, fit.top, width, height}, &resized), cleanup);
    else
        TRY_TO(resize(&picture, &fit, height, width, &resized), cleanup);
    status = image_over_white(&resized, out);
cleanup:
    image_free(&picture);
    image_free(&resized);
    return status;
}

void view_to_floats(const uint8_t *pixels, int height, int width, float *out)
{
    size_t count = (size_t)height * (size_t)width;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < count; i++)
            out[c * count + i] = (float)pixels[3 * i + c] / 255.0f;
}
