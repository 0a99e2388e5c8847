/* Training tasks on noise. */
#include "tools/bench/noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/pictures.h"
#include "train/classify.h"
#include "train/views.h"
#include "ttt/base/random.h"
#include "vision/lact_nvs.h"

/* Copies an input to host memory of the plan's device. */
static ttt_status take(struct bench_noise *noise, ttt_plan *plan, int i)
{
    ttt_dtype dtype;
    ttt_shape shape;
    if (!ttt_plan_describe(plan, noise->inputs[i].name, &dtype, &shape))
        return ttt_fail(TTT_ARGUMENT, "the task has no input '%s'", noise->inputs[i].name);
    const size_t bytes = (size_t)ttt_shape_elements(shape) * ttt_dtype_size(dtype);
    noise->device = ttt_plan_device(plan);
    TRY(ttt_device_allocate_host(noise->device, bytes, &noise->inputs[i].fed));
    memcpy(noise->inputs[i].fed, noise->inputs[i].values, bytes);
    return TTT_OK;
}

static ttt_status feed(void *context, ttt_plan *plan, struct fed *fed)
{
    struct bench_noise *noise = context;
    *fed = (struct fed){.samples = noise->config->train.batch_size};
    for (int i = 0; i < BENCH_NOISE_INPUTS && noise->inputs[i].name; i++) {
        if (!noise->inputs[i].fed)
            TRY(take(noise, plan, i));
        TRY(ttt_plan_write_later(plan, noise->inputs[i].name, noise->inputs[i].fed));
    }
    return TTT_OK;
}

static ttt_status classify_parameters(void *context, struct parameter **list, int *count)
{
    const struct bench_noise *noise = context;
    return vittt_parameters(&noise->config->model.vittt, list, count);
}

static ttt_status classify_initialise(void *context, ttt_store *store, uint64_t seed)
{
    const struct bench_noise *noise = context;
    return vittt_initialise(&noise->config->model.vittt, store, seed);
}

static ttt_tensor classify_noise_loss(void *context, ttt_graph *g, ttt_tensor step, int batch)
{
    const struct bench_noise *noise = context;
    return classify_loss(g, noise->config, step, batch);
}

static ttt_status make_classify(struct bench_noise *noise)
{
    const struct vittt_config *model = &noise->config->model.vittt;
    const int batch = noise->config->train.batch_size;
    noise->items = "pictures";
    snprintf(noise->about, sizeof noise->about, "pictures of %dx%d pixels", model->image_height,
             model->image_width);
    noise->task.parameters = classify_parameters;
    noise->task.initialise = classify_initialise;
    noise->task.loss = classify_noise_loss;
    noise->inputs[0].name = "images";
    noise->inputs[1].name = "target";
    TRY(bench_pictures(model, batch, &noise->inputs[0].values));
    return bench_targets(model, batch, &noise->inputs[1].values);
}

static ttt_status views_parameters(void *context, struct parameter **list, int *count)
{
    const struct bench_noise *noise = context;
    return lact_nvs_parameters(&noise->config->model.lact, list, count);
}

static ttt_status views_initialise(void *context, ttt_store *store, uint64_t seed)
{
    struct parameter *parameters;
    int count;
    TRY(views_parameters(context, &parameters, &count));
    ttt_status status = parameters_initialise(parameters, count, store, seed);
    free(parameters);
    return status;
}

static ttt_tensor views_noise_loss(void *context, ttt_graph *g, ttt_tensor step, int batch)
{
    const struct bench_noise *noise = context;
    (void)step;
    return views_loss(g, noise->config, batch);
}

/* Camera `i` of `count`, camera to world: on a circle around the origin, its height the y axis. */
static void set_camera(int64_t i, int64_t count, float c2w[16])
{
    const double angle = 2 * M_PI * (double)i / (double)count, s = sin(angle), c = cos(angle);
    const double rows[16] = {c, 0, -s, 2 * s, 0, 1, 0, 0, s, 0, c, -2 * c, 0, 0, 0, 1};
    for (int k = 0; k < 16; k++)
        c2w[k] = (float)rows[k];
}

ttt_status bench_noise_views(const struct lact_nvs_config *model, int64_t count, struct view_block *block)
{
    const int64_t picture = (int64_t)3 * model->image_height * model->image_width;
    ttt_random random = ttt_random_start(0, TTT_RANDOM_TEST, 2, 0);
    *block = (struct view_block){.images = calloc((size_t)(count * (picture + 20)), sizeof(float))};
    if (!block->images)
        return ttt_fail(TTT_MEMORY, "no memory for %lld views", (long long)count);
    block->fxfycxcy = block->images + count * picture;
    block->c2w = block->fxfycxcy + count * 4;
    for (int64_t i = 0; i < count * picture; i++)
        block->images[i] = ttt_random_uniform_f32(&random);
    for (int64_t i = 0; i < count; i++) {
        const float width = (float)model->image_width, height = (float)model->image_height;
        memcpy(block->fxfycxcy + 4 * i, (float[]){width, width, width / 2, height / 2}, 4 * sizeof(float));
        set_camera(i, count, block->c2w + 16 * i);
    }
    return TTT_OK;
}

static ttt_status make_views(struct bench_noise *noise)
{
    static const char *const names[2][3] = {{"input_images", "input_fxfycxcy", "input_c2w"},
                                            {"target_images", "target_fxfycxcy", "target_c2w"}};
    const struct lact_nvs_config *model = &noise->config->model.lact;
    const int counts[2] = {model->num_input_views, model->num_target_views};
    noise->items = "scenes";
    snprintf(noise->about, sizeof noise->about, "scenes of %d input and %d target views of %dx%d pixels",
             counts[0], counts[1], model->image_height, model->image_width);
    noise->task.parameters = views_parameters;
    noise->task.initialise = views_initialise;
    noise->task.loss = views_noise_loss;
    for (int i = 0; i < 2; i++) {
        struct view_block block;
        TRY(bench_noise_views(model, (int64_t)noise->config->train.batch_size * counts[i], &block));
        float *const values[3] = {block.images, block.fxfycxcy, block.c2w};
        for (int k = 0; k < 3; k++) {
            noise->inputs[3 * i + k].name = names[i][k];
            noise->inputs[3 * i + k].values = values[k];
        }
    }
    return TTT_OK;
}

ttt_status bench_noise_create(const struct run_config *config, struct bench_noise *noise)
{
    *noise = (struct bench_noise){.config = config, .task = {.context = noise, .feed = feed}};
    ttt_status status = config->task == TASK_VIEWS ? make_views(noise) : make_classify(noise);
    if (status)
        bench_noise_free(noise);
    return status;
}

void bench_noise_free(struct bench_noise *noise)
{
    /* Of a block of views the pictures' memory is that of the cameras too. */
    for (int i = 0; i < BENCH_NOISE_INPUTS; i++)
        if (noise->inputs[i].fed)
            ttt_device_release_host(noise->device, noise->inputs[i].fed);
    const bool views = noise->items && strcmp(noise->items, "scenes") == 0;
    for (int i = 0; i < BENCH_NOISE_INPUTS; i += views ? 3 : 1)
        free(noise->inputs[i].values);
    *noise = (struct bench_noise){0};
}
