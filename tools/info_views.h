/* What a view-synthesis config's model consists of, computes and needs. */
#ifndef TOOLS_INFO_VIEWS_H
#define TOOLS_INFO_VIEWS_H

#include "tools/info_model.h"

/* As info_model_create, for task: views; the groups' FLOPs and outputs are those of one scene's inputs and
 * targets together. */
ttt_status info_views_create(struct run_config *config, ttt_device *device, struct info_model *model)
    __attribute__((warn_unused_result));

#endif
