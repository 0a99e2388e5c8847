/* Animated WebP with libwebp. */
#include <stdlib.h>
#include <string.h>

#include <webp/encode.h>
#include <webp/mux.h>

#include "data/image_write.h"
#include "data/video_internal.h"

struct webp {
    WebPAnimEncoder *encoder;
    WebPConfig config;
    int rate;
    int64_t count;
};

ttt_status webp_start(int width, int height, int rate, struct webp **out)
{
    WebPAnimEncoderOptions options;
    *out = NULL;
    struct webp *webp = calloc(1, sizeof *webp);
    if (!webp || !WebPConfigInit(&webp->config) || !WebPAnimEncoderOptionsInit(&options)) {
        free(webp);
        return ttt_fail(TTT_MEMORY, "not enough memory for a film");
    }
    webp->rate = rate;
    webp->config.quality = 85;
    /* A key picture now and then, for players that jump. */
    options.kmin = 9;
    options.kmax = 17;
    webp->encoder = WebPAnimEncoderNew(width, height, &options);
    if (!webp->encoder) {
        free(webp);
        return ttt_fail(TTT_MEMORY, "not enough memory for a film of %dx%d pixels", width, height);
    }
    *out = webp;
    return TTT_OK;
}

/* When picture `number` is shown, in milliseconds. */
static int time_of(const struct webp *webp, int64_t number)
{
    return (int)(number * 1000 / webp->rate);
}

ttt_status webp_add(struct webp *webp, const struct image *picture)
{
    WebPPicture frame;
    if (!WebPPictureInit(&frame))
        return ttt_fail(TTT_UNSUPPORTED, "libwebp has another version than its headers");
    frame.width = picture->width;
    frame.height = picture->height;
    frame.use_argb = 1;
    bool added = WebPPictureImportRGB(&frame, picture->pixels, 3 * picture->width) &&
                 WebPAnimEncoderAdd(webp->encoder, &frame, time_of(webp, webp->count), &webp->config);
    WebPPictureFree(&frame);
    webp->count++;
    if (added)
        return TTT_OK;
    return ttt_fail(TTT_MEMORY, "picture %lld cannot be encoded: %s", (long long)webp->count,
                    WebPAnimEncoderGetError(webp->encoder));
}

ttt_status webp_finish(struct webp *webp, const char *path)
{
    WebPData data;
    WebPDataInit(&data);
    ttt_status status;
    if (WebPAnimEncoderAdd(webp->encoder, NULL, time_of(webp, webp->count), NULL) &&
        WebPAnimEncoderAssemble(webp->encoder, &data))
        status = file_write(path, data.bytes, data.size);
    else
        status =
            ttt_fail(TTT_MEMORY, "the film cannot be completed: %s", WebPAnimEncoderGetError(webp->encoder));
    WebPDataClear(&data);
    webp_cancel(webp);
    return status;
}

void webp_cancel(struct webp *webp)
{
    WebPAnimEncoderDelete(webp->encoder);
    free(webp);
}
