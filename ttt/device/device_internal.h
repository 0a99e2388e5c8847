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
    ttt_status (*measure_product)(ttt_device *device, double *flops); /* NULL: its rate stays the same */
    bool (*power_of)(ttt_device *device, ttt_device_power *power);    /* NULL: it cannot say */
    ttt_status (*mark)(ttt_device *device, int i);
    ttt_status (*elapsed)(ttt_device *device, int from, int to, double *seconds);

    /* NULL where launches are done when they return, and host memory is device memory. */
    ttt_status (*allocate_host)(ttt_device *device, size_t bytes, void **memory);
    void (*release_host)(ttt_device *device, void *memory);
    ttt_status (*upload_later)(ttt_device *device, void *to, const void *from_host, size_t bytes);
    ttt_status (*download_later)(ttt_device *device, void *to_host, const void *from, size_t bytes);
    ttt_status (*copy_later)(ttt_device *device, void *to, const void *from, size_t bytes);
    ttt_status (*upload_beside)(ttt_device *device, void *to, const void *from_host, size_t bytes);
    ttt_status (*launches_wait)(ttt_device *device);
    ttt_status (*uploads_wait)(ttt_device *device);
    ttt_status (*uploads_done)(ttt_device *device);
    ttt_status (*reach)(ttt_device *device, int i);
    ttt_status (*synchronize)(ttt_device *device);
    ttt_status (*record_begin)(ttt_device *device);
    ttt_status (*record_end)(ttt_device *device, ttt_recording **recording);
    ttt_status (*replay)(ttt_device *device, const ttt_recording *recording);
    void (*forget)(ttt_device *device, ttt_recording *recording);
};

struct ttt_device {
    const struct ttt_device_operations *operations;
    char name[TTT_DEVICE_NAME];
    char description[160];
    int threads;
    size_t shared_memory;
    bool replaying; /* recordings, since it was last waited for */
};

/* Opens the host's processors. */
ttt_status ttt_cpu_open(int threads, ttt_device **device);

/* Opens GPU number `index`, and says how many there are: 0 where there is no driver, and on failure. */
ttt_status ttt_cuda_open(int index, ttt_device **device);
ttt_status ttt_cuda_count(int *count);

#endif
