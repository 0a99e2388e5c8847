/* Opening devices by name, and forwarding to the kind that was opened. */
#include "ttt/device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/device/device_internal.h"

#ifndef TTT_HAVE_CUDA
ttt_status ttt_cuda_count(int *count)
{
    *count = 0;
    return TTT_OK;
}

ttt_status ttt_cuda_open(int index, ttt_device **device)
{
    (void)index;
    *device = NULL;
    return ttt_fail(TTT_UNSUPPORTED, "this build has no CUDA");
}
#endif

bool ttt_device_at(int i, char name[TTT_DEVICE_NAME])
{
    int count = 0;
    if (i == 0) {
        snprintf(name, TTT_DEVICE_NAME, "cpu");
        return true;
    }
    ttt_status uncounted = ttt_cuda_count(&count);
    const bool unknown = uncounted && i == 1, known = i > 0 && i <= count;
    ttt_status_free(uncounted);
    if (unknown)
        snprintf(name, TTT_DEVICE_NAME, "cuda");
    else if (known)
        snprintf(name, TTT_DEVICE_NAME, "cuda:%d", i - 1);
    return unknown || known;
}

/* The number behind "cuda:", 0 for "cuda" alone; -1 for another name. */
static int cuda_index(const char *name)
{
    if (!strcmp(name, "cuda"))
        return 0;
    if (strncmp(name, "cuda:", 5) || strspn(name + 5, "0123456789") != strlen(name + 5) || !name[5])
        return -1;
    long index = strtol(name + 5, NULL, 10);
    return index > 1024 ? 1024 : (int)index;
}

static ttt_status no_such_device(const char *name)
{
    char there[512] = "", one[TTT_DEVICE_NAME];
    size_t at = 0;
    for (int i = 0; ttt_device_at(i, one) && at < sizeof there; i++)
        at += (size_t)snprintf(there + at, sizeof there - at, "%s%s", i ? ", " : "", one);
#ifdef TTT_HAVE_CUDA
    return ttt_fail(TTT_ARGUMENT, "there is no device '%s'; this machine has: %s", name, there);
#else
    return ttt_fail(TTT_ARGUMENT,
                    "there is no device '%s'; this build, without CUDA, has: %s (for GPUs configure it with "
                    "-DTTT_CUDA=ON)",
                    name, there);
#endif
}

ttt_status ttt_device_open(const char *name, int threads, ttt_device **device)
{
    *device = NULL;
    if (!strcmp(name, "cpu"))
        return ttt_cpu_open(threads, device);
    int index = cuda_index(name), count = 0;
    if (index >= 0)
        TRY(ttt_cuda_count(&count));
    return index >= 0 && index < count ? ttt_cuda_open(index, device) : no_such_device(name);
}

void ttt_device_close(ttt_device *device)
{
    if (device)
        device->operations->close(device);
}

ttt_status ttt_device_within(const ttt_device *device, ttt_status status)
{
    if (!status || ttt_status_code(status) != TTT_DEVICE)
        return status;
    return ttt_within(
        status, "%s%s", device->name,
        device->replaying ? ", in recorded launches (TTT_ONE_BY_ONE=1 names the operator that fails)" : "");
}

/* After a wait no recording is under way. */
static ttt_status waited(ttt_device *device, ttt_status status)
{
    if (!status)
        device->replaying = false;
    return ttt_device_within(device, status);
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

size_t ttt_device_shared_memory(const ttt_device *device)
{
    return device->shared_memory;
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
    TRY(ttt_device_synchronize(device)); /* a device that is lost has no room either */
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
    return waited(device, device->operations->upload(device, to, from_host, bytes));
}

ttt_status ttt_device_download(ttt_device *device, void *to_host, const void *from, size_t bytes)
{
    return waited(device, device->operations->download(device, to_host, from, bytes));
}

ttt_status ttt_device_allocate_host(ttt_device *device, size_t bytes, void **memory)
{
    if (device->operations->allocate_host)
        return ttt_device_within(device, device->operations->allocate_host(device, bytes, memory));
    return ttt_device_allocate(device, bytes, memory);
}

void ttt_device_release_host(ttt_device *device, void *memory)
{
    if (memory && device->operations->release_host)
        device->operations->release_host(device, memory);
    else
        ttt_device_release(device, memory);
}

ttt_status ttt_device_upload_later(ttt_device *device, void *to, const void *from_host, size_t bytes)
{
    if (device->operations->upload_later)
        return ttt_device_within(device, device->operations->upload_later(device, to, from_host, bytes));
    return ttt_device_upload(device, to, from_host, bytes);
}

ttt_status ttt_device_download_later(ttt_device *device, void *to_host, const void *from, size_t bytes)
{
    if (device->operations->download_later)
        return ttt_device_within(device, device->operations->download_later(device, to_host, from, bytes));
    return ttt_device_download(device, to_host, from, bytes);
}

ttt_status ttt_device_copy_later(ttt_device *device, void *to, const void *from, size_t bytes)
{
    if (device->operations->copy_later)
        return ttt_device_within(device, device->operations->copy_later(device, to, from, bytes));
    return ttt_device_upload(device, to, from, bytes);
}

bool ttt_device_can_upload_beside(const ttt_device *device)
{
    return device->operations->upload_beside != NULL;
}

ttt_status ttt_device_upload_beside(ttt_device *device, void *to, const void *from_host, size_t bytes)
{
    return ttt_device_within(device, device->operations->upload_beside(device, to, from_host, bytes));
}

ttt_status ttt_device_launches_wait(ttt_device *device)
{
    return ttt_device_within(device, device->operations->launches_wait(device));
}

ttt_status ttt_device_uploads_wait(ttt_device *device)
{
    return ttt_device_within(device, device->operations->uploads_wait(device));
}

ttt_status ttt_device_uploads_done(ttt_device *device)
{
    return ttt_device_within(device, device->operations->uploads_done(device));
}

ttt_status ttt_device_synchronize(ttt_device *device)
{
    return waited(device, device->operations->synchronize ? device->operations->synchronize(device) : TTT_OK);
}

bool ttt_device_can_record(const ttt_device *device)
{
    return device->operations->record_begin != NULL;
}

ttt_status ttt_device_record_begin(ttt_device *device)
{
    return ttt_device_within(device, device->operations->record_begin(device));
}

ttt_status ttt_device_record_end(ttt_device *device, ttt_recording **recording)
{
    return ttt_device_within(device, device->operations->record_end(device, recording));
}

ttt_status ttt_device_replay(ttt_device *device, const ttt_recording *recording)
{
    device->replaying = true;
    return ttt_device_within(device, device->operations->replay(device, recording));
}

void ttt_device_forget(ttt_device *device, ttt_recording *recording)
{
    if (recording)
        device->operations->forget(device, recording);
}

ttt_status ttt_device_mark(ttt_device *device, int i)
{
    return ttt_device_within(device, device->operations->mark(device, i));
}

ttt_status ttt_device_elapsed(ttt_device *device, int from, int to, double *seconds)
{
    return ttt_device_within(device, device->operations->elapsed(device, from, to, seconds));
}

ttt_status ttt_device_reach(ttt_device *device, int i)
{
    if (!device->operations->reach)
        return TTT_OK;
    return ttt_device_within(device, device->operations->reach(device, i));
}

ttt_status ttt_device_measure_product(ttt_device *device, double *flops)
{
    *flops = 0;
    if (!device->operations->measure_product)
        return TTT_OK;
    return ttt_device_within(device, device->operations->measure_product(device, flops));
}

bool ttt_device_power_of(ttt_device *device, ttt_device_power *power)
{
    *power = (ttt_device_power){0};
    return device->operations->power_of && device->operations->power_of(device, power);
}

ttt_status ttt_device_measure(ttt_device *device, ttt_device_rates *rates)
{
    *rates = (ttt_device_rates){0};
    return ttt_device_within(device, device->operations->measure(device, rates));
}
