/* Inputs written, and outputs read, while runs are under way.
 *
 * Every input has a second place.  A batch is uploaded there beside the run before its own, and copied into
 * the first one between the two; the next upload waits for that copy.  On a device without uploads beside,
 * and for a plan without room for it, they are plain copies.
 */
#include "ttt/graph/plan_internal.h"

static bool writes_ahead(const ttt_plan *plan)
{
    return plan->ahead && ttt_device_can_upload_beside(plan->device);
}

ttt_status ttt_plan_write_later(ttt_plan *plan, const char *input, const void *host)
{
    struct plan_storage *storage;
    if (!writes_ahead(plan))
        return ttt_plan_write(plan, input, host);
    TRY(plan_input_at(plan, input, &storage));
    storage->written_ahead = true;
    return ttt_device_upload_beside(plan->device, (char *)plan->arena + storage->ahead_offset, host,
                                    (size_t)storage->bytes);
}

ttt_status ttt_plan_writes_done(ttt_plan *plan)
{
    return writes_ahead(plan) ? ttt_device_uploads_done(plan->device) : TTT_OK;
}

ttt_status plan_take_inputs(ttt_plan *plan)
{
    bool any = false;
    for (int i = 0; i < plan->n_storages; i++) {
        struct plan_storage *storage = &plan->storages[i];
        if (!storage->written_ahead)
            continue;
        if (!any)
            TRY(ttt_device_launches_wait(plan->device));
        any = true;
        storage->written_ahead = false;
        TRY(ttt_device_copy_later(plan->device, storage->data, (char *)plan->arena + storage->ahead_offset,
                                  (size_t)storage->bytes));
    }
    return any ? ttt_device_uploads_wait(plan->device) : TTT_OK;
}

ttt_status ttt_plan_read_later(ttt_plan *plan, const char *output, void *host)
{
    const char *data;
    size_t bytes;
    TRY(plan_output_at(plan, output, &data, &bytes));
    return ttt_device_download_later(plan->device, host, data, bytes);
}
