/* Films: choosing a format, naming the file, and making it appear whole. */
#include "data/video.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/video_internal.h"

/* The largest side of a WebP picture. */
enum { SIDE_MAX = 16383 };

struct video {
    char *path, *hidden; /* the file, and what it is called until it is complete */
    int width, height;
    int64_t count;
    struct ffmpeg *ffmpeg; /* one of the two */
    struct webp *webp;
};

bool video_has_ffmpeg(void)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        char *file;
        if (asprintf(&file, "%.*s/ffmpeg", (int)length, path) < 0)
            return false;
        bool found = length > 0 && access(file, X_OK) == 0;
        free(file);
        if (found)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static void free_video(struct video *video)
{
    free(video->path);
    free(video->hidden);
    free(video);
}

/* FOLDER/.NAME.part.EXTENSION stands beside the file; ffmpeg goes by the extension. */
static bool name_files(struct video *video, const char *stem, const char *extension)
{
    const char *slash = strrchr(stem, '/'), *name = slash ? slash + 1 : stem;
    if (asprintf(&video->path, "%s.%s", stem, extension) < 0) {
        video->path = NULL;
        return false;
    }
    if (asprintf(&video->hidden, "%.*s.%s.part.%s", (int)(name - stem), stem, name, extension) >= 0)
        return true;
    video->hidden = NULL;
    return false;
}

ttt_status video_open(const char *stem, enum video_format format, int width, int height, int rate,
                      struct video **out)
{
    *out = NULL;
    if (width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX)
        return ttt_fail(TTT_ARGUMENT, "%s: a film of %dx%d pixels: both sides must be 1 to %d", stem, width,
                        height, SIDE_MAX);
    if (rate < 1 || rate > 120)
        return ttt_fail(TTT_ARGUMENT, "%s: %d pictures a second: must be 1 to 120", stem, rate);
    bool mp4 = format == VIDEO_MP4 || (format == VIDEO_AUTO && video_has_ffmpeg());
    if (mp4 && !video_has_ffmpeg())
        return ttt_fail(TTT_UNSUPPORTED, "%s.mp4: ffmpeg is not installed; install it, or write WebP", stem);
    struct video *video = calloc(1, sizeof *video);
    if (!video)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory for a film", stem);
    video->width = width;
    video->height = height;
    ttt_status status;
    if (!name_files(video, stem, mp4 ? "mp4" : "webp"))
        status = ttt_fail(TTT_MEMORY, "%s: not enough memory for a film", stem);
    else if (mp4)
        status = ffmpeg_start(video->hidden, width, height, rate, &video->ffmpeg);
    else
        status = webp_start(width, height, rate, &video->webp);
    if (status)
        free_video(video);
    else
        *out = video;
    return status;
}

ttt_status video_add(struct video *video, const struct image *picture)
{
    if (picture->width != video->width || picture->height != video->height || picture->channels != 3)
        return ttt_fail(TTT_SHAPE, "%s: a picture of %dx%dx%d in a film of %dx%dx3", video->path,
                        picture->width, picture->height, picture->channels, video->width, video->height);
    video->count++;
    ttt_status status = video->ffmpeg ? ffmpeg_add(video->ffmpeg, picture) : webp_add(video->webp, picture);
    return ttt_within(status, "%s", video->path);
}

const char *video_path(const struct video *video)
{
    return video->path;
}

ttt_status video_close(struct video *video)
{
    ttt_status status;
    if (video->count == 0) {
        status = ttt_fail(TTT_ARGUMENT, "%s: a film needs at least one picture", video->path);
        video_cancel(video);
        return status;
    }
    if (video->ffmpeg)
        status = ffmpeg_finish(video->ffmpeg);
    else
        status = webp_finish(video->webp, video->hidden);
    if (!status && rename(video->hidden, video->path))
        status = ttt_fail(TTT_IO, "cannot be written: %s", strerror(errno));
    if (status)
        unlink(video->hidden);
    status = ttt_within(status, "%s", video->path);
    free_video(video);
    return status;
}

void video_cancel(struct video *video)
{
    if (!video)
        return;
    if (video->ffmpeg)
        ffmpeg_cancel(video->ffmpeg);
    if (video->webp)
        webp_cancel(video->webp);
    unlink(video->hidden);
    free_video(video);
}
