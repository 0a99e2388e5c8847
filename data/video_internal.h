/* The two ways of writing a film, which video.c chooses from. */
#ifndef DATA_VIDEO_INTERNAL_H
#define DATA_VIDEO_INTERNAL_H

#include "data/video.h"

/* Starts ffmpeg, which reads raw RGB from a pipe and writes `path`. */
struct ffmpeg;
ttt_status ffmpeg_start(const char *path, int width, int height, int rate, struct ffmpeg **out)
    __attribute__((warn_unused_result));
ttt_status ffmpeg_add(struct ffmpeg *ffmpeg, const struct image *picture) __attribute__((warn_unused_result));
/* Waits for ffmpeg and frees it; its complaint is the error. */
ttt_status ffmpeg_finish(struct ffmpeg *ffmpeg) __attribute__((warn_unused_result));
/* Stops ffmpeg and frees it. */
void ffmpeg_cancel(struct ffmpeg *ffmpeg);

/* Collects an animated WebP in memory. */
struct webp;
ttt_status webp_start(int width, int height, int rate, struct webp **out) __attribute__((warn_unused_result));
ttt_status webp_add(struct webp *webp, const struct image *picture) __attribute__((warn_unused_result));
/* Writes the file and frees the film. */
ttt_status webp_finish(struct webp *webp, const char *path) __attribute__((warn_unused_result));
void webp_cancel(struct webp *webp);

#endif
