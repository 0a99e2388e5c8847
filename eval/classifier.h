/* A ViT^3 that answers: pictures in, logits out. */
#ifndef EVAL_CLASSIFIER_H
#define EVAL_CLASSIFIER_H

#include "ttt/graph/plan.h"
#include "vision/vittt.h"

struct classifier {
    ttt_plan *plan;
    int batch, classes;
    int64_t pixels; /* floats of one picture: 3 * height * width */
    float *images;  /* (batch, 3, height, width): filled up with zeros where fewer pictures come */
    float *logits;  /* (batch, classes) */
};

struct classifier_options {
    const char *prefix; /* of the weights in the store: "" or "ema." */
    int batch;          /* pictures in one pass */
    ttt_dtype dtype;    /* of activations; 0: f32 */
    ttt_plan_options plan;
};

/* Plans the forward pass over weights in `store`, which must outlive the classifier.  Takes no device memory
 * before classifier_prepare.  The caller destroys it.  Errors: vittt_config_check, ttt_plan_create. */
ttt_status classifier_create(const struct vittt_config *config, ttt_store *store,
                             const struct classifier_options *options, struct classifier *classifier);
ttt_status classifier_prepare(struct classifier *classifier);
void classifier_destroy(struct classifier *classifier);

/* images: count pictures (count, 3, height, width), count <= batch.  Afterwards classifier->logits holds
 * count rows. */
ttt_status classifier_run(struct classifier *classifier, const float *images, int count);

#endif
