/* Kind vittt_model: a whole classifier; gradients are those of the cross-entropy with soft targets. */
#include "vision/vittt.h"

#include <stdlib.h>

#include "tools/verify/computation.h"
#include "tools/verify/kind.h"
#include "ttt/ops/cross_entropy/cross_entropy.h"

enum { SIZE_MAX_READ = 65536, DEPTH_MAX = 1024, PATCH_MAX = 1024 };

/* Sizes from the metadata; picture size and the MLP's width from the tensors. */
static ttt_status read_config(const struct fixture *fixture, struct vittt_config *config, int *batch)
{
    const safetensors_tensor *images, *hidden;
    *config = (struct vittt_config){0};
    TRY(fixture_whole(fixture, "shape", "patch", 1, PATCH_MAX, &config->patch));
    TRY(fixture_whole(fixture, "shape", "dim", 1, SIZE_MAX_READ, &config->width));
    TRY(fixture_whole(fixture, "shape", "depth", 1, DEPTH_MAX, &config->depth));
    TRY(fixture_whole(fixture, "shape", "num_heads", 1, SIZE_MAX_READ, &config->heads));
    TRY(fixture_whole(fixture, "shape", "num_classes", 1, SIZE_MAX_READ, &config->classes));
    TRY(fixture_variant(fixture, &config->variant));
    TRY(fixture_tensor_of_rank(fixture, "in.images", 4, &images));
    TRY(fixture_tensor_of_rank(fixture, "param.blocks.0.mlp.fc1.weight", 2, &hidden));
    for (int i = 0; i < 4; i++)
        if (images->shape[i] > SIZE_MAX_READ || (i < 2 && hidden->shape[i] > SIZE_MAX_READ))
            return ttt_fail(TTT_FORMAT, "a side of 'in.images' or of the MLP is over %d", SIZE_MAX_READ);
    *batch = (int)images->shape[0];
    config->image_height = (int)images->shape[2];
    config->image_width = (int)images->shape[3];
    /* Half a channel more, so that rounding down gives the width back. */
    config->mlp_ratio = ((float)hidden->shape[0] + 0.5f) / (float)config->width;
    return TTT_OK;
}

struct model {
    struct vittt_config config;
    int batch, count;
    struct parameter *parameters;
    ttt_tensor *tensors, *gradients; /* (count) */
};

static ttt_status model_create(const struct fixture *fixture, struct model *model)
{
    *model = (struct model){0};
    TRY(read_config(fixture, &model->config, &model->batch));
    TRY(vittt_parameters(&model->config, &model->parameters, &model->count));
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

static ttt_status build(struct computation *c, struct model *m)
{
    const struct vittt_config *config = &m->config;
    ttt_tensor images, target;
    TRY(computation_input(c, "in.images", ttt_dims(m->batch, 3, config->image_height, config->image_width),
                          &images));
    TRY(computation_input(c, "in.target", ttt_dims(m->batch, config->classes), &target));
    TRY(computation_parameters(c, m->parameters, m->count, m->tensors));

    ttt_tensor logits = vittt_forward(c->graph, config, "", images, TTT_NONE, 0);
    ttt_tensor loss = ttt_cross_entropy(c->graph, logits, target);
    ttt_gradient(c->graph, loss, m->tensors, m->count, m->gradients);
    TRY(ttt_graph_status(c->graph));
    TRY(computation_output(c, "out.logits", logits));
    TRY(computation_output(c, "out.loss", loss));
    for (int i = 0; i < m->count; i++)
        TRY(computation_gradient(c, m->parameters[i].name, m->tensors[i], m->gradients[i]));
    return TTT_OK;
}

ttt_status verify_vittt_model(const struct fixture *fixture, const struct verify_place *place,
                              struct report *report)
{
    struct model model;
    struct computation c = {0};
    ttt_status status = TTT_OK;
    TRY_TO(model_create(fixture, &model), cleanup);
    TRY_TO(computation_create(fixture, place, &c), cleanup);
    TRY_TO(build(&c, &model), cleanup);
    TRY_TO(computation_run(&c), cleanup);
    TRY_TO(computation_report(&c, report), cleanup);
cleanup:
    computation_destroy(&c);
    model_destroy(&model);
    return status;
}
