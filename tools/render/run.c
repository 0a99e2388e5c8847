/* Reconstruction, rendering frame after frame, and the files. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_write.h"
#include "data/made_folder.h"
#include "data/video.h"
#include "eval/metrics.h"
#include "eval/sheet.h"
#include "tools/render/job.h"
#include "ttt/base/clock.h"

enum {
    SHEET_ACROSS = 8,
    SHEET_INPUTS = 16,
    ERROR_FACTOR = 4,
    PATH_RATE = 24,
    TARGET_RATE = 4,
    SSIM_LEAST = 11
};

struct output {
    struct render_job *job;
    struct render_outcome *outcome;
    struct video *video;
    struct image picture; /* (height, width, 3) */
    size_t values;        /* floats of a picture */
    float *pictures;      /* (at_once, 3, height, width) as rendered */
    float *cameras;       /* (at_once, 4) and (at_once, 4, 4) */
    float *truth;         /* (3, height, width) */
    double *doubles;      /* (2, height, width, 3), for likeness */
    int shown;            /* frames on the sheet */
    float *sheet;         /* (3, shown, 3, height, width): rendered, truth, error */
    float *given;         /* (input_count, 3, height, width) */
};

static ttt_status no_memory(const struct output *o)
{
    return ttt_fail(TTT_MEMORY, "not enough memory for pictures of %dx%d pixels", o->job->width,
                    o->job->height);
}

static ttt_status open_output(struct output *o)
{
    const struct render_job *job = o->job;
    const size_t at_once = (size_t)job->renderer.options.at_once;
    char path[PATH_MAX];
    o->values = (size_t)3 * (size_t)job->height * (size_t)job->width;
    o->shown = job->frame_count < SHEET_ACROSS ? job->frame_count : SHEET_ACROSS;
    TRY(image_new(job->width, job->height, 3, &o->picture));
    o->pictures = calloc(at_once * o->values, sizeof *o->pictures);
    o->cameras = calloc(at_once * 20, sizeof *o->cameras);
    o->truth = calloc(o->values, sizeof *o->truth);
    o->doubles = calloc(2 * o->values, sizeof *o->doubles);
    o->sheet = calloc(3 * (size_t)o->shown * o->values, sizeof *o->sheet);
    if (job->targets)
        o->outcome->likeness = calloc((size_t)job->frame_count, sizeof *o->outcome->likeness);
    if (!o->pictures || !o->cameras || !o->truth || !o->doubles || !o->sheet ||
        (job->targets && !o->outcome->likeness))
        return no_memory(o);
    TRY(made_path(path, "%s/%s", job->request->out, camera_path_name(job->request->path)));
    return video_open(path, VIDEO_AUTO, job->width, job->height, job->targets ? TARGET_RATE : PATH_RATE,
                      &o->video);
}

static void close_output(struct output *o)
{
    video_cancel(o->video);
    image_free(&o->picture);
    free(o->pictures);
    free(o->cameras);
    free(o->truth);
    free(o->doubles);
    free(o->sheet);
    free(o->given);
}

/* The part of `block` that begins at its view `first`. */
static struct view_block from_view(const struct view_block *block, size_t first, size_t values)
{
    return (struct view_block){.images = block->images + first * values,
                               .fxfycxcy = block->fxfycxcy + first * 4,
                               .c2w = block->c2w + first * 16};
}

/* Turns the inputs into the scene's state, in one or two portions, and takes the times. */
static ttt_status show_inputs(struct output *o, const struct view_block *inputs)
{
    struct view_renderer *renderer = &o->job->renderer;
    const struct view_block added = from_view(inputs, (size_t)renderer->options.inputs, o->values);
    TRY(view_renderer_prepare(renderer));
    const double began = ttt_seconds();
    TRY(view_renderer_reconstruct(renderer, inputs));
    o->outcome->reconstruct_seconds = ttt_seconds() - began;
    if (!renderer->options.added)
        return TTT_OK;
    TRY(view_renderer_add(renderer, &added));
    o->outcome->add_seconds = ttt_seconds() - began - o->outcome->reconstruct_seconds;
    return TTT_OK;
}

/* Loads the inputs, and turns them into the scene's state. */
static ttt_status reconstruct(struct output *o)
{
    struct render_job *job = o->job;
    const size_t count = (size_t)job->input_count;
    float *cameras = calloc(count * 20, sizeof *cameras);
    o->given = calloc(count * o->values, sizeof *o->given);
    ttt_status status;
    if (!cameras || !o->given) {
        free(cameras);
        return no_memory(o);
    }
    const struct view_block block = {.images = o->given, .fxfycxcy = cameras, .c2w = cameras + 4 * count};
    TRY_TO(view_block_load(&job->scene, job->inputs, job->input_count, &job->frame, job->height, job->width,
                           NULL, &block),
           cleanup);
    status = show_inputs(o, &block);
cleanup:
    free(cameras);
    return status;
}

static ttt_status render(struct output *o, int first, int count)
{
    const struct render_job *job = o->job;
    float *intrinsics = o->cameras, *poses = o->cameras + (ptrdiff_t)4 * count;
    for (int i = 0; i < count; i++) {
        const struct camera *camera = &job->cameras[first + i];
        const struct pose seen = pose_in_frame(&job->frame, &camera->c2w);
        for (int k = 0; k < 4; k++)
            intrinsics[4 * i + k] = (float)camera->fxfycxcy[k];
        for (int k = 0; k < 16; k++)
            poses[16 * i + k] = (float)seen.m[k / 4][k % 4];
    }
    const double began = ttt_seconds();
    TRY(view_renderer_render(&o->job->renderer, intrinsics, poses, count, o->pictures));
    o->outcome->render_seconds += ttt_seconds() - began;
    return TTT_OK;
}

/* (3, h, w) to (h, w, 3) in double, clamped to [0, 1]. */
static void to_doubles(const float *picture, size_t pixels, double *out)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            out[3 * i + c] = fmin(1, fmax(0, (double)picture[c * pixels + i]));
}

static ttt_status compare(struct output *o, int frame, const float *picture)
{
    const struct render_job *job = o->job;
    float camera[20];
    const struct view_block block = {.images = o->truth, .fxfycxcy = camera, .c2w = camera + 4};
    struct render_likeness *likeness = &o->outcome->likeness[frame];
    TRY(view_block_load(&job->scene, &job->targets[frame], 1, &job->frame, job->height, job->width, NULL,
                        &block));
    to_doubles(picture, o->values / 3, o->doubles);
    to_doubles(o->truth, o->values / 3, o->doubles + o->values);
    likeness->psnr = metrics_psnr(o->doubles, o->doubles + o->values, (int64_t)o->values);
    likeness->ssim = NAN;
    if (job->height >= SSIM_LEAST && job->width >= SSIM_LEAST)
        TRY(metrics_ssim(o->doubles, o->doubles + o->values, job->height, job->width, 3, &likeness->ssim));
    o->outcome->psnr += likeness->psnr / job->frame_count;
    o->outcome->ssim += likeness->ssim / job->frame_count;
    return TTT_OK;
}

/* Which frame has place i on the sheet. */
static int frame_shown(const struct output *o, int i)
{
    return (int)((int64_t)i * o->job->frame_count / o->shown);
}

static void show_on_sheet(struct output *o, int frame, const float *picture)
{
    const size_t row = (size_t)o->shown * o->values;
    for (int i = 0; i < o->shown; i++) {
        if (frame_shown(o, i) != frame)
            continue;
        float *at = o->sheet + (size_t)i * o->values;
        memcpy(at, picture, o->values * sizeof *at);
        memcpy(at + row, o->truth, o->values * sizeof *at);
        for (size_t k = 0; k < o->values; k++)
            at[2 * row + k] = ERROR_FACTOR * fabsf(picture[k] - o->truth[k]);
    }
}

static ttt_status keep_frame(struct output *o, int frame, const float *picture)
{
    const struct render_job *job = o->job;
    char path[PATH_MAX];
    for (size_t k = 0; k < o->values; k++)
        if (!isfinite(picture[k]))
            return ttt_fail(TTT_NUMERIC, "frame %d: the model's answer is not a number", frame);
    if (job->targets)
        TRY(compare(o, frame, picture));
    show_on_sheet(o, frame, picture);
    picture_to_bytes(picture, job->height, job->width, o->picture.pixels);
    TRY(made_path(path, "%s/frames/%04d.png", job->request->out, frame));
    TRY(image_write_png(path, &o->picture));
    return video_add(o->video, &o->picture);
}

static ttt_status render_frames(struct output *o)
{
    const int at_once = o->job->renderer.options.at_once, count = o->job->frame_count;
    for (int first = 0; first < count; first += at_once) {
        const int part = count - first < at_once ? count - first : at_once;
        TRY(render(o, first, part));
        for (int i = 0; i < part; i++)
            TRY(keep_frame(o, first + i, o->pictures + (size_t)i * o->values));
    }
    return TTT_OK;
}

static ttt_status write_sheet(struct output *o)
{
    const struct render_job *job = o->job;
    const size_t row = (size_t)o->shown * o->values;
    char path[PATH_MAX], error[32];
    struct image sheet;
    snprintf(error, sizeof error, "error x%d", ERROR_FACTOR);
    const struct sheet_row rows[] = {
        {"inputs", o->given, job->input_count < SHEET_INPUTS ? job->input_count : SHEET_INPUTS},
        {"rendered", o->sheet, o->shown},
        {"truth", o->sheet + row, o->shown},
        {error, o->sheet + 2 * row, o->shown},
    };
    TRY(made_path(path, "%s/sheet.png", job->request->out));
    TRY(sheet_draw(rows, job->targets ? 4 : 2, job->height, job->width, SHEET_ACROSS, &sheet));
    ttt_status status = image_write_png(path, &sheet);
    image_free(&sheet);
    return status;
}

static ttt_status finish_video(struct output *o)
{
    struct video *video = o->video;
    if (!(o->outcome->video = strdup(video_path(video))))
        return no_memory(o);
    o->video = NULL;
    return video_close(video);
}

static ttt_status run(struct output *o)
{
    const struct render_job *job = o->job;
    char path[PATH_MAX];
    TRY(open_output(o));
    TRY(reconstruct(o));
    TRY(render_frames(o));
    TRY(write_sheet(o));
    TRY(made_path(path, "%s/opencv_cameras.json", job->request->out));
    TRY(cameras_write(path, job->cameras, job->frame_count, job->height, job->width, "frames"));
    return finish_video(o);
}

ttt_status render_run(struct render_job *job, struct render_outcome *outcome)
{
    struct output o = {.job = job, .outcome = outcome};
    *outcome = (struct render_outcome){0};
    ttt_status status = run(&o);
    close_output(&o);
    return status;
}

void render_outcome_free(struct render_outcome *outcome)
{
    free(outcome->likeness);
    free(outcome->video);
    *outcome = (struct render_outcome){0};
}
