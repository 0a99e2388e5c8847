/* events.jsonl: what happened in a run, one JSON object a line, for programs to read.
 *
 * Every line has "time" (seconds since 1970), "event" (its type), and that type's fields.  A line reaches
 * the file in one write, so a killed process leaves at most half a line at the end; the next open cuts it.
 */
#ifndef TRAIN_EVENTS_H
#define TRAIN_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

typedef enum event_type {
    EVENT_START = 1,
    EVENT_RESUME,
    EVENT_STEP,
    EVENT_EVALUATION,
    EVENT_CHECKPOINT,
    EVENT_BAD_STEP,
    EVENT_WARNING,
    EVENT_STOP,
} event_type;

/* A field of an event, made by one of the functions below.  Name and text are borrowed. */
typedef struct event_field {
    const char *name;
    enum { EVENT_INTEGER = 1, EVENT_REAL, EVENT_TEXT, EVENT_TRUTH } kind;
    union {
        int64_t integer;
        double real; /* NaN and infinity, which JSON has no numbers for, become "nan", "inf", "-inf" */
        const char *text;
        bool truth;
    };
} event_field;

event_field event_integer(const char *name, int64_t value);
event_field event_real(const char *name, double value);
event_field event_text(const char *name, const char *value);
event_field event_truth(const char *name, bool value);

typedef struct event_log {
    char *path;
    int fd;
} event_log;

/* Opens or creates the file and cuts a half-written last line.  The caller closes *log. */
ttt_status event_log_open(const char *path, event_log *log) __attribute__((warn_unused_result));

/* Appends one line.  On failure (TTT_IO: a full disk) the file ends with the line before. */
ttt_status event_log_write(event_log *log, event_type type, const event_field *fields, size_t n)
    __attribute__((warn_unused_result));

void event_log_close(event_log *log);

#endif
