/* Errors as values: a code and a line of text on the heap. */
#include "ttt/base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ttt_error {
    ttt_code code;
    char text[]; /* NUL-terminated */
};

/* What is returned when there is no memory left for an error. */
static struct {
    ttt_error error;
    char text[16];
} out_of_memory = {{TTT_MEMORY}, "out of memory"};

static ttt_status error_of_length(ttt_code code, size_t length)
{
    ttt_status status = malloc(sizeof *status + length + 1);
    if (!status)
        return &out_of_memory.error;
    status->code = code;
    status->text[0] = 0;
    return status;
}

static int formatted_length(const char *format, va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    int length = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    return length < 0 ? 0 : length;
}

ttt_status ttt_fail(ttt_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = (size_t)formatted_length(format, arguments);
    ttt_status status = error_of_length(code, length);
    if (status != &out_of_memory.error)
        vsnprintf(status->text, length + 1, format, arguments);
    va_end(arguments);
    return status;
}

ttt_status ttt_within(ttt_status status, const char *format, ...)
{
    if (!status || status == &out_of_memory.error)
        return status;
    va_list arguments;
    va_start(arguments, format);
    size_t prefix = (size_t)formatted_length(format, arguments);
    size_t length = prefix + 2 + strlen(status->text);
    ttt_status longer = error_of_length(status->code, length);
    if (longer != &out_of_memory.error) {
        vsnprintf(longer->text, length + 1, format, arguments);
        snprintf(longer->text + prefix, length + 1 - prefix, ": %s", status->text);
    }
    va_end(arguments);
    ttt_status_free(status);
    return longer;
}

ttt_code ttt_status_code(ttt_status status)
{
    return status->code;
}

const char *ttt_status_text(ttt_status status)
{
    return status == &out_of_memory.error ? out_of_memory.text : status->text;
}

bool ttt_status_is_mistake(ttt_status status)
{
    return status->code <= TTT_FORMAT;
}

ttt_status ttt_status_copy(ttt_status status)
{
    return status ? ttt_fail(status->code, "%s", ttt_status_text(status)) : TTT_OK;
}

void ttt_status_free(ttt_status status)
{
    if (status != &out_of_memory.error)
        free(status);
}
