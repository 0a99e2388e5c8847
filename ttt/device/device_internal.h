/* What a kind of device provides; device.h forwards to it. */
#ifndef TTT_DEVICE_DEVICE_INTERNAL_H
#define TTT_DEVICE_DEVICE_INTERNAL_H

#include "ttt/device/device.h"

struct ttt_device_operations {
    ttt_device_kind kind;
    void (*close)(ttt_device *device);
    int64_t (*memory_free)(const ttt_device *device);
    int64_t (*memory_total)(const ttt_device *device);
    void *(*allocate)(ttt_device *device, size_t bytes); /* NULL when there is none */
    void (*release)(ttt_device *device, void *memory);
    ttt_status (*upload)(ttt_device *device, void *to, const void *from_host, size_t bytes);
    ttt_status (*download)(ttt_device *device, void *to_host, const void *from, size_t bytes);
    ttt_status (*measure)(ttt_device *device, ttt_device_rates *rates);
};

struct ttt_device {
    const struct ttt_device_operations *operations;
    char name[16];
    char description[160];
    int threads;
};

/* Opens the host's processors. */
ttt_status ttt_cpu_open(int threads, ttt_device **device);

#endif
