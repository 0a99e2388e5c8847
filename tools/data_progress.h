/* A line on the terminal that says how far `ttt data` is; nothing where stderr is no terminal. */
#ifndef TOOLS_DATA_PROGRESS_H
#define TOOLS_DATA_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct data_progress {
    const char *verb;
    bool shown;
    struct timespec began, drawn;
};

struct data_progress data_progress_begin(const char *verb);

void data_progress_draw(struct data_progress *progress, int64_t done, int64_t total);

#endif
