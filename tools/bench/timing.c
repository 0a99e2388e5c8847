/* Repeating something and taking its time. */
#include "tools/bench/timing.h"
#include "ttt/base/clock.h"

#include <stdlib.h>
#include <time.h>

enum { RUNS = 10, FEWEST_RUNS = 3, SECONDS = 10 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bench_times bench_times_of(double *seconds, int count)
{
    qsort(seconds, (size_t)count, sizeof *seconds, ascending);
    double middle = seconds[count / 2];
    return (struct bench_times){.runs = count,
                                .median = count % 2 ? middle : (seconds[count / 2 - 1] + middle) / 2,
                                .fastest = seconds[0]};
}

ttt_status bench_time(ttt_status (*work)(void *context), void *context, int warmup, int runs,
                      struct bench_times *times)
{
    int most = runs ? runs : RUNS, count = 0;
    double *seconds = malloc((size_t)most * sizeof *seconds), spent = 0;
    ttt_status status = seconds ? TTT_OK : ttt_fail(TTT_MEMORY, "no memory for %d times", most);
    for (int i = 0; i < warmup && !status; i++)
        status = work(context);
    while (!status && count < most && (runs || count < FEWEST_RUNS || spent < SECONDS)) {
        double start = ttt_seconds();
        status = work(context);
        seconds[count] = ttt_seconds() - start;
        spent += seconds[count++];
    }
    if (!status)
        *times = bench_times_of(seconds, count);
    free(seconds);
    return status;
}
