/* Pictures as a film: mp4 where the program ffmpeg is installed, else animated WebP. */
#ifndef DATA_VIDEO_H
#define DATA_VIDEO_H

#include "data/image.h"
#include "ttt/base/status.h"

enum video_format {
    VIDEO_AUTO, /* mp4 where ffmpeg is found in PATH, else WebP */
    VIDEO_MP4,  /* H.264, yuv420p, quality 18: what every player shows */
    VIDEO_WEBP, /* animated, lossy, quality 85, endless */
};

struct video;

/* Starts a film of width x height RGB pictures, `rate` of them a second.
 *
 * stem  the path without extension: .mp4 or .webp is added; the file appears when the film is closed
 *
 * TTT_ARGUMENT     a size outside 1 .. 16383 or a rate outside 1 .. 120
 * TTT_UNSUPPORTED  VIDEO_MP4 without ffmpeg
 * TTT_IO           ffmpeg cannot be started;  TTT_MEMORY
 * The caller ends it with video_close or video_cancel. */
ttt_status video_open(const char *stem, enum video_format format, int width, int height, int rate,
                      struct video **out) __attribute__((warn_unused_result));

/* Adds a picture.  TTT_SHAPE when its size is another; TTT_IO with ffmpeg's own words when it has failed. */
ttt_status video_add(struct video *video, const struct image *picture) __attribute__((warn_unused_result));

/* The path of the file; it lives as long as the film. */
const char *video_path(const struct video *video);

/* Completes the file and frees the film, also when it fails.  TTT_ARGUMENT without any picture; TTT_IO, with
 * the path. */
ttt_status video_close(struct video *video) __attribute__((warn_unused_result));

/* Frees the film and leaves no file; NULL is allowed. */
void video_cancel(struct video *video);

/* Whether ffmpeg is found in PATH. */
bool video_has_ffmpeg(void);

#endif
