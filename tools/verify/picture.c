/* Pictures in fixtures. */
#include "tools/verify/picture.h"

#include <string.h>

/* A side of a picture; the tensor's bytes bound their product. */
enum { SIDE_MAX = 1 << 20 };

ttt_status picture_read(const struct fixture *fixture, const char *name, struct image *image)
{
    const safetensors_tensor *t;
    TRY(fixture_tensor_of_rank(fixture, name, 3, &t));
    if (t->dtype != SAFETENSORS_U8 || t->shape[0] > SIDE_MAX || t->shape[1] > SIDE_MAX ||
        (t->shape[2] != 3 && t->shape[2] != 4))
        return ttt_fail(TTT_FORMAT, "tensor '%s' is not U8, (height, width, 3 or 4)", name);
    TRY(image_new((int)t->shape[1], (int)t->shape[0], (int)t->shape[2], image));
    memcpy(image->pixels, t->data, t->bytes);
    return TTT_OK;
}

ttt_status picture_require(const safetensors_tensor *tensor, int height, int width, int channels)
{
    if (tensor->rank != 3 || tensor->dtype != SAFETENSORS_U8 || tensor->shape[0] != height ||
        tensor->shape[1] != width || tensor->shape[2] != channels)
        return ttt_fail(TTT_FORMAT, "tensor '%s' is not U8, (%d, %d, %d)", tensor->name, height, width,
                        channels);
    return TTT_OK;
}

ttt_status picture_report(struct report *report, const safetensors_tensor *expected,
                          const struct image *image)
{
    TRY(picture_require(expected, image->height, image->width, image->channels));
    return report_bytes(report, expected, image->pixels);
}
