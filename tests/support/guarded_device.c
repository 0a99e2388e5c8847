/* A device that is asked for more memory than it hands out, and watches the rest. */
#include "tests/support/guarded_device.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/device/device_internal.h"

#define GUARD 4096 /* bytes on either side: a page, many times the widest vector and tile row */
#define PATTERN 0xA5
#define POISON 0xFF

struct block {
    struct block *next;
    char *base; /* on the device: guard, `bytes` of memory, guard */
    size_t bytes;
};

/* Stands in the device where its operations stood: rows see the device that they know. */
struct guard {
    struct ttt_device_operations operations;
    const struct ttt_device_operations *real;
    struct block *blocks;
};

static struct guard *guard_of(const ttt_device *device)
{
    return (struct guard *)device->operations;
}

static void fill(ttt_device *device, char *to, unsigned char value, size_t bytes)
{
    void *host = check_alloc(1, bytes);
    memset(host, value, bytes);
    check_ok(guard_of(device)->real->upload(device, to, host, bytes));
    free(host);
}

static void check_zone(ttt_device *device, const struct block *block, const char *zone, const char *where)
{
    unsigned char host[GUARD];
    check_ok(guard_of(device)->real->download(device, host, zone, GUARD));
    for (size_t i = 0; i < GUARD; i++)
        if (host[i] != PATTERN)
            fail_msg("%s %zu bytes of memory, byte %zu of the guard zone was written", where, block->bytes,
                     i);
}

static void check_block(ttt_device *device, const struct block *block)
{
    check_zone(device, block, block->base, "before");
    check_zone(device, block, block->base + GUARD + block->bytes, "after");
}

static void *allocate(ttt_device *device, size_t bytes)
{
    struct guard *guard = guard_of(device);
    char *base = guard->real->allocate(device, bytes + 2 * GUARD);
    if (!base)
        return NULL;
    struct block *block = check_alloc(1, sizeof *block);
    *block = (struct block){guard->blocks, base, bytes};
    guard->blocks = block;
    fill(device, base, PATTERN, bytes + 2 * GUARD);
    fill(device, base + GUARD, POISON, bytes);
    return base + GUARD;
}

static void release(ttt_device *device, void *memory)
{
    struct guard *guard = guard_of(device);
    for (struct block **link = &guard->blocks; *link; link = &(*link)->next)
        if ((*link)->base + GUARD == memory) {
            struct block *block = *link;
            check_block(device, block);
            *link = block->next;
            guard->real->release(device, block->base);
            free(block);
            return;
        }
    fail_msg("memory that the device never gave was released");
}

static void close_device(ttt_device *device)
{
    struct guard *guard = guard_of(device);
    bool leaked = guard->blocks != NULL;
    device->operations = guard->real;
    free(guard);
    ttt_device_close(device);
    if (leaked)
        fail_msg("device memory was not released");
}

static ttt_device *guarded(ttt_device *device)
{
    struct guard *guard = check_alloc(1, sizeof *guard);
    guard->real = device->operations;
    guard->operations = *guard->real;
    guard->operations.allocate = allocate;
    guard->operations.release = release;
    guard->operations.close = close_device;
    device->operations = &guard->operations;
    return device;
}

ttt_device *guarded_device_open(int threads)
{
    ttt_device *device;
    check_ok(ttt_device_open("cpu", threads, &device));
    return guarded(device);
}

ttt_device *guarded_device_open_cuda(void)
{
    char name[TTT_DEVICE_NAME];
    ttt_device *device;
    if (!ttt_device_at(1, name))
        return NULL;
    check_ok(ttt_device_open(name, 0, &device));
    return guarded(device);
}

void guarded_device_poison(ttt_device *device)
{
    for (const struct block *block = guard_of(device)->blocks; block; block = block->next)
        fill(device, block->base + GUARD, POISON, block->bytes);
}

void guarded_device_check(ttt_device *device)
{
    for (const struct block *block = guard_of(device)->blocks; block; block = block->next)
        check_block(device, block);
}

int64_t guarded_device_in_use(ttt_device *device)
{
    int64_t bytes = 0;
    for (const struct block *block = guard_of(device)->blocks; block; block = block->next)
        bytes += (int64_t)block->bytes;
    return bytes;
}
