/* How far an evaluation is: a line every so often, or one that is written over on a terminal. */
#ifndef TOOLS_EVAL_PROGRESS_H
#define TOOLS_EVAL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct eval_progress {
    const char *what; /* is counted: "pictures" */
    bool terminal, shown_any;
    double shown;
};

/* Seconds of a clock that does not jump. */
double eval_now(void);

struct eval_progress eval_progress_start(const char *what);
void eval_progress_show(void *progress, int64_t done, int64_t all);
void eval_progress_clear(struct eval_progress *progress);

/* Writes a line about the data to stderr. */
void eval_progress_line(void *progress, const char *line);

#endif
