/* The table of a view-synthesis model: layers, parameters, FLOPs, predicted memory. */
#include "tools/info_views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/view_renderer.h"
#include "train/config/device.h"
#include "train/step.h"
#include "train/views.h"

static ttt_status task_parameters(void *context, struct parameter **parameters, int *count)
{
    const struct run_config *config = context;
    return lact_nvs_parameters(&config->model.lact, parameters, count);
}

static ttt_tensor task_loss(void *context, ttt_graph *g, ttt_tensor step, int batch)
{
    (void)step;
    return views_loss(g, context, batch);
}

/* Tokens are made before the blocks, pictures after them. */
static int group_of(const struct lact_nvs_config *config, const char *name)
{
    int block;
    if (sscanf(name, "blocks.%d.", &block) == 1 && block >= 0 && block < config->depth)
        return 1 + block;
    return strncmp(name, "image_token_decoder", strlen("image_token_decoder")) ? 0 : config->depth + 1;
}

static ttt_status name_groups(const struct lact_nvs_config *config, struct info_model *model)
{
    const int views = config->num_input_views + config->num_target_views;
    const ttt_shape tokens = ttt_dims(
        views, config->image_height / config->patch * (config->image_width / config->patch), config->width);
    model->count = config->depth + 2;
    model->groups = calloc((size_t)model->count, sizeof *model->groups);
    if (!model->groups)
        return ttt_fail(TTT_MEMORY, "out of memory for a table of layers");
    for (int i = 0; i < model->count; i++) {
        model->groups[i].output = tokens;
        snprintf(model->groups[i].name, sizeof model->groups[i].name, "blocks.%d", i - 1);
    }
    strcpy(model->groups[0].name, "tokens");
    strcpy(model->groups[model->count - 1].name, "image_token_decoder");
    model->groups[model->count - 1].output =
        ttt_dims(config->num_target_views, 3, config->image_height, config->image_width);
    return TTT_OK;
}

static ttt_status count_parameters(const struct lact_nvs_config *config, struct info_model *model)
{
    struct parameter *parameters;
    int count;
    TRY(lact_nvs_parameters(config, &parameters, &count));
    for (int i = 0; i < count; i++) {
        const int64_t elements = ttt_shape_elements(parameters[i].shape);
        model->groups[group_of(config, parameters[i].name)].parameters += elements;
        model->parameters += elements;
    }
    free(parameters);
    return TTT_OK;
}

/* The forward pass of one scene's inputs and targets, with its loss. */
static ttt_status count_flops(const struct run_config *config, ttt_store *store, struct info_model *model)
{
    const ttt_plan_options options = {.implementations =
                                          config_plan_options(&config->device).implementations};
    ttt_graph *g;
    ttt_plan *plan = NULL;
    ttt_node_profile *nodes = NULL;
    int count = 0;
    TRY(ttt_graph_create(&g));
    ttt_graph_target_device(g, ttt_store_device(store), config->device.dtype);
    ttt_output(g, "loss", views_loss(g, config, 1));
    ttt_status status = ttt_plan_create(g, store, &options, &plan);
    if (!status)
        status = ttt_plan_costs(plan, &nodes, &count);
    for (int i = 0; i < count && !status; i++) {
        model->groups[group_of(&config->model.lact, nodes[i].name)].flops += nodes[i].flops;
        model->flops += nodes[i].flops;
    }
    free(nodes);
    ttt_plan_destroy(plan);
    ttt_graph_destroy(g);
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

static ttt_status plan_rendering(const struct run_config *config, ttt_store *store, struct info_model *model)
{
    const struct lact_nvs_config *lact = &config->model.lact;
    const int inputs = config->eval.num_input_views ? config->eval.num_input_views : lact->num_input_views;
    const struct view_renderer_options options = {
        .prefix = "",
        .inputs = inputs,
        .at_once = view_renderer_views_at_once(lact, INT32_MAX),
        .tokens_per_pass = config->eval.tokens_per_pass,
        .once = true,
        .dtype = config->device.dtype,
        .plan = config_plan_options(&config->device),
    };
    struct view_renderer renderer;
    struct info_use *reconstruct = &model->reconstruct, *render = &model->render;
    reconstruct->batch = inputs;
    render->batch = options.at_once;
    ttt_status status = view_renderer_create(lact, store, &options, &renderer);
    if (status) {
        TRY(refuse(status, reconstruct));
        memcpy(render->refused, reconstruct->refused, sizeof render->refused);
        return TTT_OK;
    }
    const struct view_renderer_memory *m = &renderer.memory;
    reconstruct->flops = renderer.reconstruct_flops;
    reconstruct->memory = (ttt_plan_memory){m->variables, m->reconstruct, m->variables + m->reconstruct};
    render->flops = renderer.render_flops;
    render->memory = (ttt_plan_memory){m->variables, m->render, m->variables + m->render};
    view_renderer_destroy(&renderer);
    return TTT_OK;
}

static ttt_status plan_training(struct run_config *config, ttt_store *store, struct info_use *use)
{
    const struct train_task task = {.context = config, .parameters = task_parameters, .loss = task_loss};
    struct train_step step;
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
    TRY(lact_nvs_config_check(&config->model.lact));
    TRY(name_groups(&config->model.lact, model));
    TRY(count_parameters(&config->model.lact, model));
    TRY(count_flops(config, store, model));
    TRY(plan_rendering(config, store, model));
    return plan_training(config, store, &model->training);
}

ttt_status info_views_create(struct run_config *config, ttt_device *device, struct info_model *model)
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
