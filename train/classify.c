/* Feeding pictures to a classifier and judging it. */
#include "train/classify.h"

#include <stdlib.h>
#include <string.h>

#include "train/class_names.h"
#include "train/config/device.h"
#include "ttt/base/clock.h"
#include "ttt/ops/cross_entropy/cross_entropy.h"

struct classify {
    struct train_task task;
    struct run_config *config;
    const struct classify_observer *observer;
    struct pictures *train, *val;
    struct loader *loader;
    ttt_device *device; /* that `target` is host memory of */
    float *target;      /* (batch, classes) */
    struct classifier judge;
};

static ttt_status parameters(void *context, struct parameter **list, int *count)
{
    const struct classify *c = context;
    return vittt_parameters(&c->config->model.vittt, list, count);
}

static ttt_status initialise(void *context, ttt_store *store, uint64_t seed)
{
    const struct classify *c = context;
    return vittt_initialise(&c->config->model.vittt, store, seed);
}

ttt_tensor classify_loss(ttt_graph *g, const struct run_config *config, ttt_tensor step, int batch)
{
    const struct vittt_config *model = &config->model.vittt;
    ttt_shape shape = ttt_dims(batch, 3, model->image_height, model->image_width);
    ttt_tensor images = ttt_input(g, "images", TTT_F32, shape);
    ttt_tensor target = ttt_input(g, "target", TTT_F32, ttt_dims(batch, model->classes));
    ttt_tensor logits = vittt_forward(g, model, "", images, step, (uint64_t)config->run.seed);
    return ttt_cross_entropy(g, logits, target);
}

static ttt_tensor loss(void *context, ttt_graph *g, ttt_tensor step, int batch)
{
    const struct classify *c = context;
    return classify_loss(g, c->config, step, batch);
}

static int64_t batches(void *context)
{
    const struct classify *c = context;
    int64_t pictures = c->train->count, size = c->config->train.batch_size;
    return c->config->data.drop_last ? pictures / size : (pictures + size - 1) / size;
}

static void report_bad_file(void *context, const char *line)
{
    const struct classify *c = context;
    if (c->observer && c->observer->say)
        c->observer->say(c->observer->context, line);
}

struct loader_options classify_loader_options(const struct run_config *config)
{
    const struct config_data *data = &config->data;
    struct picture_transform transform =
        picture_transform_default(config->model.vittt.image_height, config->model.vittt.image_width);
    transform.filter = data->interpolation;
    transform.area_min = data->crop_area[0];
    transform.area_max = data->crop_area[1];
    transform.ratio_min = data->crop_ratio[0];
    transform.ratio_max = data->crop_ratio[1];
    transform.flip = data->flip;
    transform.eval_crop = data->eval_crop;
    memcpy(transform.mean, data->mean, sizeof transform.mean);
    memcpy(transform.deviation, data->std, sizeof transform.deviation);

    struct loader_options options = {.batch_size = config->train.batch_size,
                                     .threads = data->threads,
                                     .prefetch = data->prefetch,
                                     .drop_last = data->drop_last,
                                     .bad_file = data->on_bad,
                                     .seed = (uint64_t)config->run.seed};
    options.sample.train = true;
    options.sample.transform = transform;
    options.sample.decode = decode_options_default();
    options.sample.decode.max_pixels = (uint64_t)data->max_pixels;
    return options;
}

static ttt_status take_target(struct classify *c, ttt_device *device)
{
    const size_t count = (size_t)c->config->train.batch_size * (size_t)c->config->model.vittt.classes;
    if (c->target)
        return TTT_OK;
    c->device = device;
    return ttt_device_allocate_host(device, count * sizeof *c->target, (void **)&c->target);
}

static ttt_status start(void *context, ttt_device *device, uint64_t epoch, uint64_t batch)
{
    struct classify *c = context;
    struct loader_options options = classify_loader_options(c->config);
    TRY(take_target(c, device));
    options.device = device;
    options.first_epoch = epoch;
    options.first_batch = batch;
    options.report = report_bad_file;
    options.context = c;
    loader_destroy(c->loader);
    c->loader = NULL;
    return loader_create(c->train, &options, &c->loader);
}

/* Smoothed one-hot rows.  A batch with fewer pictures has rows of zeros behind them, which cost nothing and
 * pass no gradient; the others are weighted so that the mean is over the pictures there are. */
static void fill_target(struct classify *c, const struct batch *batch)
{
    const int classes = c->config->model.vittt.classes, size = c->config->train.batch_size;
    const float smoothing = (float)c->config->train.label_smoothing,
                weight = (float)size / (float)batch->count;
    const float off = weight * smoothing / (float)classes, on = weight * (1 - smoothing) + off;
    memset(c->target, 0, (size_t)size * (size_t)classes * sizeof *c->target);
    for (int i = 0; i < batch->count; i++)
        for (int k = 0; k < classes; k++)
            c->target[(size_t)i * (size_t)classes + (size_t)k] = k == batch->labels[i] ? on : off;
}

static ttt_status feed(void *context, ttt_plan *plan, struct fed *fed)
{
    struct classify *c = context;
    struct batch batch;
    TRY(loader_next(c->loader, &batch));
    fill_target(c, &batch);
    fed->samples = batch.count;
    fed->waited = batch.waited;
    TRY(ttt_plan_write_later(plan, "images", batch.images));
    return ttt_plan_write_later(plan, "target", c->target);
}

/* The classifier is planned with the step, takes memory at the first evaluation, and is kept for the next. */
static ttt_status plan_evaluation(void *context, ttt_store *store, const char *prefix,
                                  ttt_plan_memory *memory)
{
    struct classify *c = context;
    classifier_destroy(&c->judge);
    struct classifier_options options = {.prefix = prefix,
                                         .batch = c->config->eval.batch_size,
                                         .dtype = c->config->device.dtype,
                                         .plan = config_plan_options(&c->config->device)};
    options.plan.memory_limit = INT64_MAX;
    TRY(classifier_create(&c->config->model.vittt, store, &options, &c->judge));
    *memory = ttt_plan_memory_of(c->judge.plan);
    return TTT_OK;
}

static ttt_status evaluate(void *context, ttt_store *store, const char *prefix, struct evaluation *evaluation)
{
    struct classify *c = context;
    struct loader_options options = classify_loader_options(c->config);
    options.device = ttt_store_device(store);
    classification_counts counts;
    double began = ttt_seconds();
    options.report = report_bad_file;
    options.context = c;
    (void)prefix; /* it was planned for */
    if (!c->judge.logits)
        TRY(classifier_prepare(&c->judge));
    TRY(classification_run(&c->judge, c->val, &options,
                           c->observer ? c->observer->evaluation : (struct classification_progress){0},
                           &counts));
    double total = (double)counts.total;
    *evaluation = (struct evaluation){.values = {{"loss", counts.loss_sum / total},
                                                 {"top1", 100 * (double)counts.top1 / total},
                                                 {"top5", 100 * (double)counts.top5 / total}},
                                      .count = 3,
                                      .best = 1,
                                      .seconds = ttt_seconds() - began,
                                      .samples = counts.total,
                                      .skipped = (int64_t)c->val->count - counts.total};
    classification_counts_free(&counts);
    return TTT_OK;
}

static ttt_status record(void *context, const char *folder)
{
    const struct classify *c = context;
    return class_names_write(c->train, folder);
}

static int64_t skipped(void *context)
{
    const struct classify *c = context;
    return c->loader ? loader_statistics(c->loader).bad_files : 0;
}

static ttt_status open_sets(struct classify *c)
{
    const struct config_data *data = &c->config->data;
    struct vittt_config *model = &c->config->model.vittt;
    if (!*data->root)
        return ttt_fail(TTT_ARGUMENT, "data.root is not set: name the folder that holds %s/ and %s/",
                        data->train, data->val);
    TRY(pictures_open(data->root, data->train, NULL, &c->train));
    TRY(pictures_open(data->root, data->val, c->train, &c->val));
    int found = (int)c->train->class_count;
    if (model->classes && model->classes != found)
        return ttt_fail(TTT_ARGUMENT, "model.classes is %d, but %s has %d classes", model->classes,
                        c->train->folder, found);
    model->classes = found;
    if (!batches(c))
        return ttt_fail(TTT_ARGUMENT,
                        "%s has %u pictures, fewer than train.batch_size %d, and data.drop_last is set",
                        c->train->folder, c->train->count, c->config->train.batch_size);
    return vittt_config_check(model);
}

ttt_status classify_create(struct run_config *config, const struct classify_observer *observer,
                           struct classify **classify)
{
    struct classify *c = calloc(1, sizeof *c);
    *classify = NULL;
    if (!c)
        return ttt_fail(TTT_MEMORY, "no memory for the task");
    c->config = config;
    c->observer = observer;
    c->task = (struct train_task){
        .context = c,
        .parameters = parameters,
        .initialise = initialise,
        .loss = loss,
        .batches = batches,
        .start = start,
        .feed = feed,
        .plan_evaluation = plan_evaluation,
        .evaluation_advice = "a smaller eval.batch_size needs less",
        .evaluate = evaluate,
        .record = record,
        .skipped = skipped,
    };
    ttt_status status = open_sets(c);
    if (status) {
        classify_destroy(c);
        return status;
    }
    *classify = c;
    return TTT_OK;
}

void classify_destroy(struct classify *c)
{
    if (!c)
        return;
    loader_destroy(c->loader);
    classifier_destroy(&c->judge);
    pictures_free(c->train);
    pictures_free(c->val);
    if (c->target)
        ttt_device_release_host(c->device, c->target);
    free(c);
}

const struct train_task *classify_task(const struct classify *c)
{
    return &c->task;
}

const struct pictures *classify_train_set(const struct classify *c)
{
    return c->train;
}

const struct pictures *classify_val_set(const struct classify *c)
{
    return c->val;
}
