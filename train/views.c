/* Training a view synthesis model and judging it. */
#include "train/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/config/device.h"
#include "train/run_folder.h"
#include "ttt/base/clock.h"
#include "ttt/ops/mse/mse.h"

struct views {
    struct train_task task;
    const struct run_config *config;
    const struct views_observer *observer;
    struct views_sample samples[2]; /* by enum views_use */
    struct scene_set train, val;
    struct scene_loader *loader;
};

static ttt_status parameters(void *context, struct parameter **list, int *count)
{
    const struct views *v = context;
    return lact_nvs_parameters(&v->config->model.lact, list, count);
}

static ttt_status initialise(void *context, ttt_store *store, uint64_t seed)
{
    struct parameter *list;
    int count;
    TRY(parameters(context, &list, &count));
    ttt_status status = parameters_initialise(list, count, store, seed);
    free(list);
    return status;
}

static struct lact_nvs_views add_views(ttt_graph *g, const char *name, int batch, int count,
                                       const struct lact_nvs_config *model)
{
    char text[3][32];
    snprintf(text[0], sizeof text[0], "%s_fxfycxcy", name);
    snprintf(text[1], sizeof text[1], "%s_c2w", name);
    snprintf(text[2], sizeof text[2], "%s_images", name);
    return (struct lact_nvs_views){
        .fxfycxcy = ttt_input(g, text[0], TTT_F32, ttt_dims(batch, count, 4)),
        .c2w = ttt_input(g, text[1], TTT_F32, ttt_dims(batch, count, 4, 4)),
        .images = ttt_input(g, text[2], TTT_F32,
                            ttt_dims(batch, count, 3, model->image_height, model->image_width)),
    };
}

ttt_tensor views_loss(ttt_graph *g, const struct run_config *config, int batch)
{
    const struct lact_nvs_config *model = &config->model.lact;
    struct lact_nvs_views inputs = add_views(g, "input", batch, model->num_input_views, model);
    struct lact_nvs_views targets = add_views(g, "target", batch, model->num_target_views, model);
    ttt_tensor truth = targets.images;
    targets.images = TTT_NONE;
    return ttt_mse(g, lact_nvs_forward(g, model, "", &inputs, &targets), truth);
}

static ttt_tensor loss(void *context, ttt_graph *g, ttt_tensor step, int batch)
{
    const struct views *v = context;
    (void)step;
    return views_loss(g, v->config, batch);
}

static int64_t batches(void *context)
{
    const struct views *v = context;
    const int64_t size = v->config->train.batch_size;
    return (v->train.count + size - 1) / size;
}

static void say(void *context, const char *line)
{
    const struct views *v = context;
    if (v->observer && v->observer->say)
        v->observer->say(v->observer->context, line);
}

static ttt_status start(void *context, ttt_device *device, uint64_t epoch, uint64_t batch)
{
    struct views *v = context;
    const struct run_config *config = v->config;
    const struct scene_loader_options options = {.sample = v->samples[VIEWS_TO_TRAIN].options,
                                                 .batch_size = config->train.batch_size,
                                                 .threads = config->data.threads,
                                                 .prefetch = config->data.prefetch,
                                                 .cache_bytes = (size_t)config->data.cache,
                                                 .device = device,
                                                 .seed = (uint64_t)config->run.seed,
                                                 .first_step = epoch * (uint64_t)batches(v) + batch,
                                                 .report = say,
                                                 .context = v};
    scene_loader_destroy(v->loader);
    v->loader = NULL;
    return scene_loader_create(&v->train, &options, &v->loader);
}

static ttt_status feed(void *context, ttt_plan *plan, struct fed *fed)
{
    struct views *v = context;
    struct scene_batch batch;
    TRY(scene_loader_next(v->loader, &batch));
    fed->samples = v->config->train.batch_size;
    fed->waited = batch.waited;
    TRY(ttt_plan_write_later(plan, "input_images", batch.inputs.images));
    TRY(ttt_plan_write_later(plan, "input_fxfycxcy", batch.inputs.fxfycxcy));
    TRY(ttt_plan_write_later(plan, "input_c2w", batch.inputs.c2w));
    TRY(ttt_plan_write_later(plan, "target_images", batch.targets.images));
    TRY(ttt_plan_write_later(plan, "target_fxfycxcy", batch.targets.fxfycxcy));
    return ttt_plan_write_later(plan, "target_c2w", batch.targets.c2w);
}

struct views_options views_evaluation_options(const struct run_config *config,
                                              const struct views_sample *sample)
{
    return (struct views_options){.prefix = "",
                                  .sample = sample->options,
                                  .seed = (uint64_t)config->run.seed,
                                  .tokens_per_pass = config->eval.tokens_per_pass,
                                  .dtype = config->device.dtype,
                                  .plan = config_plan_options(&config->device)};
}

static ttt_status plan_evaluation(void *context, ttt_store *store, const char *prefix,
                                  ttt_plan_memory *memory)
{
    const struct views *v = context;
    struct views_options options = views_evaluation_options(v->config, &v->samples[VIEWS_TO_EVALUATE]);
    options.prefix = prefix;
    options.plan.memory_limit = INT64_MAX;
    return views_memory(&v->config->model.lact, store, &v->val, &options, memory);
}

static ttt_status evaluate(void *context, ttt_store *store, const char *prefix, struct evaluation *evaluation)
{
    struct views *v = context;
    struct views_options options = views_evaluation_options(v->config, &v->samples[VIEWS_TO_EVALUATE]);
    struct views_result result;
    const double began = ttt_seconds();
    options.prefix = prefix;
    if (v->observer) {
        options.progress = v->observer->evaluation;
        options.report = v->observer->say;
        options.context = v->observer->context;
    }
    TRY(views_run(&v->config->model.lact, store, &v->val, &options, &result));
    const struct views_likeness *all = &result.likeness;
    *evaluation = (struct evaluation){.values = {{"psnr", all->psnr},
                                                 {"ssim", all->ssim},
                                                 {"nearest_psnr", all->nearest_psnr},
                                                 {"mean_colour_psnr", all->mean_colour_psnr}},
                                      .count = 4,
                                      .best = 0,
                                      .seconds = ttt_seconds() - began,
                                      .samples = result.target_count,
                                      .skipped = result.skipped};
    views_result_free(&result);
    return TTT_OK;
}

static int64_t skipped(void *context)
{
    const struct views *v = context;
    return (int64_t)v->train.skipped + (v->loader ? scene_loader_bad_scenes(v->loader) : 0);
}

/* The choice of views that the keys describe. */
static ttt_status read_choice(const struct config_views *views, struct views_sample *sample)
{
    struct view_choice *choice = &sample->options.choice;
    choice->order = views->order;
    TRY(view_rule_parse(views->inputs, &choice->input_rule));
    TRY(view_rule_parse(views->targets, &choice->target_rule));
    if (views->order == VIEWS_INDEXED)
        TRY(view_index_open(views->index, &sample->index));
    choice->index = sample->index;
    return TTT_OK;
}

ttt_status views_sample_create(const struct run_config *config, enum views_use use,
                               struct views_sample *sample)
{
    const struct lact_nvs_config *model = &config->model.lact;
    const struct config_eval *eval = &config->eval;
    const bool train = use == VIEWS_TO_TRAIN;
    *sample = (struct views_sample){.options = {.height = model->image_height,
                                                .width = model->image_width,
                                                .normalisation = config->data.poses,
                                                .factor = config->data.pose_scale,
                                                .scope = config->data.pose_scope}};
    struct view_choice *choice = &sample->options.choice;
    choice->inputs = train || !eval->num_input_views ? model->num_input_views : eval->num_input_views;
    choice->targets = train ? model->num_target_views : eval->num_target_views;
    ttt_status status = read_choice(train ? &config->data.views : &eval->views, sample);
    if (status)
        views_sample_free(sample);
    return status;
}

void views_sample_free(struct views_sample *sample)
{
    view_index_free(sample->index);
    *sample = (struct views_sample){0};
}

ttt_status views_set_open(const struct run_config *config, enum views_use use, const char *path,
                          const struct views_sample *sample, struct scene_set *set)
{
    const struct config_data *data = &config->data;
    const char *part = use == VIEWS_TO_TRAIN ? data->train : data->val;
    const struct scene_set_options options = {.choice = &sample->options.choice,
                                              .least_side = config->model.lact.patch};
    char *joined = NULL;
    *set = (struct scene_set){0};
    if (!path && !*data->root)
        return ttt_fail(TTT_ARGUMENT,
                        "data.root is not set: name a scene, a list of scenes or a folder of them");
    if (!path && *part)
        TRY(path_join(data->root, part, &joined));
    ttt_status status = scene_set_open(path ? path : joined ? joined : data->root, &options, set);
    free(joined);
    return status;
}

static ttt_status open_set(struct views *v, enum views_use use, struct scene_set *set)
{
    TRY(views_sample_create(v->config, use, &v->samples[use]));
    return views_set_open(v->config, use, NULL, &v->samples[use], set);
}

/* Where both sets are one folder, what is wrong with it is said once. */
static void report_skipped(struct views *v)
{
    const struct scene_set *train = &v->train, *val = &v->val;
    scene_set_report(train, say, v);
    if (train->skipped != val->skipped ||
        (val->skipped && strcmp(train->skipped_lines[0], val->skipped_lines[0]) != 0))
        scene_set_report(val, say, v);
}

/* The model is planned for the config's numbers of views, which an index file need not follow. */
static ttt_status check_counts(const struct views *v)
{
    const struct lact_nvs_config *model = &v->config->model.lact;
    for (uint32_t i = 0; i < v->train.count; i++) {
        int inputs, targets;
        TRY(view_choice_counts(&v->samples[VIEWS_TO_TRAIN].options.choice, &v->train.scenes[i], &inputs,
                               &targets));
        if (inputs != model->num_input_views || targets != model->num_target_views)
            return ttt_fail(
                TTT_ARGUMENT,
                "%s: data.view_index gives %d input and %d target views; model.num_input_views is "
                "%d and model.num_target_views %d",
                v->train.scenes[i].path, inputs, targets, model->num_input_views, model->num_target_views);
    }
    return TTT_OK;
}

ttt_status views_create(const struct run_config *config, const struct views_observer *observer,
                        struct views **views)
{
    struct views *v = calloc(1, sizeof *v);
    *views = NULL;
    if (!v)
        return ttt_fail(TTT_MEMORY, "no memory for the task");
    v->config = config;
    v->observer = observer;
    v->task = (struct train_task){
        .context = v,
        .parameters = parameters,
        .initialise = initialise,
        .loss = loss,
        .batches = batches,
        .start = start,
        .feed = feed,
        .plan_evaluation = plan_evaluation,
        .evaluation_advice = "eval.tokens_per_pass bounds what an evaluation needs (0: all tokens at once)",
        .evaluate = evaluate,
        .skipped = skipped,
    };
    ttt_status status = open_set(v, VIEWS_TO_TRAIN, &v->train);
    if (!status)
        status = check_counts(v);
    if (!status)
        status = open_set(v, VIEWS_TO_EVALUATE, &v->val);
    if (status) {
        views_destroy(v);
        return status;
    }
    report_skipped(v);
    *views = v;
    return TTT_OK;
}

void views_destroy(struct views *v)
{
    if (!v)
        return;
    scene_loader_destroy(v->loader);
    scene_set_free(&v->train);
    scene_set_free(&v->val);
    for (int use = 0; use < 2; use++)
        views_sample_free(&v->samples[use]);
    free(v);
}

const struct train_task *views_task(const struct views *v)
{
    return &v->task;
}

const struct scene_set *views_train_set(const struct views *v)
{
    return &v->train;
}

const struct scene_set *views_val_set(const struct views *v)
{
    return &v->val;
}
