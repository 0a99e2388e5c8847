/* Kind resize: resampling, alone and after a crop; RGBA over white; the evaluation transform.
 *
 * What to do stands in the tensors' names: "out.bicubic_32x24", "out.lanczos_crop_X_Y_W_H_to_28x28",
 * "out.rgba_lanczos_24x18[_on_white]" (sizes are width x height), "out.val_uint8", "out.val_normalised_chw".
 */
#include "data/resample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/transform.h"
#include "tools/verify/kind.h"
#include "tools/verify/picture.h"

struct request {
    bool rgba, on_white, crop;
    enum resample_filter filter;
    struct rect part;
    int width, height; /* of the result */
};

/* Reads a request from a name without its "out."; false when it is none. */
static bool parse_request(const char *name, struct request *r)
{
    char filter[16];
    int at = 0;
    *r = (struct request){.rgba = !strncmp(name, "rgba_", 5)};
    if (r->rgba)
        name += 5;
    if (sscanf(name, "%15[a-z]_%n", filter, &at) != 1 || !at)
        return false;
    ttt_status status = resample_filter_parse(filter, &r->filter);
    ttt_status_free(status);
    if (status)
        return false;
    name += at;
    r->crop = !strncmp(name, "crop_", 5);
    at = 0;
    if (r->crop && (sscanf(name, "crop_%6d_%6d_%6d_%6d_to_%n", &r->part.x, &r->part.y, &r->part.width,
                           &r->part.height, &at) != 4 ||
                    !at))
        return false;
    name += at;
    at = 0;
    if (sscanf(name, "%6dx%6d%n", &r->width, &r->height, &at) != 2 || !at)
        return false;
    r->on_white = r->rgba && !strcmp(name + at, "_on_white");
    return r->on_white || !name[at];
}

/* Computes what is asked for. */
static ttt_status serve(const struct fixture *fixture, const struct request *r, struct image *out)
{
    struct image source = {0}, resized = {0};
    ttt_status status = TTT_OK;
    TRY_TO(picture_read(fixture, r->rgba ? "in.rgba" : "in.image", &source), cleanup);
    if (r->crop) {
        struct image part;
        if (!rect_within(&r->part, source.width, source.height))
            TRY_TO(ttt_fail(TTT_FORMAT, "the crop lies outside of the picture"), cleanup);
        TRY_TO(image_crop(&source, &r->part, &part), cleanup);
        image_free(&source);
        source = part;
    }
    TRY_TO(image_resize(&source, r->width, r->height, r->filter, &resized), cleanup);
    if (r->on_white) {
        TRY_TO(image_over_white(&resized, out), cleanup);
    } else {
        *out = resized;
        resized = (struct image){0};
    }
cleanup:
    image_free(&source);
    image_free(&resized);
    return status;
}

static ttt_status check_resize(const struct fixture *fixture, const safetensors_tensor *expected,
                               struct report *report)
{
    struct request request;
    struct image out;
    if (!parse_request(expected->name + strlen("out."), &request))
        return ttt_fail(TTT_FORMAT, "the name of tensor '%s' does not say how to resize", expected->name);
    TRY(picture_require(expected, request.height, request.width, request.rgba && !request.on_white ? 4 : 3));
    TRY(ttt_within(serve(fixture, &request, &out), "%s", expected->name));
    ttt_status status = picture_report(report, expected, &out);
    image_free(&out);
    return status;
}

static ttt_status check_normalised(const struct fixture *fixture, const struct picture_transform *t,
                                   const struct image *picture, struct report *report)
{
    const safetensors_tensor *expected;
    TRY(fixture_tensor(fixture, "", "out.val_normalised_chw", ttt_dims(3, t->height, t->width), &expected));
    float *values = malloc(image_bytes(picture) * sizeof *values);
    if (!values)
        return ttt_fail(TTT_MEMORY, "out of memory for '%s'", expected->name);
    picture_normalise(t, picture, values);
    ttt_status status = report_values(report, expected, values, VERIFY_OUTPUT);
    free(values);
    return status;
}

/* The evaluation transform, at the size that the expected picture has. */
static ttt_status check_evaluation(const struct fixture *fixture, struct report *report)
{
    const safetensors_tensor *expected;
    struct image source = {0}, out = {0};
    ttt_status status = TTT_OK;
    TRY(fixture_tensor_of_rank(fixture, "out.val_uint8", 3, &expected));
    TRY_TO(picture_read(fixture, "in.val", &source), cleanup);
    if (source.channels != 3 || expected->shape[0] > 65536 || expected->shape[1] > 65536)
        TRY_TO(ttt_fail(TTT_FORMAT, "'in.val' is not RGB, or 'out.val_uint8' too large"), cleanup);
    struct picture_transform t = picture_transform_default((int)expected->shape[0], (int)expected->shape[1]);
    TRY_TO(picture_eval_resize(&t, &source, &out), cleanup);
    TRY_TO(picture_report(report, expected, &out), cleanup);
    if (safetensors_find(fixture->file, "out.val_normalised_chw"))
        TRY_TO(check_normalised(fixture, &t, &out, report), cleanup);
cleanup:
    image_free(&source);
    image_free(&out);
    return status;
}

ttt_status verify_resize(const struct fixture *fixture, const struct verify_place *place,
                         struct report *report)
{
    (void)place;
    for (size_t i = 0; i < safetensors_count(fixture->file); i++) {
        const safetensors_tensor *tensor = safetensors_at(fixture->file, i);
        if (!strncmp(tensor->name, "out.", 4) && strncmp(tensor->name, "out.val_", 8))
            TRY(check_resize(fixture, tensor, report));
    }
    return safetensors_find(fixture->file, "out.val_uint8") ? check_evaluation(fixture, report) : TTT_OK;
}
