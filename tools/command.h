/* The program's subcommands: each is one file, found through the table in main.c. */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include "ttt/base/status.h"

struct command {
    const char *name;
    const char *summary;     /* one line for `ttt --help` */
    const char *help;        /* `ttt NAME --help`, */
    void (*more_help)(void); /* and what follows it, printed from a table; NULL: nothing */
    /* argv[0] is the first argument after the subcommand's name.  An error is printed and turned into the
     * exit status by main: 2 for a user's mistake, 1 for a failure. */
    ttt_status (*run)(int argc, char **argv);
};

extern const struct command command_train;
extern const struct command command_eval;
extern const struct command command_predict;
extern const struct command command_render;
extern const struct command command_bench;
extern const struct command command_verify;
extern const struct command command_data;
extern const struct command command_config;
extern const struct command command_info;

#endif
