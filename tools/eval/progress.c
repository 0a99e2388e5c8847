/* Progress of an evaluation. */
#include "tools/eval/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

double eval_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct eval_progress eval_progress_start(const char *what)
{
    return (struct eval_progress){.what = what, .terminal = isatty(STDERR_FILENO), .shown = eval_now()};
}

void eval_progress_show(void *context, int64_t done, int64_t all)
{
    struct eval_progress *progress = context;
    if (eval_now() - progress->shown < (progress->terminal ? 0.1 : 10))
        return;
    progress->shown = eval_now();
    fprintf(stderr, "%s%lld of %lld %s%s", progress->terminal ? "\r\033[K" : "", (long long)done,
            (long long)all, progress->what, progress->terminal ? "" : "\n");
    fflush(stderr);
    progress->shown_any = progress->terminal;
}

void eval_progress_clear(struct eval_progress *progress)
{
    if (progress->shown_any)
        fputs("\r\033[K", stderr);
    progress->shown_any = false;
}

void eval_progress_line(void *context, const char *line)
{
    eval_progress_clear(context);
    fprintf(stderr, "%s\n", line);
}
