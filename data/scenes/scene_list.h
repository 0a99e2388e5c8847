/* Which paths a list of scenes names. */
#ifndef DATA_SCENES_SCENE_LIST_H
#define DATA_SCENES_SCENE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "ttt/base/status.h"

enum { SCENE_LIST_MAX = 1000000 };

struct scene_list {
    size_t count;
    char **paths;
    bool single; /* the path was itself a scene */
};

/* Reads PATH as scene_set.h says, without opening scenes.  The caller frees *list; on failure it is empty. */
ttt_status scene_list_read(const char *path, struct scene_list *list) __attribute__((warn_unused_result));
void scene_list_free(struct scene_list *list);

#endif
