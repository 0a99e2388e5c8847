/* Kind lact_model: a whole view-synthesis model; gradients are those of the mean squared error.  The pictures
 * are made once more by reconstructing the scene, in passes of several lengths, and rendering it. */
#include "vision/lact_nvs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/verify/cancelling.h"
#include "tools/verify/computation.h"
#include "tools/verify/kind.h"
#include "ttt/ops/mse/mse.h"

enum { SIZE_MAX_READ = 65536, DEPTH_MAX = 1024, PATCH_MAX = 1024, MULTI_MAX = 64 };

struct model {
    struct lact_nvs_config config;
    int64_t batch;
    int count;
    struct parameter *parameters;
    ttt_tensor *tensors, *gradients; /* (count) */
};

/* Sizes from the metadata; those of pictures and the numbers of views from the tensors. */
static ttt_status read_config(const struct fixture *fixture, struct model *model)
{
    const safetensors_tensor *images, *truth;
    struct lact_nvs_config *config = &model->config;
    int inter_multi;
    *config = (struct lact_nvs_config){.base_lr = 0.01, .muon_update_steps = 5}; /* as the reference has it */
    TRY(fixture_whole(fixture, "shape", "patch", 1, PATCH_MAX, &config->patch));
    TRY(fixture_whole(fixture, "shape", "dim", 1, SIZE_MAX_READ, &config->width));
    TRY(fixture_whole(fixture, "shape", "layers", 1, DEPTH_MAX, &config->depth));
    TRY(fixture_whole(fixture, "shape", "head_dim", 1, SIZE_MAX_READ, &config->head_dim));
    TRY(fixture_whole(fixture, "shape", "fast_head_dim", 1, SIZE_MAX_READ, &config->fast_head_dim));
    TRY(fixture_whole(fixture, "shape", "inter_multi", 1, MULTI_MAX, &inter_multi));
    TRY(fixture_variant(fixture, &config->variant));
    TRY(fixture_tensor_of_rank(fixture, "in.image", 5, &images));
    TRY(fixture_tensor_of_rank(fixture, "in.truth", 5, &truth));
    for (int i = 0; i < 5; i++)
        if (images->shape[i] > SIZE_MAX_READ || truth->shape[i] > SIZE_MAX_READ)
            return ttt_fail(TTT_FORMAT, "a side of 'in.image' or 'in.truth' is over %d", SIZE_MAX_READ);
    config->inter_multi = inter_multi;
    model->batch = images->shape[0];
    config->num_input_views = (int)images->shape[1];
    config->num_target_views = (int)truth->shape[1];
    config->image_height = (int)images->shape[3];
    config->image_width = (int)images->shape[4];
    return TTT_OK;
}

static ttt_status model_create(const struct fixture *fixture, struct model *model)
{
    *model = (struct model){0};
    TRY(read_config(fixture, model));
    TRY(lact_nvs_parameters(&model->config, &model->parameters, &model->count));
    model->tensors = calloc((size_t)model->count, sizeof *model->tensors);
    model->gradients = calloc((size_t)model->count, sizeof *model->gradients);
    return model->tensors && model->gradients ? TTT_OK : ttt_fail(TTT_MEMORY, "out of memory for a model");
}

static void model_destroy(struct model *model)
{
    free(model->parameters);
    free(model->tensors);
    free(model->gradients);
}

static ttt_shape shape_of_pictures(const struct model *m, int views)
{
    return ttt_dims(m->batch, views, 3, m->config.image_height, m->config.image_width);
}

static ttt_status add_inputs(struct computation *c, const struct model *m, struct lact_nvs_views *views)
{
    const int64_t count = m->config.num_input_views;
    TRY(computation_input(c, "in.image", shape_of_pictures(m, (int)count), &views->images));
    TRY(computation_input(c, "in.input_fxfycxcy", ttt_dims(m->batch, count, 4), &views->fxfycxcy));
    return computation_input(c, "in.input_c2w", ttt_dims(m->batch, count, 4, 4), &views->c2w);
}

static ttt_status add_targets(struct computation *c, const struct model *m, struct lact_nvs_views *views)
{
    const int64_t count = m->config.num_target_views;
    views->images = TTT_NONE;
    TRY(computation_input(c, "in.target_fxfycxcy", ttt_dims(m->batch, count, 4), &views->fxfycxcy));
    return computation_input(c, "in.target_c2w", ttt_dims(m->batch, count, 4, 4), &views->c2w);
}

static ttt_status build_forward(struct computation *c, struct model *m)
{
    struct lact_nvs_views inputs, targets;
    ttt_tensor truth;
    TRY(add_inputs(c, m, &inputs));
    TRY(add_targets(c, m, &targets));
    TRY(computation_input(c, "in.truth", shape_of_pictures(m, m->config.num_target_views), &truth));
    TRY(computation_parameters(c, m->parameters, m->count, m->tensors));

    ttt_tensor image = lact_nvs_forward(c->graph, &m->config, "", &inputs, &targets);
    ttt_tensor loss = ttt_mse(c->graph, image, truth);
    ttt_gradient(c->graph, loss, m->tensors, m->count, m->gradients);
    TRY(ttt_graph_status(c->graph));
    TRY(computation_output(c, "out.image", image));
    TRY(computation_output(c, "out.loss", loss));
    for (int i = 0; i < m->count; i++)
        TRY(computation_gradient(c, m->parameters[i].name, m->tensors[i], m->gradients[i]));
    return TTT_OK;
}

/* Another graph over the store of `whole`, whose variables are filled already. */
static ttt_status share_store(const struct computation *whole, struct computation *part)
{
    *part = (struct computation){.fixture = whole->fixture, .place = whole->place, .store = whole->store};
    TRY(ttt_graph_create(&part->graph));
    ttt_graph_target_device(part->graph, part->place.device, part->place.dtype);
    return TTT_OK;
}

static void part_destroy(struct computation *part)
{
    part->store = NULL; /* the whole's */
    computation_destroy(part);
}

static ttt_status run_part(struct computation *c)
{
    TRY(ttt_plan_create(c->graph, c->store, NULL, &c->plan));
    TRY(ttt_plan_prepare(c->plan));
    for (int i = 0; i < c->n_inputs; i++) {
        const safetensors_tensor *tensor;
        TRY(safetensors_require(c->fixture->file, c->inputs[i], &tensor));
        float *values = fixture_values(tensor);
        if (!values)
            return ttt_fail(TTT_MEMORY, "out of memory for '%s'", tensor->name);
        ttt_status status = ttt_plan_write(c->plan, c->inputs[i], values);
        free(values);
        TRY(status);
    }
    return ttt_plan_run(c->plan);
}

static ttt_status reconstruct(const struct computation *whole, const struct model *m, int64_t tokens_per_pass)
{
    struct computation part;
    struct lact_nvs_views inputs;
    TRY(share_store(whole, &part));
    ttt_status status;
    TRY_TO(add_inputs(&part, m, &inputs), cleanup);
    lact_nvs_reconstruct(part.graph, &m->config, "", &inputs, tokens_per_pass, false);
    TRY_TO(ttt_graph_status(part.graph), cleanup);
    status = run_part(&part);
cleanup:
    part_destroy(&part);
    return status;
}

/* Renders the store's state: pictures (batch, views, 3, h, w) in `values`. */
static ttt_status render(const struct computation *whole, const struct model *m, float *values)
{
    struct computation part;
    struct lact_nvs_views targets;
    TRY(share_store(whole, &part));
    ttt_status status;
    TRY_TO(add_targets(&part, m, &targets), cleanup);
    ttt_tensor image = lact_nvs_render(part.graph, &m->config, "", &targets);
    TRY_TO(ttt_graph_status(part.graph), cleanup);
    TRY_TO(computation_output(&part, "out.image", image), cleanup);
    TRY_TO(run_part(&part), cleanup);
    status = ttt_plan_read(part.plan, "out.image", values);
cleanup:
    part_destroy(&part);
    return status;
}

/* Adds a row that is named after the number of passes. */
static ttt_status report_rendered(const struct computation *whole, const struct model *m, int passes,
                                  struct report *report)
{
    const safetensors_tensor *expected;
    TRY(safetensors_require(whole->fixture->file, "out.image", &expected));
    float *values = malloc((size_t)expected->count * sizeof *values + 1);
    if (!values)
        return ttt_fail(TTT_MEMORY, "out of memory to compare 'out.image'");
    ttt_status status = render(whole, m, values);
    if (!status)
        status = report_values(report, expected, values, VERIFY_OUTPUT);
    free(values);
    TRY(status);
    char *name, *row = report->rows[report->count - 1].name;
    if (asprintf(&name, "%s, rendered after %d %s", row, passes, passes == 1 ? "pass" : "passes") < 0)
        return ttt_fail(TTT_MEMORY, "out of memory to name '%s'", row);
    free(row);
    report->rows[report->count - 1].name = name;
    return TTT_OK;
}

/* All views at once, half of them, and one by one. */
static ttt_status check_passes(const struct computation *whole, const struct model *m, struct report *report)
{
    const int views = m->config.num_input_views;
    const int64_t per_view =
        (int64_t)(m->config.image_height / m->config.patch) * (m->config.image_width / m->config.patch);
    for (int at_once = views, before = 0; at_once >= 1 && at_once != before;) {
        TRY(reconstruct(whole, m, at_once == views ? 0 : at_once * per_view));
        TRY(report_rendered(whole, m, (views + at_once - 1) / at_once, report));
        before = at_once;
        at_once = (at_once + 1) / 2;
    }
    return TTT_OK;
}

ttt_status verify_lact_model(const struct fixture *fixture, const struct verify_place *place,
                             struct report *report)
{
    struct model model;
    struct computation c = {0};
    ttt_status status = TTT_OK;
    TRY_TO(model_create(fixture, &model), cleanup);
    TRY_TO(computation_create(fixture, place, &c), cleanup);
    computation_quantities(&c, model.config.variant.condition_gradient ? VERIFY_CONDITIONED : VERIFY_DEEP);
    TRY_TO(build_forward(&c, &model), cleanup);
    TRY_TO(computation_run(&c), cleanup);
    TRY_TO(computation_report(&c, report), cleanup);
    cancelling_allow(fixture, report);
    status = check_passes(&c, &model, report);
cleanup:
    computation_destroy(&c);
    model_destroy(&model);
    return status;
}
