/* Appending typed events to events.jsonl. */
#include "train/events.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "train/append.h"

static const char *const type_names[] = {
    [EVENT_START] = "start",
    [EVENT_RESUME] = "resume",
    [EVENT_STEP] = "step",
    [EVENT_EVALUATION] = "evaluation",
    [EVENT_CHECKPOINT] = "checkpoint",
    [EVENT_BAD_STEP] = "bad_step",
    [EVENT_WARNING] = "warning",
    [EVENT_STOP] = "stop",
};

event_field event_integer(const char *name, int64_t value)
{
    return (event_field){.name = name, .kind = EVENT_INTEGER, .integer = value};
}

event_field event_real(const char *name, double value)
{
    return (event_field){.name = name, .kind = EVENT_REAL, .real = value};
}

event_field event_text(const char *name, const char *value)
{
    return (event_field){.name = name, .kind = EVENT_TEXT, .text = value};
}

event_field event_truth(const char *name, bool value)
{
    return (event_field){.name = name, .kind = EVENT_TRUTH, .truth = value};
}

ttt_status event_log_open(const char *path, event_log *log)
{
    *log = (event_log){.fd = -1};
    TRY(append_open(path, &log->fd));
    log->path = strdup(path);
    if (log->path)
        return TTT_OK;
    event_log_close(log);
    return ttt_fail(TTT_MEMORY, "%s: no memory", path);
}

/* A text of the user's, such as a path, may be no UTF-8: what is not ASCII is then replaced. */
static json_t *json_from_text(const char *text)
{
    json_t *json = json_string(text);
    char *ascii = json ? NULL : strdup(text);
    if (!ascii)
        return json;
    for (char *at = ascii; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    json = json_string(ascii);
    free(ascii);
    return json;
}

static json_t *json_from_field(const event_field *field)
{
    switch (field->kind) {
    case EVENT_INTEGER:
        return json_integer(field->integer);
    case EVENT_REAL:
        if (isfinite(field->real))
            return json_real(field->real);
        return json_string(isnan(field->real) ? "nan" : field->real > 0 ? "inf" : "-inf");
    case EVENT_TEXT:
        return json_from_text(field->text);
    case EVENT_TRUTH:
        return json_boolean(field->truth);
    }
    return NULL;
}

/* The line with its newline, or NULL without memory. */
static char *format_line(event_type type, const event_field *fields, size_t n)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = (double)now.tv_sec + 1e-3 * (double)(now.tv_nsec / 1000000);
    json_t *object = json_pack("{s:f, s:s}", "time", seconds, "event", type_names[type]);
    int failed = object ? 0 : 1;
    for (size_t i = 0; i < n; i++)
        failed |= json_object_set_new(object, fields[i].name, json_from_field(&fields[i]));
    char *text = failed ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(object);
    const size_t length = text ? strlen(text) : 0;
    char *line = text ? realloc(text, length + 2) : NULL;
    if (!line) {
        free(text);
        return NULL;
    }
    memcpy(line + length, "\n", 2);
    return line;
}

ttt_status event_log_write(event_log *log, event_type type, const event_field *fields, size_t n)
{
    char *line = format_line(type, fields, n);
    if (!line)
        return ttt_fail(TTT_MEMORY, "%s: no memory for an event", log->path);
    ttt_status status = append_line(log->fd, line);
    free(line);
    return ttt_within(status, "%s", log->path);
}

void event_log_close(event_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    free(log->path);
    *log = (event_log){.fd = -1};
}
