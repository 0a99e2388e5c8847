/* Looking a scene up in an index file. */
#ifndef DATA_SCENES_VIEW_INDEX_H
#define DATA_SCENES_VIEW_INDEX_H

#include "data/scenes/view_choice.h"

/* The number of inputs and targets of a scene.  The errors of view_choice_counts. */
ttt_status view_index_counts(const struct view_index *index, const struct scene *scene, int *inputs,
                             int *targets) __attribute__((warn_unused_result));

/* Positions of both in scene->views; either array may be NULL. */
ttt_status view_index_choose(const struct view_index *index, const struct scene *scene, uint32_t *inputs,
                             uint32_t *targets) __attribute__((warn_unused_result));

#endif
