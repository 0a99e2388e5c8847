/* The table of a model: layers, parameters, FLOPs, predicted memory. */
#include "tools/info_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pictures.h"
#include "eval/classifier.h"
#include "train/classify.h"
#include "train/config/device.h"
#include "train/step.h"

/* What the published models are made for. */
enum { USUAL_CLASSES = 1000 };

static ttt_status task_parameters(void *context, struct parameter **parameters, int *count)
{
    const struct run_config *config = context;
    return vittt_parameters(&config->model.vittt, parameters, count);
}

static ttt_tensor task_loss(void *context, ttt_graph *g, ttt_tensor step, int batch)
{
    return classify_loss(g, context, step, batch);
}

/* The training task of a config without its data: enough to plan a step. */
static struct train_task task_of(struct run_config *config)
{
    return (struct train_task){.context = config, .parameters = task_parameters, .loss = task_loss};
}

/* Settles the number of classes when the config leaves it to the data. */
static void find_classes(struct run_config *config, struct info_model *model)
{
    const struct config_data *data = &config->data;
    struct pictures *set = NULL;
    if (config->model.vittt.classes)
        return;
    ttt_status status = *data->root ? pictures_open(data->root, data->train, NULL, &set)
                                    : ttt_fail(TTT_ARGUMENT, "data.root is not set");
    if (status) {
        config->model.vittt.classes = USUAL_CLASSES;
        snprintf(model->classes_note, sizeof model->classes_note, "assumed: %s", ttt_status_text(status));
        ttt_status_free(status);
        return;
    }
    config->model.vittt.classes = (int)set->class_count;
    snprintf(model->classes_note, sizeof model->classes_note, "those of %s", set->folder);
    pictures_free(set);
}

/* The group that a parameter or a node belongs to, by its name. */
static int group_of(const struct vittt_config *config, const char *name)
{
    int block;
    if (!strncmp(name, "patch_embed", strlen("patch_embed")))
        return 0;
    if (sscanf(name, "blocks.%d.", &block) == 1 && block >= 0 && block < config->depth)
        return 1 + block;
    return 1 + config->depth;
}

static ttt_status name_groups(const struct vittt_config *config, struct info_model *model)
{
    const ttt_shape tokens =
        ttt_dims(config->image_height / config->patch, config->image_width / config->patch, config->width);
    model->count = config->depth + 2;
    model->groups = calloc((size_t)model->count, sizeof *model->groups);
    if (!model->groups)
        return ttt_fail(TTT_MEMORY, "out of memory for a table of layers");
    for (int i = 0; i < model->count; i++) {
        struct info_group *group = &model->groups[i];
        group->output = i <= config->depth ? tokens : ttt_dims(config->classes);
        snprintf(group->name, sizeof group->name, "blocks.%d", i - 1);
    }
    strcpy(model->groups[0].name, "patch_embed");
    strcpy(model->groups[model->count - 1].name, "head");
    return TTT_OK;
}

static ttt_status count_parameters(const struct vittt_config *config, struct info_model *model)
{
    struct parameter *parameters;
    int count;
    TRY(vittt_parameters(config, &parameters, &count));
    for (int i = 0; i < count; i++) {
        int64_t elements = ttt_shape_elements(parameters[i].shape);
        model->groups[group_of(config, parameters[i].name)].parameters += elements;
        model->parameters += elements;
    }
    free(parameters);
    return TTT_OK;
}

static ttt_status classifier_of(const struct run_config *config, ttt_store *store, int batch,
                                struct classifier *classifier)
{
    const struct classifier_options options = {.prefix = "",
                                               .batch = batch,
                                               .dtype = config->device.dtype,
                                               .plan = config_plan_options(&config->device)};
    return classifier_create(&config->model.vittt, store, &options, classifier);
}

static ttt_status count_flops(const struct run_config *config, ttt_store *store, struct info_model *model)
{
    struct classifier classifier;
    ttt_node_profile *nodes;
    int count;
    TRY(classifier_of(config, store, 1, &classifier));
    ttt_status status = ttt_plan_costs(classifier.plan, &nodes, &count);
    if (!status) {
        for (int i = 0; i < count; i++)
            model->groups[group_of(&config->model.vittt, nodes[i].name)].flops += nodes[i].flops;
        model->flops = ttt_plan_flops(classifier.plan);
        free(nodes);
    }
    classifier_destroy(&classifier);
    return status;
}

/* A use that does not fit is an answer, not a failure. */
static ttt_status refuse(ttt_status status, struct info_use *use)
{
    if (!status || ttt_status_code(status) != TTT_MEMORY)
        return status;
    snprintf(use->refused, sizeof use->refused, "%s", ttt_status_text(status));
    ttt_status_free(status);
    return TTT_OK;
}

static ttt_status plan_inference(const struct run_config *config, ttt_store *store, struct info_use *use)
{
    struct classifier classifier;
    use->batch = config->eval.batch_size;
    ttt_status status = classifier_of(config, store, use->batch, &classifier);
    if (status)
        return refuse(status, use);
    use->flops = ttt_plan_flops(classifier.plan);
    use->memory = ttt_plan_memory_of(classifier.plan);
    classifier_destroy(&classifier);
    return TTT_OK;
}

static ttt_status plan_training(struct run_config *config, ttt_store *store, struct info_use *use)
{
    struct train_step step;
    const struct train_task task = task_of(config);
    use->batch = config->train.batch_size;
    ttt_status status = train_step_create(&task, config, store, &step);
    if (status)
        return refuse(status, use);
    use->flops = ttt_plan_flops(step.pass) * step.accumulate;
    if (step.update)
        use->flops += ttt_plan_flops(step.update);
    use->memory = train_step_memory(&step);
    train_step_destroy(&step);
    return TTT_OK;
}

static ttt_status describe(struct run_config *config, ttt_store *store, struct info_model *model)
{
    find_classes(config, model);
    TRY(vittt_config_check(&config->model.vittt));
    TRY(name_groups(&config->model.vittt, model));
    TRY(count_parameters(&config->model.vittt, model));
    TRY(count_flops(config, store, model));
    TRY(plan_inference(config, store, &model->inference));
    return plan_training(config, store, &model->training);
}

ttt_status info_model_create(struct run_config *config, ttt_device *device, struct info_model *model)
{
    ttt_store *store;
    *model = (struct info_model){0};
    TRY(ttt_store_create(device, &store));
    ttt_status status = describe(config, store, model);
    ttt_store_destroy(store);
    if (status)
        info_model_free(model);
    return status;
}

void info_model_free(struct info_model *model)
{
    free(model->groups);
    *model = (struct info_model){0};
}
