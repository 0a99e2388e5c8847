/* Reading a subcommand's arguments: options with and without values, in any order, and what is left. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "ttt/base/status.h"

enum option_type {
    OPTION_FLAG,   /* bool: true when given */
    OPTION_TEXT,   /* const char *: points into argv */
    OPTION_WHOLE,  /* int64_t from min to max */
    OPTION_NUMBER, /* double from min to max */
};

struct option {
    const char *name; /* "--only" */
    enum option_type type;
    void *value; /* where it is stored; left as it is when the option is not given */
    double min, max;
};

/* Stores the options among argv[0 .. argc-1], written "--name value" or "--name=value", and moves everything
 * else to the front of argv in its order; *rest is how many those are.  After "--" nothing is an option.
 * TTT_ARGUMENT for an unknown option (with the nearest one there is), one given twice, a value that is
 * missing, not wanted, of the wrong type or out of range. */
ttt_status options_read(int argc, char **argv, const struct option *options, int count, int *rest)
    __attribute__((warn_unused_result));

#endif
