/* The folder of a run, runs/<name>/: what makes its contents survive a kill or a power cut.
 *
 * A thing is written beside its place under a hidden name, synced, renamed, and its folder synced; so
 * under a visible name there is always a whole thing.  What a killed writer left is hidden, and removed
 * by run_folder_open.
 */
#ifndef TRAIN_RUN_FOLDER_H
#define TRAIN_RUN_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

typedef struct run_folder {
    char *path;
    int lock; /* the open folder, locked against a second process; -1 when not locked */
} run_folder;

/* Creates the folder (and its parents and `checkpoints/`) where missing, locks it until run_folder_close or
 * the end of the process, and removes what a killed writer left.
 * TTT_ARGUMENT when another process holds it; TTT_IO when it cannot be made or written to. */
ttt_status run_folder_open(const char *path, run_folder *run) __attribute__((warn_unused_result));
void run_folder_close(run_folder *run);

/* "a/b" in new memory that the caller frees. */
ttt_status path_join(const char *folder, const char *name, char **path) __attribute__((warn_unused_result));

/* Makes the names in a folder durable. */
ttt_status folder_sync(const char *path) __attribute__((warn_unused_result));

/* Removes a file or a folder with all that is in it; nothing there is no error. */
ttt_status folder_remove(const char *path) __attribute__((warn_unused_result));

/* Makes folder/name a symbolic link to `target`, replacing an older link in one step. */
ttt_status folder_link(const char *folder, const char *name, const char *target)
    __attribute__((warn_unused_result));

#endif
