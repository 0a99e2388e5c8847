/* Writing log.csv and cutting it back to where a run resumes. */
#include "train/metric_log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/append.h"

static ttt_status no_memory(void)
{
    return ttt_fail(TTT_MEMORY, "no memory for a row");
}

/* "step,a,b\n" in new memory, or NULL. */
static char *format_header(const char *const *names, size_t columns)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < columns; i++)
        fprintf(out, "%s%s", i ? "," : "", names[i]);
    fputc('\n', out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static void print_cell(FILE *out, double value)
{
    fputc(',', out);
    if (value == trunc(value) && fabs(value) < 0x1p53)
        fprintf(out, "%.0f", value);
    else if (!isnan(value))
        fprintf(out, "%.9g", value);
}

static char *format_row(int64_t step, const double *values, size_t n)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "%" PRId64, step);
    for (size_t i = 0; i < n; i++)
        print_cell(out, values[i]);
    fputc('\n', out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Finds the last row of a step <= resumed_step; *end is where the file is to be cut. */
static ttt_status scan_rows(metric_log *log, FILE *in, int64_t resumed_step, int64_t *end)
{
    char *line = NULL, *stop;
    size_t room = 0;
    ssize_t length;
    ttt_status status = TTT_OK;
    while ((length = getline(&line, &room, in)) > 0) {
        errno = 0;
        const int64_t step = strtoll(line, &stop, 10);
        if (stop == line || errno || (*stop != ',' && *stop != '\n') || step <= log->last_step) {
            status =
                ttt_fail(TTT_FORMAT, "a row does not start with a rising step: '%.20s'; move the file away",
                         strtok(line, "\n") ? line : "");
            break;
        }
        if (step > resumed_step)
            break;
        log->last_step = step;
        log->last_row = *end;
        *end += length;
    }
    free(line);
    return status;
}

/* Checks the header and cuts the rows that the resumed run will write again. */
static ttt_status keep_rows(metric_log *log, const char *header, int64_t resumed_step)
{
    char *line = NULL;
    size_t room = 0;
    int64_t end = 0;
    ttt_status status = TTT_OK;
    FILE *in = fopen(log->path, "r");
    if (!in)
        return ttt_fail(TTT_IO, "cannot read: %s", strerror(errno));
    const ssize_t length = getline(&line, &room, in);
    if (length > 0 && strcmp(line, header) != 0 && resumed_step >= 0)
        status = ttt_fail(TTT_FORMAT, "its columns are '%.200s', this run's are others; move the file away",
                          strtok(line, "\n") ? line : "");
    else if (length > 0 && strcmp(line, header) == 0) {
        end = length;
        status = scan_rows(log, in, resumed_step, &end);
    }
    fclose(in);
    free(line);
    if (!status && ftruncate(log->fd, end) != 0)
        status = ttt_fail(TTT_IO, "cannot shorten: %s", strerror(errno));
    if (!status && end == 0)
        status = append_line(log->fd, header);
    return status;
}

ttt_status metric_log_open(const char *path, const char *const *names, size_t columns, int64_t resumed_step,
                           metric_log *log)
{
    *log = (metric_log){.path = strdup(path), .fd = -1, .columns = columns, .last_step = -1};
    char *header = format_header(names, columns);
    ttt_status status = log->path && header ? append_open(path, &log->fd) : no_memory();
    if (!status)
        status = ttt_within(keep_rows(log, header, resumed_step), "%s", path);
    free(header);
    if (status)
        metric_log_close(log);
    return status;
}

ttt_status metric_log_write(metric_log *log, int64_t step, const double *values)
{
    if (step < log->last_step)
        return ttt_fail(TTT_ARGUMENT, "%s: row of step %" PRId64 " after that of step %" PRId64, log->path,
                        step, log->last_step);
    if (step == log->last_step && ftruncate(log->fd, log->last_row) != 0)
        return ttt_fail(TTT_IO, "%s: cannot replace a row: %s", log->path, strerror(errno));
    const int64_t start = lseek(log->fd, 0, SEEK_END);
    char *row = format_row(step, values, log->columns - 1);
    ttt_status status = row ? append_line(log->fd, row) : no_memory();
    free(row);
    if (!status) {
        log->last_step = step;
        log->last_row = start;
    }
    return ttt_within(status, "%s", log->path);
}

void metric_log_close(metric_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    free(log->path);
    *log = (metric_log){.fd = -1};
}
