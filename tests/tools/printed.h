/* What the program printed with --json. */
#ifndef TESTS_TOOLS_PRINTED_H
#define TESTS_TOOLS_PRINTED_H

#include <jansson.h>

#include "tests/tools/program.h"

/* The first JSON value of a call that must end well; frees the result.  The caller gives it to json_decref.
 */
json_t *printed(struct program_result result);

/* The number at a key, which must be there. */
double number(const json_t *object, const char *key);

#endif
