/* How far long work is. */
#include "tools/data_progress.h"

#include <stdio.h>
#include <unistd.h>

static double seconds_between(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

struct data_progress data_progress_begin(const char *verb)
{
    struct data_progress progress = {.verb = verb, .shown = isatty(STDERR_FILENO)};
    clock_gettime(CLOCK_MONOTONIC, &progress.began);
    return progress;
}

void data_progress_draw(struct data_progress *progress, int64_t done, int64_t total)
{
    struct timespec now;
    if (!progress->shown)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* Ten times a second are enough for the eye. */
    if (done < total && seconds_between(progress->drawn, now) < 0.1)
        return;
    progress->drawn = now;
    double seconds = seconds_between(progress->began, now);
    double rate = seconds > 0 ? (double)done / seconds : 0;
    fprintf(stderr, "\r%s %lld/%lld  %3.0f%%  %.0f pictures/s  %.0f s left \033[K", progress->verb,
            (long long)done, (long long)total, 100 * (double)done / (double)total, rate,
            rate > 0 ? (double)(total - done) / rate : 0);
    if (done == total)
        fputc('\n', stderr);
}
