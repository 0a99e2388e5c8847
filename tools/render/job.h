/* One call of `ttt render`: what is asked for, what was chosen, what came out. */
#ifndef TOOLS_RENDER_JOB_H
#define TOOLS_RENDER_JOB_H

#include "eval/camera_path.h"
#include "eval/view_renderer.h"
#include "train/trained.h"

struct render_request {
    const char *scene, *out;
    enum camera_path path;
    int64_t inputs;          /* 0: as many as the config's evaluation takes */
    int64_t add;             /* further inputs, added to the scene that the others made */
    const char *views;       /* NULL, a number of views, or numbers with commas between */
    const char *size;        /* NULL: the config's; "HxW" or one side */
    int64_t tokens_per_pass; /* -1: the config's */
};

struct render_job {
    const struct render_request *request;
    struct trained *trained;
    struct scene scene;
    int height, width;
    int input_count, frame_count;
    uint32_t *inputs;       /* (input_count) positions in scene.views; the last request->add are added */
    uint32_t *targets;      /* (frame_count), for CAMERA_TARGETS; else NULL */
    struct camera *cameras; /* (frame_count) in the scene's coordinates */
    struct pose_frame frame;
    struct view_renderer renderer;
};

/* What came out; likeness is NULL unless the path leads over views of the scene. */
struct render_outcome {
    double reconstruct_seconds, add_seconds, render_seconds; /* of the scene; of all frames */
    struct render_likeness {
        double psnr, ssim;
    } * likeness;      /* (frame_count) */
    double psnr, ssim; /* means */
    char *video;       /* path of the film; owned */
};

/* Reads "64x96" (height x width), or "64" for both.  TTT_ARGUMENT. */
ttt_status render_read_size(const char *text, int *height, int *width) __attribute__((warn_unused_result));

/* Chooses inputs and the path's cameras, and their common frame; the scene is open.  TTT_ARGUMENT where the
 * scene has too few views, with both numbers. */
ttt_status render_choose(struct render_job *job) __attribute__((warn_unused_result));

/* Creates request->out, or clears it of the frames, sheet and cameras of a former rendering.  TTT_ARGUMENT
 * where the scene or its pictures lie there, or things that render did not write; TTT_IO. */
ttt_status render_prepare_folder(const struct render_job *job) __attribute__((warn_unused_result));

/* Reconstructs, renders, and writes frames/0000.png ..., sheet.png, opencv_cameras.json and the film into
 * request->out, which is prepared.  The caller frees the outcome with render_outcome_free, also after a
 * failure. */
ttt_status render_run(struct render_job *job, struct render_outcome *outcome)
    __attribute__((warn_unused_result));
void render_outcome_free(struct render_outcome *outcome);

#endif
