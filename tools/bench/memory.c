/* How much memory the process holds: on the host from Linux's /proc/self, on a GPU from its driver. */
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

/* In use by everybody: a benchmark is alone on its GPU. */
static int64_t device_bytes(const ttt_device *device)
{
    return ttt_device_memory_total(device) - ttt_device_memory_free(device);
}

struct bench_peak bench_peak_start(const ttt_device *device)
{
    if (device && ttt_device_kind_of(device) == TTT_CUDA)
        return (struct bench_peak){.device = device, .before = device_bytes(device)};
    malloc_trim(0);
    bool restarted = forget_peak();
    return (struct bench_peak){.before = own_bytes("VmRSS"), .restarted = restarted};
}

int64_t bench_peak_end(const struct bench_peak *peak)
{
    return peak->device ? device_bytes(peak->device) : own_bytes(peak->restarted ? "VmHWM" : "VmRSS");
}
