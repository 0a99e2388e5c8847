/* Text files that only grow, line by line, and that a killed writer must not spoil. */
#ifndef TRAIN_APPEND_H
#define TRAIN_APPEND_H

#include "ttt/base/status.h"

/* Opens or creates the file for appending, and cuts what follows its last newline. */
ttt_status append_open(const char *path, int *fd) __attribute__((warn_unused_result));

/* Appends a text that ends in a newline, in one write where the system allows; on failure (TTT_IO) what
 * was written of it is cut again. */
ttt_status append_line(int fd, const char *line) __attribute__((warn_unused_result));

#endif
