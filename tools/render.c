/* ttt render: a scene's fast weights once, and then pictures from any camera. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/device_options.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/render/job.h"
#include "train/config/device.h"

static const char help[] =
    "usage: ttt render RUN|CONFIG SCENE --out DIR [key=value ...] [--inputs N] [--add M] [--path PATH]\n"
    "                  [--views WHICH] [--size HxW] [--tokens-per-pass N] [--weights FILE]\n"
    "                  [--checkpoint WHICH] [--device NAME] [--dtype TYPE] [--json]\n"
    "\n"
    "Shows posed pictures of SCENE to a trained model of task: views, once, and renders the scene from "
    "other\n"
    "cameras.  SCENE is an opencv_cameras.json, a transforms.json, or a folder with one.  Inputs are spread\n"
    "evenly over the views that eval.views.inputs leaves.\n"
    "\n"
    "  --out DIR            where everything is written: a new folder, or that of a former rendering, whose\n"
    "                       frames, sheet and cameras make way\n"
    "  --inputs N           how many views the model is given; else as many as in the config's evaluation\n"
    "  --add M              M further views, added to what the first N left without starting over; the\n"
    "                       pictures are those of --inputs N+M, to rounding; a model whose variant or depth\n"
    "                       cannot give that is refused with the reason\n"
    "  --path targets       views of the scene that were not given, compared with their pictures (default)\n"
    "  --path turntable     once around the point that the inputs look at, at their mean distance and "
    "height\n"
    "  --path interpolate   from each input to the next: rotations by slerp, centres along straight lines\n"
    "  --views N            how many views; 72 along a path, and as the config says for targets\n"
    "  --views 3,7,11       targets: these views, by their number in the scene's file ('3,' for one); they "
    "are\n"
    "                       not among the inputs\n"
    "  --size HxW           height x width of every picture in pixels, multiples of the patch; one number "
    "for\n"
    "                       a square; else the config's\n"
    "  --tokens-per-pass N  tokens whose intermediates a reconstruction holds at one time, at least a "
    "view's;\n"
    "                       0: all.  Less memory for more time; the pictures differ by rounding alone\n"
    "  --weights FILE       a safetensors file with the published names\n"
    "  --checkpoint WHICH   best, latest or a step; left out: the best, or the latest where none is\n"
    "  --device NAME        cpu, cuda or cuda:1: short for device.name=NAME\n"
    "  --dtype TYPE         f32 or bf16, of activations: short for device.dtype=TYPE\n"
    "  --json               print one object: times, memory, PSNR and SSIM, files\n"
    "\n"
    "Written to DIR: frames/0000.png ...; sheet.png with inputs and rendered views, for targets also the "
    "truth\n"
    "and four times the error; opencv_cameras.json, which makes DIR a scene of the rendered views; and a "
    "film,\n"
    "targets.mp4, turntable.mp4 or interpolate.mp4 (.webp where ffmpeg is not installed).  The memory at "
    "the\n"
    "peak is said before any is taken; device.memory_limit=BYTES refuses what is over it.\n"
    "\n"
    "examples:\n"
    "  ttt render runs/views scenes/00090 --inputs 4 --path turntable --out turntable\n"
    "  ttt render runs/toy path/to/toy --inputs 8 --views 3,7,11 --size 128x128 --out views\n";

static ttt_status open_scene(struct render_job *job)
{
    const struct render_request *request = job->request;
    struct run_config *config = &job->trained->config;
    if (config->task != TASK_VIEWS)
        return ttt_fail(TTT_ARGUMENT,
                        "task: classify has no views to render; name a run or config of task: views");
    if (request->size) {
        TRY(render_read_size(request->size, &job->height, &job->width));
        config->model.lact.image_height = job->height;
        config->model.lact.image_width = job->width;
    }
    job->height = config->model.lact.image_height;
    job->width = config->model.lact.image_width;
    TRY(lact_nvs_config_check(&config->model.lact));
    TRY(scene_open(request->scene, &(struct scene_options){0}, &job->scene));
    return scene_check_sides(&job->scene, config->model.lact.patch);
}

static ttt_status make_renderer(struct render_job *job)
{
    const struct run_config *config = &job->trained->config;
    const struct view_renderer_options options = {
        .prefix = "",
        .inputs = job->input_count - (int)job->request->add,
        .added = (int)job->request->add,
        .at_once = view_renderer_views_at_once(&config->model.lact, job->frame_count),
        .tokens_per_pass =
            job->request->tokens_per_pass < 0 ? config->eval.tokens_per_pass : job->request->tokens_per_pass,
        .once = true,
        .dtype = config->device.dtype,
        .plan = config_plan_options(&config->device),
    };
    return view_renderer_create(&config->model.lact, job->trained->store, &options, &job->renderer);
}

static void print_plan(const struct render_job *job)
{
    const struct view_renderer_memory *memory = &job->renderer.memory;
    output_clean(job->scene.name, 0);
    printf(": %d of %u views given, %d rendered (%s), %dx%d pixels (height x width)\n  inputs    views",
           job->input_count, job->scene.view_count, job->frame_count, camera_path_name(job->request->path),
           job->height, job->width);
    for (int i = 0; i < job->input_count; i++)
        printf("%s %u", i == job->renderer.options.inputs ? ", then" : "",
               job->scene.views[job->inputs[i]].entry);
    printf("\n  memory    %s at the peak: %s of weights and state, %s to reconstruct, then %s to render\n",
           output_bytes(memory->total).text, output_bytes(memory->variables).text,
           output_bytes(memory->reconstruct > memory->add ? memory->reconstruct : memory->add).text,
           output_bytes(memory->render).text);
    fflush(stdout);
}

static void print_outcome(const struct render_job *job, const struct render_outcome *outcome)
{
    printf("  reconstruction %.3f s, once\n", outcome->reconstruct_seconds);
    if (job->request->add)
        printf("  adding         %.3f s, %lld views\n", outcome->add_seconds, (long long)job->request->add);
    printf("  rendering      %.2f ms a view\n", 1e3 * outcome->render_seconds / job->frame_count);
    if (outcome->likeness)
        printf("  likeness       PSNR %.2f dB, SSIM %.4f, the means of %d views\n", outcome->psnr,
               outcome->ssim, job->frame_count);
    printf("  written to     %s: frames/, sheet.png, opencv_cameras.json\n  film           %s\n",
           job->request->out, outcome->video);
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *entries(const struct render_job *job, const uint32_t *views, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_integer(job->scene.views[views[i]].entry));
    return list;
}

static json_t *likeness_json(const struct render_job *job, const struct render_outcome *outcome)
{
    json_t *list = json_array();
    for (int i = 0; i < job->frame_count; i++)
        json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "view",
                                              (json_int_t)job->scene.views[job->targets[i]].entry, "psnr",
                                              number(outcome->likeness[i].psnr), "ssim",
                                              number(outcome->likeness[i].ssim)));
    return json_pack("{s:o, s:o, s:o}", "psnr", number(outcome->psnr), "ssim", number(outcome->ssim), "views",
                     list);
}

static ttt_status print_json(const struct render_job *job, const struct render_outcome *outcome)
{
    const struct view_renderer_memory *memory = &job->renderer.memory;
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:o, s:I, s:i, s:i, s:i}", "scene", job->scene.name, "path",
                  camera_path_name(job->request->path), "step", (json_int_t)job->trained->step, "inputs",
                  entries(job, job->inputs, job->input_count), "added", (json_int_t)job->request->add,
                  "rendered", job->frame_count, "height", job->height, "width", job->width);
    json_t *more = json_pack(
        "{s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:s}", "reconstruct_seconds",
        outcome->reconstruct_seconds, "add_seconds", outcome->add_seconds, "milliseconds_per_view",
        1e3 * outcome->render_seconds / job->frame_count, "predicted_peak_bytes", (json_int_t)memory->total,
        "variable_bytes", (json_int_t)memory->variables, "reconstruct_bytes", (json_int_t)memory->reconstruct,
        "add_bytes", (json_int_t)memory->add, "render_bytes", (json_int_t)memory->render, "likeness",
        outcome->likeness ? likeness_json(job, outcome) : json_null(), "out", job->request->out, "film",
        outcome->video);
    const bool complete = object && more && !json_object_update(object, more);
    json_decref(more);
    if (complete)
        return output_json(object);
    json_decref(object);
    return ttt_fail(TTT_MEMORY, "out of memory for the JSON output");
}

static ttt_status render_scene(struct render_job *job, bool json)
{
    struct render_outcome outcome = {0};
    TRY(open_scene(job));
    TRY(render_choose(job));
    TRY(make_renderer(job));
    TRY(render_prepare_folder(job));
    if (!json)
        print_plan(job);
    ttt_status status = render_run(job, &outcome);
    if (!status) {
        if (json)
            status = print_json(job, &outcome);
        else
            print_outcome(job, &outcome);
    }
    render_outcome_free(&outcome);
    return status;
}

static ttt_status render(const struct trained_request *model, const struct render_request *request, bool json)
{
    struct trained trained;
    struct render_job job = {.request = request, .trained = &trained};
    TRY(trained_open(model, &trained));
    ttt_status status = render_scene(&job, json);
    view_renderer_destroy(&job.renderer);
    scene_free(&job.scene);
    free(job.inputs);
    free(job.targets);
    free(job.cameras);
    trained_close(&trained);
    return status;
}

static ttt_status run(int argc, char **argv)
{
    struct trained_request model = {0};
    struct render_request request = {.tokens_per_pass = -1};
    const char *path = "targets";
    struct device_options device = {0};
    bool json = false;
    const struct option options[] = {
        {.name = "--out", .type = OPTION_TEXT, .value = &request.out},
        {.name = "--inputs", .type = OPTION_WHOLE, .value = &request.inputs, .min = 1, .max = 100000},
        {.name = "--add", .type = OPTION_WHOLE, .value = &request.add, .min = 1, .max = 100000},
        {.name = "--path", .type = OPTION_TEXT, .value = &path},
        {.name = "--views", .type = OPTION_TEXT, .value = &request.views},
        {.name = "--size", .type = OPTION_TEXT, .value = &request.size},
        {.name = "--tokens-per-pass", .type = OPTION_WHOLE, .value = &request.tokens_per_pass, .max = 1e9},
        {.name = "--weights", .type = OPTION_TEXT, .value = &model.weights},
        {.name = "--checkpoint", .type = OPTION_TEXT, .value = &model.checkpoint},
        {.name = "--json", .type = OPTION_FLAG, .value = &json},
        DEVICE_OPTIONS(&device),
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (rest < 2)
        return ttt_fail(TTT_ARGUMENT, "which model, which scene? usage: ttt render RUN SCENE --out DIR");
    if (!request.out || !*request.out)
        return ttt_fail(TTT_ARGUMENT, "where to? --out DIR names the folder of the pictures");
    TRY(camera_path_parse(path, &request.path));
    ttt_status status = device_options_append(&device, argv, &rest);
    model.path = argv[0];
    request.scene = argv[1];
    model.overrides = argv + 2;
    model.override_count = rest - 2;
    if (!status)
        status = render(&model, &request, json);
    device_options_free(&device);
    return status;
}

const struct command command_render = {
    .name = "render",
    .summary = "render new views of a scene, along a path of cameras",
    .help = help,
    .run = run,
};
