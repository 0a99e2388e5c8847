/* Writing numbers for people and for programs. */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stdint.h>

#include <jansson.h>

#include "ttt/base/status.h"

/* Writes a JSON value and a newline to stdout; takes it over.  TTT_MEMORY for NULL, which is what jansson's
 * builders return when memory runs out; TTT_IO. */
ttt_status output_json(json_t *value) __attribute__((warn_unused_result));

/* Adds `value`, which it takes over, to an object or an array.  TTT_MEMORY when either is NULL. */
ttt_status output_json_set(json_t *object, const char *key, json_t *value)
    __attribute__((warn_unused_result));
ttt_status output_json_append(json_t *array, json_t *value) __attribute__((warn_unused_result));

/* Writes text from outside to stdout, "?" for every control character, and spaces up to `width` columns. */
void output_clean(const char *text, int width);

/* A number short enough for a table. */
struct output_text {
    char text[32];
};

/* "1.21 GFLOP" for (1.21e9, "FLOP"); "-" for 0. */
struct output_text output_si(double value, const char *unit);

/* "23.4 MiB" */
struct output_text output_bytes(int64_t bytes);

/* "6,152,104" */
struct output_text output_count(int64_t count);

#endif
