/* ttt eval: judges trained weights on the validation pictures. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/options.h"
#include "tools/output.h"
#include "train/classify.h"
#include "train/run_folder.h"
#include "train/trained.h"

static const char help[] =
    "usage: ttt eval RUN|CONFIG [key=value ...] [--weights FILE] [--checkpoint best|latest|STEP] [--out DIR] "
    "[--json]\n"
    "\n"
    "Runs a trained model on the pictures of data.root/data.val and prints loss, top-1 and top-5.  Weights\n"
    "come from a checkpoint of RUN, a folder that 'ttt train' wrote, or of the run that CONFIG describes, "
    "or\n"
    "from FILE.  Keys of the config can be set behind it: data.root=..., eval.batch_size=..., and\n"
    "eval.weights=ema for the averaged weights of a checkpoint.\n"
    "\n"
    "  --weights FILE     a safetensors file with the published names, such as a checkpoint's\n"
    "                     model.safetensors\n"
    "  --checkpoint WHICH best, latest or a step; left out: the best, or the latest where none is\n"
    "  --out DIR          where classes.csv (accuracy of every class) and confusion.csv (a row for every "
    "true\n"
    "                     class, a column for every predicted one) go; left out: RUN/eval for a checkpoint,\n"
    "                     nowhere for a file of weights\n"
    "  --json             print one JSON object\n"
    "\n"
    "examples:\n"
    "  ttt eval runs/imagenette\n"
    "  ttt eval configs/vittt_tiny.yaml data.root=path/to/imagenet --weights vittt_tiny.safetensors\n";

struct judgement {
    struct trained trained;
    struct pictures *val;
    const char *out; /* given folder, or NULL */
    char *classes_csv, *confusion_csv;
    bool json;
    classification_counts counts;
    double seconds;
};

/* A line every so often, or one that is written over on a terminal. */
struct display {
    bool terminal, shown_any;
    double shown;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void show_progress(void *context, int64_t done, int64_t pictures)
{
    struct display *display = context;
    if (now() - display->shown < (display->terminal ? 0.1 : 10))
        return;
    display->shown = now();
    fprintf(stderr, "%s%lld of %lld pictures%s", display->terminal ? "\r\033[K" : "", (long long)done,
            (long long)pictures, display->terminal ? "" : "\n");
    fflush(stderr);
    display->shown_any = display->terminal;
}

static void clear_progress(struct display *display)
{
    if (display->shown_any)
        fputs("\r\033[K", stderr);
    display->shown_any = false;
}

static void report_bad_file(void *context, const char *line)
{
    clear_progress(context);
    fprintf(stderr, "%s\n", line);
}

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
    struct display display = {.terminal = isatty(STDERR_FILENO), .shown = now()};
    struct classification_progress progress = {j->json ? NULL : show_progress, &display};
    struct loader_options loader = classify_loader_options(config);
    loader.report = report_bad_file;
    loader.context = &display;
    const char *rows = config->device.implementations;
    struct classifier_options options = {
        .prefix = "",
        .batch = config->eval.batch_size,
        .plan = {.implementations = *rows ? rows : NULL, .memory_limit = config->device.memory_limit}};
    struct classifier classifier = {0};
    ttt_status status;
    TRY_TO(classifier_create(&config->model.vittt, j->trained.store, &options, &classifier), cleanup);
    TRY_TO(classifier_prepare(&classifier), cleanup);
    double began = now();
    status = classification_run(&classifier, j->val, &loader, progress, &j->counts);
    j->seconds = now() - began;
    clear_progress(&display);
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

static ttt_status evaluate(const struct trained_request *request, struct judgement *j)
{
    ttt_status status;
    TRY(trained_open(request, &j->trained));
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
    trained_close(&j->trained);
    return status;
}

static ttt_status run(int argc, char **argv)
{
    struct trained_request request = {0};
    struct judgement j = {0};
    const struct option options[] = {
        {.name = "--weights", .type = OPTION_TEXT, .value = &request.weights},
        {.name = "--checkpoint", .type = OPTION_TEXT, .value = &request.checkpoint},
        {.name = "--out", .type = OPTION_TEXT, .value = &j.out},
        {.name = "--json", .type = OPTION_FLAG, .value = &j.json},
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (!rest)
        return ttt_fail(TTT_ARGUMENT, "which model? usage: ttt eval RUN|CONFIG [key=value ...]");
    request.path = argv[0];
    request.override_count = rest - 1;
    request.overrides = argv + 1;
    return evaluate(&request, &j);
}

const struct command command_eval = {
    .name = "eval",
    .summary = "judge a trained model on validation pictures",
    .help = help,
    .run = run,
};
