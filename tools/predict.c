/* ttt predict: the most probable classes of pictures. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/transform.h"
#include "eval/metrics.h"
#include "tools/command.h"
#include "tools/device_options.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/predict/paths.h"
#include "train/classify.h"
#include "train/config/device.h"
#include "train/trained.h"

static const char help[] =
    "usage: ttt predict RUN|CONFIG IMAGE ... [key=value ...] [--top N] [--weights FILE]\n"
    "                   [--checkpoint best|latest|STEP] [--device NAME] [--dtype TYPE] [--json]\n"
    "\n"
    "Prints the most probable classes of each picture, and their probabilities.  A folder stands for the "
    ".jpg,\n"
    ".jpeg and .png files in it, but not for those of its folders.  Weights come from a checkpoint of RUN, "
    "a\n"
    "folder that 'ttt train' wrote, or of the run that CONFIG describes, or from FILE.  An argument that is "
    "no\n"
    "file and has a '=' sets a key of the config.\n"
    "\n"
    "A picture that cannot be read gets a line that says why; the others are still predicted, and the exit\n"
    "status is 1.\n"
    "\n"
    "  --top N            how many classes, 1 to 100; 5 when left out\n"
    "  --weights FILE     a safetensors file with the published names\n"
    "  --checkpoint WHICH best, latest or a step; left out: the best, or the latest where none is\n"
    "  --device NAME      cpu, cuda or cuda:1: short for device.name=NAME\n"
    "  --dtype TYPE       f32 or bf16, of activations: short for device.dtype=TYPE\n"
    "  --json             print an array with one object per picture\n"
    "\n"
    "examples:\n"
    "  ttt predict runs/imagenette fish.jpeg\n"
    "  ttt predict runs/imagenette pictures/ --top 1 --json\n";

enum { TOP_MOST = 100 };

struct prediction {
    struct trained trained;
    struct classifier classifier;
    struct loader_options reading; /* its transform and limits are those of the config */
    const struct path_list *paths;
    int top;
    bool json;
    json_t *results;
    int failed;
    float *images; /* (batch, 3, height, width) */
    int *pending;  /* (batch) indices into paths of the pictures in `images` */
};

static ttt_status read_picture(const struct prediction *p, const char *path, float *out)
{
    uint8_t *bytes = NULL;
    size_t size;
    int warnings = 0;
    const struct sample_options *sample = &p->reading.sample;
    TRY(file_read(path, sample->decode.max_bytes, &bytes, &size));
    ttt_status status = picture_eval(&sample->transform, bytes, size, &sample->decode, out, &warnings);
    free(bytes);
    return ttt_within(status, "%s", path);
}

/* What is wrong with one picture is that picture's line, not the command's end; running out of memory is. */
static ttt_status report_failure(struct prediction *p, const char *path, ttt_status error)
{
    ttt_status status = TTT_OK;
    if (ttt_status_code(error) == TTT_MEMORY)
        return error;
    p->failed++;
    fprintf(stderr, "ttt predict: %s\n", ttt_status_text(error));
    if (p->json)
        status = output_json_append(p->results,
                                    json_pack("{s:s, s:s}", "path", path, "error", ttt_status_text(error)));
    ttt_status_free(error);
    return status;
}

/* The folder's name and the title of a class; its number where the run does not know names. */
struct class_name {
    char number[16];
    const char *name, *title;
};

static void name_class(const struct prediction *p, int index, struct class_name *out)
{
    const struct pictures *classes = p->trained.classes;
    snprintf(out->number, sizeof out->number, "%d", index);
    out->name = classes ? classes->class_names[index] : out->number;
    out->title = classes ? classes->class_titles[index] : out->number;
}

static void print_classes(const struct prediction *p, const char *path, int count, const int *index,
                          const double *probability)
{
    output_clean(path, 0);
    putchar('\n');
    for (int i = 0; i < count; i++) {
        struct class_name class;
        name_class(p, index[i], &class);
        printf("  %6.2f%%  ", 100 * probability[i]);
        output_clean(class.title, 0);
        if (strcmp(class.name, class.title) != 0) {
            printf(" (");
            output_clean(class.name, 0);
            putchar(')');
        }
        putchar('\n');
    }
}

static ttt_status add_classes(struct prediction *p, const char *path, int count, const int *index,
                              const double *probability)
{
    json_t *list = json_array();
    ttt_status status = TTT_OK;
    for (int i = 0; i < count && !status; i++) {
        struct class_name class;
        name_class(p, index[i], &class);
        status =
            output_json_append(list, json_pack("{s:i, s:s, s:s, s:f}", "index", index[i], "class", class.name,
                                               "title", class.title, "probability", probability[i]));
    }
    if (status) {
        json_decref(list);
        return status;
    }
    return output_json_append(p->results, json_pack("{s:s, s:o}", "path", path, "predictions", list));
}

static ttt_status show_picture(struct prediction *p, const char *path, const float *logits)
{
    int index[TOP_MOST];
    double probability[TOP_MOST];
    int count = metrics_top_k(logits, p->classifier.classes, p->top, index, probability);
    if (!isfinite(probability[0]))
        return report_failure(p, path, ttt_fail(TTT_NUMERIC, "%s: the model's answer is not a number", path));
    if (p->json)
        return add_classes(p, path, count, index, probability);
    print_classes(p, path, count, index, probability);
    return TTT_OK;
}

static ttt_status run_batch(struct prediction *p, int count)
{
    if (!count)
        return TTT_OK;
    TRY(classifier_run(&p->classifier, p->images, count));
    for (int i = 0; i < count; i++)
        TRY(show_picture(p, p->paths->paths[p->pending[i]],
                         p->classifier.logits + (ptrdiff_t)i * p->classifier.classes));
    return TTT_OK;
}

static ttt_status run_pictures(struct prediction *p)
{
    int count = 0;
    for (int i = 0; i < p->paths->count; i++) {
        const char *path = p->paths->paths[i];
        ttt_status error = read_picture(p, path, p->images + count * p->classifier.pixels);
        if (error) {
            TRY(report_failure(p, path, error));
            continue;
        }
        p->pending[count++] = i;
        if (count == p->classifier.batch) {
            TRY(run_batch(p, count));
            count = 0;
        }
    }
    return run_batch(p, count);
}

static ttt_status prepare(struct prediction *p)
{
    const struct run_config *config = &p->trained.config;
    const int most = config->eval.batch_size, pictures = p->paths->count;
    struct classifier_options options = {.prefix = "",
                                         .batch = pictures < most ? pictures : most,
                                         .dtype = config->device.dtype,
                                         .plan = config_plan_options(&config->device)};
    TRY(classifier_create(&config->model.vittt, p->trained.store, &options, &p->classifier));
    TRY(classifier_prepare(&p->classifier));
    p->reading = classify_loader_options(config);
    p->images = malloc((size_t)options.batch * (size_t)p->classifier.pixels * sizeof *p->images);
    p->pending = malloc((size_t)options.batch * sizeof *p->pending);
    return p->images && p->pending ? TTT_OK
                                   : ttt_fail(TTT_MEMORY, "no memory for %d pictures", options.batch);
}

static ttt_status check_task(const struct prediction *p, const char *path)
{
    if (p->trained.config.task == TASK_CLASSIFY)
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT, "%s: a model of task: views, which 'ttt render' runs", path);
}

static ttt_status predict(const struct trained_request *request, struct prediction *p)
{
    ttt_status status;
    TRY(trained_open(request, &p->trained));
    p->results = json_array();
    TRY_TO(check_task(p, request->path), cleanup);
    TRY_TO(prepare(p), cleanup);
    TRY_TO(run_pictures(p), cleanup);
    if (p->json)
        TRY_TO(output_json(json_incref(p->results)), cleanup);
    if (p->failed)
        status = ttt_fail(TTT_IO, "%d of %d pictures failed", p->failed, p->paths->count);
cleanup:
    json_decref(p->results);
    free(p->images);
    free(p->pending);
    classifier_destroy(&p->classifier);
    trained_close(&p->trained);
    return status;
}

/* Moves the arguments that set keys behind the pictures, both in their order; returns how many pictures
 * there are. */
static int part_arguments(int count, char **arguments)
{
    int pictures = 0;
    for (int i = 0; i < count; i++) {
        char *argument = arguments[i];
        if (strchr(argument, '=') && access(argument, F_OK))
            continue;
        memmove(arguments + pictures + 1, arguments + pictures, (size_t)(i - pictures) * sizeof *arguments);
        arguments[pictures++] = argument;
    }
    return pictures;
}

static ttt_status run(int argc, char **argv)
{
    struct trained_request request = {0};
    struct prediction p = {0};
    struct path_list paths = {0};
    struct device_options device = {0};
    int64_t top = 5;
    const struct option options[] = {
        {.name = "--top", .type = OPTION_WHOLE, .value = &top, .min = 1, .max = TOP_MOST},
        {.name = "--weights", .type = OPTION_TEXT, .value = &request.weights},
        {.name = "--checkpoint", .type = OPTION_TEXT, .value = &request.checkpoint},
        {.name = "--json", .type = OPTION_FLAG, .value = &p.json},
        DEVICE_OPTIONS(&device),
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (rest < 2)
        return ttt_fail(TTT_ARGUMENT, "which model, which pictures? usage: ttt predict RUN IMAGE ...");
    ttt_status status = device_options_append(&device, argv, &rest);
    int pictures = part_arguments(rest - 1, argv + 1);
    request.path = argv[0];
    request.overrides = argv + 1 + pictures;
    request.override_count = rest - 1 - pictures;
    if (!status)
        status = path_list_find(pictures, argv + 1, &paths);
    p.top = (int)top;
    p.paths = &paths;
    if (!status)
        status = predict(&request, &p);
    path_list_free(&paths);
    device_options_free(&device);
    return status;
}

const struct command command_predict = {
    .name = "predict",
    .summary = "name the most probable classes of pictures",
    .help = help,
    .run = run,
};
