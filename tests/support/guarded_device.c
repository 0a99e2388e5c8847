/* A device that lends the CPU's operations and watches the memory it hands out. */
#include "tests/support/guarded_device.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/device/device_internal.h"

#define GUARD 4096 /* bytes on either side: a page, many times the widest vector and tile row */
#define PATTERN 0xA5

struct block {
    struct block *next;
    unsigned char *base; /* guard, `bytes` of memory, guard */
    size_t bytes;
};

struct guarded_device {
    struct ttt_device device;
    ttt_device *real;
    struct block *blocks;
};

static struct guarded_device *guarded(const ttt_device *device)
{
    return (struct guarded_device *)device;
}

static void check_block(const struct block *block)
{
    const unsigned char *after = block->base + GUARD + block->bytes;
    for (size_t i = 0; i < GUARD; i++)
        if (block->base[i] != PATTERN || after[i] != PATTERN)
            fail_msg("%s %zu bytes of memory, byte %zu of the guard zone was written",
                     block->base[i] != PATTERN ? "before" : "after", block->bytes, i);
}

static void close_device(ttt_device *device)
{
    struct guarded_device *self = guarded(device);
    bool leaked = self->blocks != NULL;
    ttt_device_close(self->real);
    free(self);
    if (leaked)
        fail_msg("device memory was not released");
}

static int64_t memory_free(const ttt_device *device)
{
    return ttt_device_memory_free(guarded(device)->real);
}

static int64_t memory_total(const ttt_device *device)
{
    return ttt_device_memory_total(guarded(device)->real);
}

static void *allocate(ttt_device *device, size_t bytes)
{
    struct guarded_device *self = guarded(device);
    struct block *block = malloc(sizeof *block);
    size_t whole = (bytes + 2 * GUARD + 63) / 64 * 64;
    unsigned char *base = aligned_alloc(64, whole);
    if (!block || !base) {
        free(block);
        free(base);
        return NULL;
    }
    memset(base, PATTERN, whole);
    memset(base + GUARD, 0xFF, bytes);
    *block = (struct block){self->blocks, base, bytes};
    self->blocks = block;
    return base + GUARD;
}

static void release(ttt_device *device, void *memory)
{
    if (!memory)
        return;
    for (struct block **link = &guarded(device)->blocks; *link; link = &(*link)->next)
        if ((*link)->base + GUARD == memory) {
            struct block *block = *link;
            check_block(block);
            *link = block->next;
            free(block->base);
            free(block);
            return;
        }
    fail_msg("memory that the device never gave was released");
}

static ttt_status upload(ttt_device *device, void *to, const void *from_host, size_t bytes)
{
    return ttt_device_upload(guarded(device)->real, to, from_host, bytes);
}

static ttt_status download(ttt_device *device, void *to_host, const void *from, size_t bytes)
{
    return ttt_device_download(guarded(device)->real, to_host, from, bytes);
}

static ttt_status measure(ttt_device *device, ttt_device_rates *rates)
{
    return ttt_device_measure(guarded(device)->real, rates);
}

static const struct ttt_device_operations operations = {
    .kind = TTT_CPU,
    .close = close_device,
    .memory_free = memory_free,
    .memory_total = memory_total,
    .allocate = allocate,
    .release = release,
    .upload = upload,
    .download = download,
    .measure = measure,
};

ttt_device *guarded_device_open(int threads)
{
    struct guarded_device *self = check_alloc(1, sizeof *self);
    check_ok(ttt_device_open("cpu", threads, &self->real));
    self->device = *self->real;
    self->device.operations = &operations;
    return &self->device;
}

void guarded_device_poison(ttt_device *device)
{
    for (const struct block *block = guarded(device)->blocks; block; block = block->next)
        memset(block->base + GUARD, 0xFF, block->bytes);
}

void guarded_device_check(ttt_device *device)
{
    for (const struct block *block = guarded(device)->blocks; block; block = block->next)
        check_block(block);
}

int64_t guarded_device_in_use(ttt_device *device)
{
    int64_t bytes = 0;
    for (const struct block *block = guarded(device)->blocks; block; block = block->next)
        bytes += (int64_t)block->bytes;
    return bytes;
}
