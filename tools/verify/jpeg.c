/* Kind jpeg: the bytes of in.NAME are a JPEG file, out.NAME its pixels as RGB. */
#include <stdio.h>
#include <string.h>

#include "data/decode.h"
#include "tools/verify/kind.h"
#include "tools/verify/picture.h"

static ttt_status check_one(const struct fixture *fixture, const safetensors_tensor *expected,
                            struct report *report)
{
    const safetensors_tensor *file;
    const struct decode_options options = decode_options_default();
    struct image image;
    char name[256];
    snprintf(name, sizeof name, "in.%s", expected->name + strlen("out."));
    TRY(fixture_tensor_of_rank(fixture, name, 1, &file));
    if (file->dtype != SAFETENSORS_U8)
        return ttt_fail(TTT_FORMAT, "tensor '%s' is not U8", name);
    TRY(ttt_within(image_decode(file->data, file->bytes, NULL, &options, &image, NULL), "%s", name));
    ttt_status status = picture_report(report, expected, &image);
    image_free(&image);
    return status;
}

ttt_status verify_jpeg(const struct fixture *fixture, const struct verify_place *place, struct report *report)
{
    (void)place;
    for (size_t i = 0; i < safetensors_count(fixture->file); i++) {
        const safetensors_tensor *tensor = safetensors_at(fixture->file, i);
        if (!strncmp(tensor->name, "out.", 4))
            TRY(check_one(fixture, tensor, report));
    }
    return TTT_OK;
}
