/* Opening devices by name, and forwarding to the kind that was opened. */
#include "ttt/device/device.h"

#include <string.h>

#include "ttt/device/device_internal.h"

ttt_status ttt_device_open(const char *name, int threads, ttt_device **device)
{
    *device = NULL;
    if (!strcmp(name, "cpu"))
        return ttt_cpu_open(threads, device);
    return ttt_fail(TTT_ARGUMENT, "there is no device '%s'; this build has: cpu", name);
}

void ttt_device_close(ttt_device *device)
{
    if (device)
        device->operations->close(device);
}

ttt_device_kind ttt_device_kind_of(const ttt_device *device)
{
    return device->operations->kind;
}

const char *ttt_device_name(const ttt_device *device)
{
    return device->name;
}

const char *ttt_device_description(const ttt_device *device)
{
    return device->description;
}

int ttt_device_threads(const ttt_device *device)
{
    return device->threads;
}

int64_t ttt_device_memory_free(const ttt_device *device)
{
    return device->operations->memory_free(device);
}

int64_t ttt_device_memory_total(const ttt_device *device)
{
    return device->operations->memory_total(device);
}

ttt_status ttt_device_allocate(ttt_device *device, size_t bytes, void **memory)
{
    *memory = device->operations->allocate(device, bytes);
    if (*memory)
        return TTT_OK;
    return ttt_fail(TTT_MEMORY, "device %s has no room for %.1f MiB: %.1f MiB are free", device->name,
                    (double)bytes / 0x1p20, (double)ttt_device_memory_free(device) / 0x1p20);
}

void ttt_device_release(ttt_device *device, void *memory)
{
    if (memory)
        device->operations->release(device, memory);
}

ttt_status ttt_device_upload(ttt_device *device, void *to, const void *from_host, size_t bytes)
{
    return device->operations->upload(device, to, from_host, bytes);
}

ttt_status ttt_device_download(ttt_device *device, void *to_host, const void *from, size_t bytes)
{
    return device->operations->download(device, to_host, from, bytes);
}

ttt_status ttt_device_measure(ttt_device *device, ttt_device_rates *rates)
{
    return device->operations->measure(device, rates);
}
