/* Variables by name, on one device. */
#include "ttt/graph/store.h"

#include <stdlib.h>
#include <string.h>

#include "ttt/base/random.h"

struct variable {
    ttt_stored stored;
    uint64_t hash;
};

struct ttt_store {
    ttt_device *device;
    struct variable **variables; /* each on its own, so that pointers stay valid */
    int count, room;
    int64_t bytes;
};

ttt_device *ttt_store_device(const ttt_store *store)
{
    return store->device;
}

ttt_status ttt_store_create(ttt_device *device, ttt_store **store)
{
    *store = calloc(1, sizeof **store);
    if (!*store)
        return ttt_fail(TTT_MEMORY, "no memory for a store of variables");
    (*store)->device = device;
    return TTT_OK;
}

static void variable_free(ttt_store *store, struct variable *variable)
{
    ttt_device_release(store->device, variable->stored.data);
    free((char *)variable->stored.name);
    free(variable);
}

void ttt_store_destroy(ttt_store *store)
{
    if (!store)
        return;
    for (int i = 0; i < store->count; i++)
        variable_free(store, store->variables[i]);
    free(store->variables);
    free(store);
}

static size_t stored_bytes(const ttt_stored *stored)
{
    return (size_t)ttt_shape_elements(stored->shape) * ttt_dtype_size(stored->dtype);
}

static ttt_status fill_with_zeros(ttt_store *store, const ttt_stored *stored)
{
    void *zeros = calloc(1, stored_bytes(stored));
    if (!zeros)
        return ttt_fail(TTT_MEMORY, "no memory to clear variable '%s'", stored->name);
    ttt_status status = ttt_device_upload(store->device, stored->data, zeros, stored_bytes(stored));
    free(zeros);
    return status;
}

ttt_status ttt_store_add(ttt_store *store, const char *name, ttt_dtype dtype, ttt_shape shape)
{
    if (ttt_store_find(store, name))
        return ttt_fail(TTT_ARGUMENT, "the store already has a variable '%s'", name);
    if (store->count == store->room) {
        int room = store->room ? store->room * 2 : 64;
        struct variable **larger = realloc(store->variables, (size_t)room * sizeof *larger);
        if (!larger)
            return ttt_fail(TTT_MEMORY, "no memory for variable '%s'", name);
        store->variables = larger;
        store->room = room;
    }
    struct variable *variable = calloc(1, sizeof *variable);
    char *copy = strdup(name);
    if (!variable || !copy) {
        free(variable);
        free(copy);
        return ttt_fail(TTT_MEMORY, "no memory for variable '%s'", name);
    }
    *variable = (struct variable){{copy, dtype, shape, NULL, 1}, ttt_hash(name)};
    ttt_status status =
        ttt_device_allocate(store->device, stored_bytes(&variable->stored), &variable->stored.data);
    if (!status)
        status = fill_with_zeros(store, &variable->stored);
    if (status) {
        variable_free(store, variable);
        return ttt_within(status, "variable '%s'", name);
    }
    store->variables[store->count++] = variable;
    store->bytes += (int64_t)stored_bytes(&variable->stored);
    return TTT_OK;
}

int ttt_store_count(const ttt_store *store)
{
    return store->count;
}

const ttt_stored *ttt_store_at(const ttt_store *store, int i)
{
    return i >= 0 && i < store->count ? &store->variables[i]->stored : NULL;
}

const ttt_stored *ttt_store_find(const ttt_store *store, const char *name)
{
    uint64_t hash = ttt_hash(name);
    for (int i = 0; i < store->count; i++)
        if (store->variables[i]->hash == hash && !strcmp(store->variables[i]->stored.name, name))
            return &store->variables[i]->stored;
    return NULL;
}

ttt_status ttt_store_write(ttt_store *store, const char *name, const void *host)
{
    const ttt_stored *stored = ttt_store_find(store, name);
    if (!stored)
        return ttt_fail(TTT_ARGUMENT, "the store has no variable '%s'", name);
    ttt_store_touch(store, stored);
    return ttt_device_upload(store->device, stored->data, host, stored_bytes(stored));
}

void ttt_store_touch(ttt_store *store, const ttt_stored *variable)
{
    if (variable)
        ((ttt_stored *)variable)->version++;
    for (int i = 0; i < store->count && !variable; i++)
        store->variables[i]->stored.version++;
}

ttt_status ttt_store_read(const ttt_store *store, const char *name, void *host)
{
    const ttt_stored *stored = ttt_store_find(store, name);
    if (!stored)
        return ttt_fail(TTT_ARGUMENT, "the store has no variable '%s'", name);
    return ttt_device_download(store->device, host, stored->data, stored_bytes(stored));
}

int64_t ttt_store_bytes(const ttt_store *store)
{
    return store->bytes;
}
