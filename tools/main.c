/* ttt: finds the subcommand, prints its error, and turns it into an exit status. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/command.h"
#include "ttt/ops/operators.h"

/* One line per subcommand. */
/* clang-format off */
static const struct command *const commands[] = {
    &command_train,
    &command_eval,
    &command_predict,
    &command_render,
    &command_bench,
    &command_verify,
    &command_data,
    &command_config,
    &command_info,
    NULL,
};
/* clang-format on */

static void print_usage(FILE *to)
{
    fprintf(
        to,
        "usage: ttt COMMAND [ARGUMENT ...]\n\n"
        "Vision models with test-time training layers: train, evaluate, predict, measure.\n\ncommands:\n");
    for (int i = 0; commands[i]; i++)
        fprintf(to, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\n'ttt COMMAND --help' says more.\n");
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

static int run(const struct command *command, int argc, char **argv)
{
    if (wants_help(argc, argv)) {
        fputs(command->help, stdout);
        if (command->more_help)
            command->more_help();
        return 0;
    }
    ttt_status status = ttt_within(ttt_implementations_check(getenv("TTT_IMPL")), "TTT_IMPL");
    if (!status)
        status = command->run(argc, argv);
    if (!status && (fflush(stdout) || ferror(stdout)))
        status = ttt_fail(TTT_IO, "the output cannot be written: %s", strerror(errno));
    if (!status)
        return 0;
    fprintf(stderr, "ttt %s: %s\n", command->name, ttt_status_text(status));
    int code = ttt_status_is_mistake(status) ? 2 : 1;
    ttt_status_free(status);
    return code;
}

/* OpenMP threads that wait spin for milliseconds by default, which starves the loader's threads and other
 * programs on a busy machine.  libgomp reads its limit when it is loaded, so the program starts itself once
 * more with one; who sets either variable is left alone.  Where that cannot be done, it goes on as it is. */
static void wait_politely(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || setenv("GOMP_SPINCOUNT", "1000", 0))
        return;
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    wait_politely(argv);
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_usage(stdout);
        return 0;
    }
    for (int i = 0; commands[i]; i++)
        if (!strcmp(argv[1], commands[i]->name))
            return run(commands[i], argc - 2, argv + 2);
    fprintf(stderr, "ttt: there is no command '%s'; 'ttt --help' lists them\n", argv[1]);
    return 2;
}
