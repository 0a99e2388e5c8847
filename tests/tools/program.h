/* Running the program as a user does: arguments in; exit status and output back. */
#ifndef TESTS_TOOLS_PROGRAM_H
#define TESTS_TOOLS_PROGRAM_H

struct program_result {
    int exit_status;
    char *out, *err; /* what it wrote; owned */
};

/* Runs the program with these arguments, the last of them NULL; nothing is on its standard input.  Fails the
 * running test when it cannot be run or ends by a signal. */
struct program_result program_run(const char *const *arguments);

/* program_run of its arguments: run("config", "--keys"). */
#define run(...) program_run((const char *const[]){__VA_ARGS__, NULL})

void program_free(struct program_result *result);

/* Fails the running test unless the program exits with `status`, writes exactly one line that contains `part`
 * to the standard error, and nothing to the standard output. */
void check_refused(const char *const *arguments, int status, const char *part);
#define check_refusal(status, part, ...)                                                                     \
    check_refused((const char *const[]){__VA_ARGS__, NULL}, (status), (part))

/* Fails the running test, showing the text, unless it contains `part`. */
void check_contains(const char *text, const char *part);

#endif
