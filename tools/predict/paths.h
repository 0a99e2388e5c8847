/* The pictures that arguments stand for. */
#ifndef TOOLS_PREDICT_PATHS_H
#define TOOLS_PREDICT_PATHS_H

#include "ttt/base/status.h"

/* Starts zeroed. */
struct path_list {
    char **paths; /* (count) owned */
    int count;
};

/* Files as they are given, folders as the .jpg, .jpeg and .png files in them, in byte order.  A path that
 * does not exist stays in the list, to be reported with the others. TTT_ARGUMENT when none of the paths
 * exists, or a folder has no picture; TTT_IO; TTT_MEMORY.  On failure there is still a list to free. */
ttt_status path_list_find(int count, char *const *arguments, struct path_list *list)
    __attribute__((warn_unused_result));
void path_list_free(struct path_list *list);

#endif
