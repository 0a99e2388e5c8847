/* Folders that this program fills with made data: recognised by a marker file, never mixed with other things,
 * each file whole or absent. */
#ifndef DATA_MADE_FOLDER_H
#define DATA_MADE_FOLDER_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

/* A path by printf's rules; TTT_ARGUMENT when it is too long. */
ttt_status made_path(char path[PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

/* Creates a folder and those above it.  TTT_IO. */
ttt_status made_folder_create(const char *path) __attribute__((warn_unused_result));

/* Prepares OUT: creates it, refuses it when it holds other things or was made otherwise, and writes the
 * marker made-by-ttt.txt with `text`, which says how the data are made. TTT_ARGUMENT for a folder that is
 * refused; TTT_IO. */
ttt_status made_folder_prepare(const char *out, const char *text) __attribute__((warn_unused_result));

/* Writes FOLDER/name under a hidden name and renames it.  TTT_IO. */
ttt_status made_file_write(const char *folder, const char *name, const uint8_t *bytes, size_t size)
    __attribute__((warn_unused_result));

/* What is known of a set that is being made. */
struct made_so_far {
    const char *out;
    int64_t files, files_total, bytes; /* of the files that are written */
    int64_t guess;                     /* bytes of one file, before any is written */
};

/* Adds to a failed write what the rest of the set needs, where the disk has less than that. */
ttt_status made_explain_full_disk(const struct made_so_far *made, ttt_status status)
    __attribute__((warn_unused_result));

#endif
