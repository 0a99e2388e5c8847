/* ttt eval: judges trained weights on validation pictures, or on scenes. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/device_options.h"
#include "tools/eval/progress.h"
#include "tools/eval/views.h"
#include "tools/options.h"
#include "tools/output.h"
#include "train/classify.h"
#include "train/config/device.h"
#include "train/run_folder.h"
#include "train/trained.h"

static const char help[] =
    "usage: ttt eval RUN|CONFIG [SCENES] [key=value ...] [--weights FILE] [--checkpoint best|latest|STEP]\n"
    "                [--out DIR] [--device NAME] [--dtype TYPE] [--json]\n"
    "\n"
    "Runs a trained classifier on the pictures of data.root/data.val and prints loss, top-1 and top-5.  For "
    "a\n"
    "model of views, reconstructs every scene of SCENES (a scene, a list or a folder of scenes; left out:\n"
    "data.root/data.val) from its input views, renders its target views, and prints PSNR and SSIM next to\n"
    "those of the nearest input view copied and of the inputs' mean colour.\n"
    "\n"
    "Weights come from a checkpoint of RUN, a folder that 'ttt train' wrote, or of the run that CONFIG\n"
    "describes, or from FILE.  Keys of the config can be set behind it: data.root=..., eval.batch_size=...,\n"
    "eval.num_input_views=..., and eval.weights=ema for the averaged weights of a checkpoint.\n"
    "\n"
    "  --weights FILE     a safetensors file with the published names, such as a checkpoint's\n"
    "                     model.safetensors\n"
    "  --checkpoint WHICH best, latest or a step; left out: the best, or the latest where none is\n"
    "  --out DIR          where tables go: classes.csv (accuracy of every class) and confusion.csv (a row "
    "for\n"
    "                     every true class, a column for every predicted one); for views views.csv,\n"
    "                     scenes.csv and views.json; left out: RUN/eval for a checkpoint, nowhere for a "
    "file\n"
    "                     of weights\n"
    "  --device NAME      cpu, cuda or cuda:1: short for device.name=NAME\n"
    "  --dtype TYPE       f32 or bf16, of activations: short for device.dtype=TYPE\n"
    "  --json             print one JSON object\n"
    "\n"
    "examples:\n"
    "  ttt eval runs/imagenette\n"
    "  ttt eval configs/vittt_tiny.yaml data.root=path/to/imagenet --weights vittt_tiny.safetensors\n"
    "  ttt eval runs/views path/to/scenes eval.num_input_views=8\n";

struct judgement {
    struct trained trained;
    struct pictures *val;
    const char *out; /* given folder, or NULL */
    char *classes_csv, *confusion_csv;
    bool json;
    classification_counts counts;
    double seconds;
};

/* The validation pictures, labelled as the weights were trained: by the run's memory of its classes, or by
 * the training folder, or by the validation folder alone. */
static ttt_status open_pictures(struct judgement *j)
{
    const struct config_data *data = &j->trained.config.data;
    const int classes = j->trained.config.model.vittt.classes;
    struct pictures *train = NULL;
    if (!*data->root)
        return ttt_fail(TTT_ARGUMENT, "data.root is not set: name the folder that holds %s/", data->val);
    if (!j->trained.classes && pictures_exist(data->root, data->train))
        TRY(pictures_open(data->root, data->train, NULL, &train));
    const struct pictures *like = j->trained.classes ? j->trained.classes : train;
    ttt_status status = pictures_open(data->root, data->val, like, &j->val);
    pictures_free(train);
    if (!status && (int)j->val->class_count != classes)
        status = ttt_fail(TTT_ARGUMENT, "%s has %u classes, the weights in %s have %d", j->val->folder,
                          j->val->class_count, j->trained.weights, classes);
    return status;
}

static ttt_status judge(struct judgement *j)
{
    struct run_config *config = &j->trained.config;
    struct eval_progress display = eval_progress_start("pictures");
    struct classification_progress progress = {j->json ? NULL : eval_progress_show, &display};
    struct loader_options loader = classify_loader_options(config);
    loader.report = eval_progress_line;
    loader.context = &display;
    struct classifier_options options = {.prefix = "",
                                         .batch = config->eval.batch_size,
                                         .dtype = config->device.dtype,
                                         .plan = config_plan_options(&config->device)};
    struct classifier classifier = {0};
    ttt_status status;
    TRY_TO(classifier_create(&config->model.vittt, j->trained.store, &options, &classifier), cleanup);
    TRY_TO(classifier_prepare(&classifier), cleanup);
    double began = eval_now();
    status = classification_run(&classifier, j->val, &loader, progress, &j->counts);
    j->seconds = eval_now() - began;
    eval_progress_clear(&display);
cleanup:
    classifier_destroy(&classifier);
    return status;
}

static ttt_status write_tables(struct judgement *j)
{
    char *own = NULL;
    const char *folder = j->out;
    if (!folder && j->trained.step >= 0) {
        TRY(path_join(j->trained.run, "eval", &own));
        folder = own;
    }
    if (!folder)
        return TTT_OK;
    ttt_status status = TTT_OK;
    if (mkdir(folder, 0777) && errno != EEXIST)
        status = ttt_fail(TTT_IO, "%s: cannot create the folder: %s", folder, strerror(errno));
    if (!status)
        status = path_join(folder, "classes.csv", &j->classes_csv);
    if (!status)
        status = path_join(folder, "confusion.csv", &j->confusion_csv);
    free(own);
    TRY(status);
    TRY(classification_write_classes(&j->counts, j->val, j->classes_csv));
    return classification_write_confusion(&j->counts, j->val, j->confusion_csv);
}

static double per_second(const struct judgement *j)
{
    return j->seconds > 0 ? (double)j->counts.total / j->seconds : 0;
}

static void print_result(const struct judgement *j)
{
    const double total = (double)j->counts.total;
    printf("weights   %s%s\n", j->trained.weights, j->trained.averaged ? " (averages)" : "");
    printf("pictures  %lld of %s, %d classes; %lld bad files\n", (long long)j->counts.total, j->val->folder,
           j->counts.classes, (long long)j->val->count - (long long)j->counts.total);
    printf("loss      %.4f\n", j->counts.loss_sum / total);
    printf("top-1     %.2f%%\n", 100 * (double)j->counts.top1 / total);
    printf("top-5     %.2f%%\n", 100 * (double)j->counts.top5 / total);
    printf("speed     %.1f pictures/s\n", per_second(j));
    if (j->counts.without_prediction)
        printf("warning   %lld pictures without a prediction: their logits are not numbers\n",
               (long long)j->counts.without_prediction);
    if (j->confusion_csv)
        printf("tables    %s, %s\n", j->classes_csv, j->confusion_csv);
}

static json_t *finite_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static ttt_status print_json(const struct judgement *j)
{
    const double total = (double)j->counts.total;
    json_t *object = json_pack(
        "{s:s, s:I, s:b, s:I, s:I, s:i, s:o, s:f, s:f, s:f, s:f, s:s?, s:s?}", "weights", j->trained.weights,
        "step", (json_int_t)j->trained.step, "averaged", j->trained.averaged, "pictures",
        (json_int_t)j->counts.total, "bad_files", (json_int_t)j->val->count - (json_int_t)j->counts.total,
        "classes", j->counts.classes, "loss", finite_real(j->counts.loss_sum / total), "top1",
        100 * (double)j->counts.top1 / total, "top5", 100 * (double)j->counts.top5 / total, "seconds",
        j->seconds, "pictures_per_second", per_second(j), "classes_csv", j->classes_csv, "confusion_csv",
        j->confusion_csv);
    return output_json(object);
}

static ttt_status evaluate_pictures(struct judgement *j)
{
    ttt_status status;
    TRY_TO(open_pictures(j), cleanup);
    TRY_TO(judge(j), cleanup);
    TRY_TO(write_tables(j), cleanup);
    if (j->json)
        status = print_json(j);
    else
        print_result(j);
cleanup:
    classification_counts_free(&j->counts);
    free(j->classes_csv);
    free(j->confusion_csv);
    pictures_free(j->val);
    return status;
}

static ttt_status evaluate(const struct trained_request *request, const char *scenes, struct judgement *j)
{
    ttt_status status;
    TRY(trained_open(request, &j->trained));
    if (j->trained.config.task == TASK_VIEWS)
        status = eval_views(&j->trained, &(struct eval_views_request){scenes, j->out, j->json});
    else if (scenes)
        status = ttt_fail(TTT_ARGUMENT, "%s: a classifier takes no scenes; data.root=... names its pictures",
                          scenes);
    else
        status = evaluate_pictures(j);
    trained_close(&j->trained);
    return status;
}

/* Takes the path that is not "key=value" out of the arguments, if there is one; *count is then one less. */
static ttt_status take_path(int *count, char **arguments, const char **path)
{
    int kept = 0;
    *path = NULL;
    for (int i = 0; i < *count; i++) {
        if (strchr(arguments[i], '=') && access(arguments[i], F_OK)) {
            arguments[kept++] = arguments[i];
            continue;
        }
        if (*path)
            return ttt_fail(TTT_ARGUMENT, "'%s': only one path of scenes can be given, besides '%s'",
                            arguments[i], *path);
        *path = arguments[i];
    }
    *count = kept;
    return TTT_OK;
}

static ttt_status run(int argc, char **argv)
{
    struct trained_request request = {0};
    struct judgement j = {0};
    struct device_options device = {0};
    const char *scenes;
    const struct option options[] = {
        {.name = "--weights", .type = OPTION_TEXT, .value = &request.weights},
        {.name = "--checkpoint", .type = OPTION_TEXT, .value = &request.checkpoint},
        {.name = "--out", .type = OPTION_TEXT, .value = &j.out},
        {.name = "--json", .type = OPTION_FLAG, .value = &j.json},
        DEVICE_OPTIONS(&device),
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (!rest)
        return ttt_fail(TTT_ARGUMENT, "which model? usage: ttt eval RUN|CONFIG [SCENES] [key=value ...]");
    ttt_status status = device_options_append(&device, argv, &rest);
    request.path = argv[0];
    request.override_count = rest - 1;
    request.overrides = argv + 1;
    if (!status)
        status = take_path(&request.override_count, argv + 1, &scenes);
    if (!status)
        status = evaluate(&request, scenes, &j);
    device_options_free(&device);
    return status;
}

const struct command command_eval = {
    .name = "eval",
    .summary = "judge a trained model on validation pictures or scenes",
    .help = help,
    .run = run,
};
