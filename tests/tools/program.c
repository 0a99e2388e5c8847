/* Running the program. */
#include "tests/tools/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/check.h"

enum { MOST_ARGUMENTS = 32 };

/* In the child: becomes the program, its output going to two files. */
static _Noreturn void become_program(const char *const *arguments, int out, int err)
{
    char *all[MOST_ARGUMENTS + 2] = {(char *)TEST_PROGRAM};
    for (int i = 0; arguments[i] && i < MOST_ARGUMENTS; i++)
        all[i + 1] = (char *)arguments[i];
    int null = open("/dev/null", O_RDONLY);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
        _exit(126);
    execv(TEST_PROGRAM, all);
    _exit(127);
}

static char *read_all(int file)
{
    struct stat about;
    assert_int_equal(fstat(file, &about), 0);
    char *text = check_alloc((size_t)about.st_size + 1, 1);
    assert_int_equal(pread(file, text, (size_t)about.st_size, 0), about.st_size);
    text[about.st_size] = 0;
    close(file);
    return text;
}

struct program_result program_run(const char *const *arguments)
{
    struct program_result result;
    int status, out = memfd_create("out", 0), err = memfd_create("err", 0);
    assert_true(out >= 0 && err >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        become_program(arguments, out, err);
    assert_int_equal(waitpid(child, &status, 0), child);
    result.out = read_all(out);
    result.err = read_all(err);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 2)
        fail_msg("ttt %s ended with status 0x%x; standard error: %s", arguments[0], (unsigned)status,
                 result.err);
    result.exit_status = WEXITSTATUS(status);
    return result;
}

void program_free(struct program_result *result)
{
    free(result->out);
    free(result->err);
}

void check_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in: %s", part, text);
}

void check_refused(const char *const *arguments, int status, const char *part)
{
    struct program_result result = program_run(arguments);
    if (result.exit_status != status)
        fail_msg("exit status %d instead of %d; standard error: %s", result.exit_status, status, result.err);
    check_contains(result.err, part);
    assert_string_equal(result.out, "");
    assert_ptr_equal(strchr(result.err, '\n'), result.err + strlen(result.err) - 1);
    program_free(&result);
}
