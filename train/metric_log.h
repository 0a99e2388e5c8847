/* log.csv: one row of numbers per evaluation, for people and spreadsheets.
 *
 * The first column is the step; the file never holds a step twice, and the steps rise.
 */
#ifndef TRAIN_METRIC_LOG_H
#define TRAIN_METRIC_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

typedef struct metric_log {
    char *path;
    int fd;
    size_t columns;
    int64_t last_step; /* -1 when there is no row */
    int64_t last_row;  /* where that row starts in the file */
} metric_log;

/* Opens the file for a run that goes on after `resumed_step` (-1: from the start): rows of later steps and
 * a half-written last row are dropped.  names[columns], the first of them "step", become the header of a
 * new file.  Write the row of a step before its checkpoint, or a run killed in between loses it.
 * TTT_FORMAT when a file stands there with other columns or broken rows.  The caller closes *log. */
ttt_status metric_log_open(const char *path, const char *const *names, size_t columns, int64_t resumed_step,
                           metric_log *log) __attribute__((warn_unused_result));

/* Appends a row: the step, then values[columns - 1].  NaN leaves its cell empty: not measured.  A row of
 * the same step as the last replaces it; an earlier step is a TTT_ARGUMENT error. */
ttt_status metric_log_write(metric_log *log, int64_t step, const double *values)
    __attribute__((warn_unused_result));

void metric_log_close(metric_log *log);

#endif
