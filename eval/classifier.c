/* The forward pass as a plan, at a fixed batch size. */
#include "eval/classifier.h"

#include <stdlib.h>
#include <string.h>

static ttt_status plan_forward(const struct vittt_config *config, ttt_store *store,
                               const struct classifier_options *options, ttt_plan **plan)
{
    ttt_graph *g;
    TRY(ttt_graph_create(&g));
    ttt_graph_target_device(g, ttt_store_device(store), options->dtype ? options->dtype : TTT_F32);
    ttt_shape shape = ttt_dims(options->batch, 3, config->image_height, config->image_width);
    ttt_tensor images = ttt_input(g, "images", TTT_F32, shape);
    ttt_output(g, "logits", vittt_forward(g, config, options->prefix, images, TTT_NONE, 0));
    ttt_status status = ttt_plan_create(g, store, &options->plan, plan);
    ttt_graph_destroy(g);
    return status;
}

ttt_status classifier_create(const struct vittt_config *config, ttt_store *store,
                             const struct classifier_options *options, struct classifier *classifier)
{
    *classifier = (struct classifier){.batch = options->batch,
                                      .classes = config->classes,
                                      .pixels = 3 * (int64_t)config->image_height * config->image_width};
    return plan_forward(config, store, options, &classifier->plan);
}

ttt_status classifier_prepare(struct classifier *classifier)
{
    TRY(ttt_plan_prepare(classifier->plan));
    size_t batch = (size_t)classifier->batch;
    free(classifier->images);
    free(classifier->logits);
    classifier->images = calloc(batch * (size_t)classifier->pixels, sizeof *classifier->images);
    classifier->logits = calloc(batch * (size_t)classifier->classes, sizeof *classifier->logits);
    return classifier->images && classifier->logits
               ? TTT_OK
               : ttt_fail(TTT_MEMORY, "no memory for %d pictures", classifier->batch);
}

void classifier_destroy(struct classifier *classifier)
{
    ttt_plan_destroy(classifier->plan);
    free(classifier->images);
    free(classifier->logits);
    *classifier = (struct classifier){0};
}

ttt_status classifier_run(struct classifier *classifier, const float *images, int count)
{
    if (count < 1 || count > classifier->batch)
        return ttt_fail(TTT_ARGUMENT, "%d pictures for a classifier of batch %d", count, classifier->batch);
    const float *full = images;
    if (count < classifier->batch) {
        size_t used = (size_t)count * (size_t)classifier->pixels;
        memcpy(classifier->images, images, used * sizeof *images);
        memset(classifier->images + used, 0,
               ((size_t)classifier->batch * (size_t)classifier->pixels - used) * sizeof *images);
        full = classifier->images;
    }
    TRY(ttt_plan_write(classifier->plan, "images", full));
    TRY(ttt_plan_run(classifier->plan));
    return ttt_plan_read(classifier->plan, "logits", classifier->logits);
}
