/* Finding and loading trained weights. */
#include "train/trained.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "train/checkpoint_file.h"
#include "train/class_names.h"
#include "train/config/device.h"
#include "train/run_folder.h"
#include "train/snapshot.h"
#include "vision/lact_nvs.h"

static ttt_status load_config(const struct trained_request *request, struct trained *trained)
{
    struct stat information;
    if (stat(request->path, &information))
        return ttt_fail(TTT_ARGUMENT, "%s: %s; name a run's folder or a config", request->path,
                        strerror(errno));
    if (!S_ISDIR(information.st_mode))
        return run_config_load(request->path, request->override_count, request->overrides, &trained->config);
    char *path;
    TRY(path_join(request->path, "config.yaml", &path));
    ttt_status status = TTT_OK;
    if (access(path, F_OK))
        status = ttt_fail(TTT_ARGUMENT, "%s: not the folder of a run: it has no config.yaml", request->path);
    else
        status = run_config_load(path, request->override_count, request->overrides, &trained->config);
    free(path);
    if (!status) {
        trained->run = strdup(request->path);
        status = trained->run ? TTT_OK : ttt_fail(TTT_MEMORY, "%s: no memory", request->path);
    }
    return status;
}

/* The steps that a run has checkpoints of, for a message: "100, 200 and 300". */
static void describe_steps(const char *run, char *text, size_t size)
{
    int64_t *steps = NULL;
    size_t count = 0, length = 0;
    ttt_status_free(checkpoint_list(run, &steps, &count));
    snprintf(text, size, "there is none");
    for (size_t i = 0; i < count && length + 32 < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%lld", i ? ", " : "there are ",
                                   (long long)steps[i]);
    free(steps);
}

static bool has_checkpoint(const char *run, int64_t step)
{
    int64_t *steps = NULL;
    size_t count = 0;
    bool found = false;
    ttt_status_free(checkpoint_list(run, &steps, &count));
    for (size_t i = 0; i < count; i++)
        found |= steps[i] == step;
    free(steps);
    return found;
}

/* The step that the request names, which has a checkpoint. */
static ttt_status choose_step(const char *run, const char *wanted, int64_t *step)
{
    char *end, there[256];
    if (!wanted)
        *step = checkpoint_best(run) >= 0 ? checkpoint_best(run) : checkpoint_latest(run);
    else if (!strcmp(wanted, "best"))
        *step = checkpoint_best(run);
    else if (!strcmp(wanted, "latest"))
        *step = checkpoint_latest(run);
    else {
        errno = 0;
        *step = strtoll(wanted, &end, 10);
        if (end == wanted || *end || errno || *step < 0)
            return ttt_fail(TTT_ARGUMENT, "checkpoint '%.40s': should be best, latest or a step", wanted);
    }
    if (*step >= 0 && has_checkpoint(run, *step))
        return TTT_OK;
    describe_steps(run, there, sizeof there);
    return ttt_fail(TTT_ARGUMENT, "%s: no checkpoint%s%s; %s", run, wanted ? " " : "", wanted ? wanted : "",
                    there);
}

/* Decides which file holds the weights. */
static ttt_status find_weights(const struct trained_request *request, struct trained *trained)
{
    trained->step = -1;
    if (request->weights) {
        if (request->checkpoint)
            return ttt_fail(TTT_ARGUMENT, "a file of weights and a checkpoint are given; choose one");
        if (access(request->weights, F_OK))
            return ttt_fail(TTT_ARGUMENT, "%s: %s", request->weights, strerror(errno));
        trained->weights = strdup(request->weights);
        return trained->weights ? TTT_OK : ttt_fail(TTT_MEMORY, "%s: no memory", request->weights);
    }
    const struct config_run *run = &trained->config.run;
    if (!trained->run) {
        TRY(path_join(run->dir, run->name, &trained->run));
        if (access(trained->run, F_OK))
            return ttt_fail(TTT_ARGUMENT, "%s: its run %s does not exist; train it, or give --weights FILE",
                            request->path, trained->run);
    }
    TRY(choose_step(trained->run, request->checkpoint, &trained->step));
    trained->averaged = trained->config.eval.weights == WEIGHTS_EMA;
    TRY(checkpoint_model_path(trained->run, trained->step, &trained->weights));
    if (!trained->averaged)
        return TTT_OK;
    free(trained->weights);
    if (asprintf(&trained->weights, "%s/checkpoints/%lld/state.safetensors", trained->run,
                 (long long)trained->step) < 0) {
        trained->weights = NULL;
        return ttt_fail(TTT_MEMORY, "%s: no memory", trained->run);
    }
    return TTT_OK;
}

/* A classifier without a number of classes has that of the weights' head. */
static ttt_status count_classes(const safetensors_file *file, struct trained *trained)
{
    const safetensors_tensor *head;
    struct vittt_config *model = &trained->config.model.vittt;
    if (trained->config.task != TASK_CLASSIFY)
        return TTT_OK;
    if (!model->classes) {
        TRY(safetensors_require(file, trained->averaged ? "ema.head.weight" : "head.weight", &head));
        if (head->rank != 2 || head->shape[0] < 1 || head->shape[0] > 1000000)
            return ttt_fail(TTT_FORMAT, "%s: head.weight does not have the shape (classes, width)",
                            safetensors_path(file));
        model->classes = (int)head->shape[0];
    }
    return vittt_config_check(model);
}

/* Weights that do not fit are refused with numbers, before any is taken. */
static ttt_status add_parameters(const struct parameter *parameters, int count, int64_t limit,
                                 ttt_store *store)
{
    const int64_t bytes = parameters_bytes(parameters, count);
    TRY(ttt_plan_memory_check((ttt_plan_memory){.variables = bytes, .total = bytes}, store, limit));
    for (int i = 0; i < count; i++)
        TRY(ttt_store_add(store, parameters[i].name, TTT_F32, parameters[i].shape));
    return TTT_OK;
}

/* Averages stand in a file with much else, so only what is missing or different is an error. */
static ttt_status read_averages(const safetensors_file *file, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->model_count; i++) {
        const checkpoint_tensor *to = &snapshot->model[i];
        const safetensors_tensor *from;
        char name[96];
        snprintf(name, sizeof name, "ema.%s", to->name);
        TRY(safetensors_require(file, name, &from));
        if (from->dtype != SAFETENSORS_F32 || from->rank != to->rank ||
            memcmp(from->shape, to->shape, (size_t)to->rank * sizeof *to->shape) != 0)
            return ttt_fail(TTT_FORMAT, "%s: of another model: '%s' has another shape or type",
                            safetensors_path(file), name);
        memcpy(to->data, from->data, from->bytes);
    }
    return TTT_OK;
}

static ttt_status list_parameters(const struct run_config *config, struct parameter **parameters, int *count)
{
    return config->task == TASK_VIEWS ? lact_nvs_parameters(&config->model.lact, parameters, count)
                                      : vittt_parameters(&config->model.vittt, parameters, count);
}

static ttt_status read_weights(const safetensors_file *file, struct trained *trained)
{
    struct parameter *parameters;
    struct snapshot snapshot = {0};
    int count;
    TRY(list_parameters(&trained->config, &parameters, &count));
    ttt_status status;
    TRY_TO(add_parameters(parameters, count, trained->config.device.memory_limit, trained->store), cleanup);
    TRY_TO(snapshot_create(trained->store, parameters, count, &snapshot), cleanup);
    if (trained->averaged) {
        TRY_TO(read_averages(file, &snapshot), cleanup);
    } else {
        TRY_TO(checkpoint_file_match(file, true, snapshot.model, snapshot.model_count), cleanup);
        checkpoint_file_read(file, snapshot.model, snapshot.model_count);
    }
    status = snapshot_to_store(&snapshot);
cleanup:
    snapshot_destroy(&snapshot);
    free(parameters);
    return status;
}

static ttt_status load_weights(struct trained *trained)
{
    safetensors_file *file;
    TRY(checkpoint_file_open(trained->weights, trained->step < 0, &file));
    ttt_status status;
    TRY_TO(count_classes(file, trained), cleanup);
    TRY_TO(config_device_open(&trained->config.device, &trained->device), cleanup);
    TRY_TO(ttt_store_create(trained->device, &trained->store), cleanup);
    status = read_weights(file, trained);
cleanup:
    safetensors_close(file);
    return status;
}

/* What the run, or the one that a config stands for, remembers of its classes. */
static ttt_status load_classes(struct trained *trained)
{
    if (!trained->run || trained->config.task != TASK_CLASSIFY)
        return TTT_OK;
    TRY(class_names_read(trained->run, &trained->classes));
    int classes = trained->config.model.vittt.classes;
    if (trained->classes && (int)trained->classes->class_count != classes)
        return ttt_fail(TTT_FORMAT, "%s/classes.txt has %u lines, the weights have %d classes", trained->run,
                        trained->classes->class_count, classes);
    return TTT_OK;
}

static ttt_status open_parts(const struct trained_request *request, struct trained *trained)
{
    TRY(load_config(request, trained));
    TRY(find_weights(request, trained));
    TRY(load_weights(trained));
    return load_classes(trained);
}

ttt_status trained_open(const struct trained_request *request, struct trained *trained)
{
    *trained = (struct trained){.step = -1};
    ttt_status status = open_parts(request, trained);
    if (status)
        trained_close(trained);
    return status;
}

void trained_close(struct trained *trained)
{
    ttt_store_destroy(trained->store);
    ttt_device_close(trained->device);
    pictures_free(trained->classes);
    free(trained->weights);
    free(trained->run);
    run_config_free(&trained->config);
    *trained = (struct trained){.step = -1};
}
