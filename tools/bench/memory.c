/* How much memory the process holds, from Linux's /proc/self. */
#include "tools/bench/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of a line "FIELD:   123 kB" of /proc/self/status, in bytes; 0 when it is not there. */
static int64_t own_bytes(const char *field)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    int64_t kib = 0;
    size_t length = strlen(field);
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, field, length) && line[length] == ':')
            kib = strtoll(line + length + 1, NULL, 10);
    if (file)
        fclose(file);
    return kib * 1024;
}

static bool forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return false;
    bool written = fputs("5", file) != EOF; /* 5: the peak, and nothing else (proc(5)) */
    return fclose(file) == 0 && written;
}

struct bench_peak bench_peak_start(void)
{
    malloc_trim(0);
    bool restarted = forget_peak();
    return (struct bench_peak){.before = own_bytes("VmRSS"), .restarted = restarted};
}

int64_t bench_peak_end(const struct bench_peak *peak)
{
    return own_bytes(peak->restarted ? "VmHWM" : "VmRSS");
}
