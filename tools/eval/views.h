/* ttt eval of a model that synthesises views. */
#ifndef TOOLS_EVAL_VIEWS_H
#define TOOLS_EVAL_VIEWS_H

#include "train/trained.h"

struct eval_views_request {
    const char *scenes; /* a scene, list or folder in place of data.root/data.val; NULL: that */
    const char *out;    /* folder for the tables; NULL: RUN/eval for a checkpoint, nowhere for bare weights */
    bool json;
};

/* Renders every target view of every scene, writes views.csv, scenes.csv and views.json, and prints. */
ttt_status eval_views(struct trained *trained, const struct eval_views_request *request);

#endif
