/* Checkpoint tensors over a store: the variables themselves on the CPU, host copies elsewhere. */
#include "train/snapshot.h"

#include <stdlib.h>
#include <string.h>

static bool is_parameter(const char *name, const struct parameter *parameters, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(parameters[i].name, name))
            return true;
    return false;
}

static size_t tensor_bytes(const ttt_stored *stored)
{
    return (size_t)ttt_shape_elements(stored->shape) * ttt_dtype_size(stored->dtype);
}

static ttt_status describe(const struct snapshot *snapshot, const ttt_stored *stored,
                           checkpoint_tensor *tensor)
{
    *tensor = (checkpoint_tensor){
        .name = stored->name, .dtype = stored->dtype, .rank = stored->shape.rank, .data = stored->data};
    memcpy(tensor->shape, stored->shape.size, (size_t)stored->shape.rank * sizeof *tensor->shape);
    if (!snapshot->copied)
        return TTT_OK;
    tensor->data = malloc(tensor_bytes(stored));
    return tensor->data ? TTT_OK : ttt_fail(TTT_MEMORY, "no memory for a copy of '%s'", stored->name);
}

ttt_status snapshot_create(ttt_store *store, const struct parameter *parameters, int count,
                           struct snapshot *snapshot)
{
    size_t most = (size_t)ttt_store_count(store) + 1;
    *snapshot =
        (struct snapshot){.store = store, .copied = ttt_device_kind_of(ttt_store_device(store)) != TTT_CPU};
    snapshot->model = calloc(most, sizeof *snapshot->model);
    snapshot->state = calloc(most, sizeof *snapshot->state);
    ttt_status status =
        snapshot->model && snapshot->state ? TTT_OK : ttt_fail(TTT_MEMORY, "no memory to list the variables");
    for (int i = 0; i < ttt_store_count(store) && !status; i++) {
        const ttt_stored *stored = ttt_store_at(store, i);
        if (is_parameter(stored->name, parameters, count))
            status = describe(snapshot, stored, &snapshot->model[snapshot->model_count++]);
        else if (strncmp(stored->name, "sum.", 4))
            status = describe(snapshot, stored, &snapshot->state[snapshot->state_count++]);
    }
    if (status)
        snapshot_destroy(snapshot);
    return status;
}

void snapshot_destroy(struct snapshot *snapshot)
{
    for (size_t i = 0; snapshot->copied && i < snapshot->model_count; i++)
        free(snapshot->model[i].data);
    for (size_t i = 0; snapshot->copied && i < snapshot->state_count; i++)
        free(snapshot->state[i].data);
    free(snapshot->model);
    free(snapshot->state);
    *snapshot = (struct snapshot){0};
}

static ttt_status read_all(ttt_store *store, const checkpoint_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(ttt_store_read(store, tensors[i].name, tensors[i].data));
    return TTT_OK;
}

static ttt_status write_all(ttt_store *store, const checkpoint_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(ttt_store_write(store, tensors[i].name, tensors[i].data));
    return TTT_OK;
}

ttt_status snapshot_from_store(struct snapshot *snapshot)
{
    if (!snapshot->copied)
        return TTT_OK;
    TRY(read_all(snapshot->store, snapshot->model, snapshot->model_count));
    return read_all(snapshot->store, snapshot->state, snapshot->state_count);
}

ttt_status snapshot_to_store(const struct snapshot *snapshot)
{
    if (!snapshot->copied)
        return TTT_OK;
    TRY(write_all(snapshot->store, snapshot->model, snapshot->model_count));
    return write_all(snapshot->store, snapshot->state, snapshot->state_count);
}
