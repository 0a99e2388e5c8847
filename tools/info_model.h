/* What a config's model consists of, computes and needs, without taking any of it. */
#ifndef TOOLS_INFO_MODEL_H
#define TOOLS_INFO_MODEL_H

#include <jansson.h>

#include "train/config/config.h"
#include "ttt/device/device.h"
#include "ttt/graph/plan.h"

/* Layers that are shown as one: "patch_embed", "blocks.0", ..., "head". */
struct info_group {
    char name[32];
    ttt_shape output; /* of one picture */
    int64_t parameters;
    double flops; /* forward, one picture */
};

/* The memory of one use of the model, or why it cannot be had. */
struct info_use {
    int batch;
    double flops; /* of one run: a forward pass, or a whole training step */
    ttt_plan_memory memory;
    char refused[256]; /* one line; "" when it fits */
};

struct info_model {
    struct info_group *groups;
    int count;
    int64_t parameters;
    double flops;           /* forward, one picture; of a scene with its inputs and targets */
    char classes_note[256]; /* where the number of classes comes from; "" when the config says it */
    struct info_use training, inference;
    struct info_use reconstruct, render; /* task: views, in place of inference; batch: views */
};

/* Plans the model of a config.  Sets config->model.vittt.classes where it is 0: as many as the data have, or
 * 1000.  The caller frees the result; on failure there is nothing to free. */
ttt_status info_model_create(struct run_config *config, ttt_device *device, struct info_model *model)
    __attribute__((warn_unused_result));
void info_model_free(struct info_model *model);

void info_model_print(const struct run_config *config, const struct info_model *model);

/* NULL when memory has run out. */
json_t *info_model_json(const struct run_config *config, const struct info_model *model);

#endif
