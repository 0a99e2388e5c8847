/* Finding the golden vector files that a command line names. */
#ifndef TOOLS_VERIFY_FILES_H
#define TOOLS_VERIFY_FILES_H

#include "ttt/base/status.h"

/* Starts zeroed. */
struct file_list {
    char **paths; /* owned */
    int count, room;
};

/* Adds a file, whatever its name, or every *.safetensors in a folder and the folders in it, sorted by path.
 * TTT_ARGUMENT when there is no such file or folder; TTT_IO, TTT_MEMORY. */
ttt_status file_list_add(struct file_list *list, const char *path) __attribute__((warn_unused_result));

void file_list_free(struct file_list *list);

#endif
