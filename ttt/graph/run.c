/* Running a plan: memory, inputs and outputs, launches. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

static ttt_status find_data(ttt_plan *plan)
{
    for (int i = 0; i < plan->n_storages; i++) {
        struct plan_storage *storage = &plan->storages[i];
        if (storage->kind == STORAGE_VARIABLE) {
            if (!ttt_store_find(plan->store, storage->name))
                TRY(ttt_store_add(plan->store, storage->name, storage->dtype, storage->shape));
            storage->stored = ttt_store_find(plan->store, storage->name);
            storage->data = storage->stored->data;
        } else if (storage->first >= 0) {
            int root = i;
            while (plan->storages[root].same_as >= 0)
                root = plan->storages[root].same_as;
            storage->data = (char *)plan->arena + plan->storages[root].offset;
        }
    }
    return TTT_OK;
}

static char *data_of(const ttt_plan *plan, ttt_tensor x)
{
    if (!ttt_exists(x))
        return NULL;
    const struct tensor *tensor = &plan->tensors[x.index];
    char *data = plan->storages[tensor->storage].data;
    return data ? data + tensor->offset * (int64_t)ttt_dtype_size(tensor->dtype) : NULL;
}

static ttt_status within_node(const struct plan_node *node, ttt_status status)
{
    return ttt_within(status, "%s (%s:%s)", node->name, node->op->name, node->row->name);
}

static ttt_status prepare_node(ttt_plan *plan, struct plan_node *node)
{
    ttt_launch launch = plan_launch(plan, node);
    if (!node->row->prepare || node->state)
        return TTT_OK;
    return within_node(node, ttt_device_within(plan->device, node->row->prepare(&launch, &node->state)));
}

ttt_status ttt_plan_prepare(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes && !plan->arena; n++)
        TRY(prepare_node(plan, &plan->nodes[n]));
    if (!plan->arena)
        TRY(ttt_device_allocate(plan->device, (size_t)plan->memory.arena, &plan->arena));
    TRY(find_data(plan));
    for (int n = 0; n < plan->n_nodes; n++) {
        struct plan_node *node = &plan->nodes[n];
        for (int i = 0; i < node->n_in; i++)
            node->operands[i].data = data_of(plan, node->in[i]);
        for (int i = 0; i < node->n_out; i++)
            node->operands[node->n_in + i].data = data_of(plan, node->out[i]);
    }
    return TTT_OK;
}

static struct plan_storage *find_input(const ttt_plan *plan, const char *name)
{
    for (int i = 0; i < plan->n_storages; i++)
        if (plan->storages[i].kind == STORAGE_INPUT && !strcmp(plan->storages[i].name, name))
            return &plan->storages[i];
    return NULL;
}

static const struct tensor *find_output(const ttt_plan *plan, const char *name, ttt_tensor *handle)
{
    for (int i = 0; i < plan->n_outputs; i++)
        if (!strcmp(plan->outputs[i].name, name)) {
            *handle = plan->outputs[i].tensor;
            return &plan->tensors[handle->index];
        }
    return NULL;
}

ttt_status plan_input_at(ttt_plan *plan, const char *input, struct plan_storage **storage)
{
    *storage = find_input(plan, input);
    if (!*storage)
        return ttt_fail(TTT_ARGUMENT, "the graph has no input '%s'", input);
    if (!(*storage)->data)
        return ttt_fail(TTT_ARGUMENT, "input '%s' is written before the plan is prepared", input);
    return TTT_OK;
}

ttt_status plan_output_at(const ttt_plan *plan, const char *output, const char **data, size_t *bytes)
{
    ttt_tensor handle;
    const struct tensor *tensor = find_output(plan, output, &handle);
    if (!tensor)
        return ttt_fail(TTT_ARGUMENT, "the graph has no output '%s'", output);
    *data = data_of(plan, handle);
    if (!*data)
        return ttt_fail(TTT_ARGUMENT, "output '%s' is read before the plan is prepared", output);
    *bytes = (size_t)ttt_shape_elements(tensor->shape) * ttt_dtype_size(tensor->dtype);
    return TTT_OK;
}

ttt_status ttt_plan_write(ttt_plan *plan, const char *input, const void *host)
{
    struct plan_storage *storage;
    TRY(plan_input_at(plan, input, &storage));
    storage->written_ahead = false;
    return ttt_device_upload(plan->device, storage->data, host, (size_t)storage->bytes);
}

ttt_status ttt_plan_read(ttt_plan *plan, const char *output, void *host)
{
    const char *data;
    size_t bytes;
    TRY(plan_output_at(plan, output, &data, &bytes));
    return ttt_device_download(plan->device, host, data, bytes);
}

ttt_device *ttt_plan_device(const ttt_plan *plan)
{
    return plan->device;
}

bool ttt_plan_describe(const ttt_plan *plan, const char *name, ttt_dtype *dtype, ttt_shape *shape)
{
    ttt_tensor handle;
    const struct plan_storage *input = find_input(plan, name);
    const struct tensor *output = find_output(plan, name, &handle);
    if (!input && !output)
        return false;
    *dtype = input ? input->dtype : output->dtype;
    *shape = input ? input->shape : output->shape;
    return true;
}

ttt_status plan_run_node(ttt_plan *plan, const struct plan_node *node)
{
    ttt_launch launch = plan_launch(plan, node);
    return within_node(node, ttt_device_within(plan->device, node->row->run(&launch)));
}

static ttt_status not_prepared(const ttt_plan *plan)
{
    return plan->arena ? TTT_OK : ttt_fail(TTT_ARGUMENT, "the plan is run before it is prepared");
}

/* Node by node, each waited for, so that one that fails is named: the constant ones, or the others. */
static ttt_status run_one_by_one(ttt_plan *plan, bool constant)
{
    for (int n = 0; n < plan->n_nodes; n++) {
        struct plan_node *node = &plan->nodes[n];
        if (node->constant != constant)
            continue;
        TRY(plan_run_node(plan, node));
        TRY(within_node(node, ttt_device_synchronize(plan->device)));
    }
    return TTT_OK;
}

static ttt_status run_constants(ttt_plan *plan)
{
    uint64_t version = 0;
    for (int i = 0; i < plan->n_storages; i++)
        if (plan->storages[i].feeds && plan->storages[i].stored)
            version += plan->storages[i].stored->version;
    if (!plan->has_constants || plan->constants_of != version)
        TRY(run_one_by_one(plan, true));
    plan->has_constants = true;
    plan->constants_of = version;
    return TTT_OK;
}

static void touch_changed(ttt_plan *plan)
{
    for (int i = 0; i < plan->n_storages; i++)
        if (plan->storages[i].changes && plan->storages[i].stored)
            ttt_store_touch(plan->store, plan->storages[i].stored);
}

static ttt_status record(ttt_plan *plan)
{
    ttt_status status = TTT_OK;
    TRY(ttt_device_record_begin(plan->device));
    for (int n = 0; n < plan->n_nodes && !status; n++)
        if (!plan->nodes[n].constant)
            status = plan_run_node(plan, &plan->nodes[n]);
    ttt_status ended = ttt_device_record_end(plan->device, &plan->recording);
    if (!status)
        return ended;
    ttt_status_free(ended);
    return status;
}

ttt_status ttt_plan_run(ttt_plan *plan)
{
    TRY(not_prepared(plan));
    TRY(plan_take_inputs(plan));
    TRY(run_constants(plan));
    touch_changed(plan);
    if (plan->one_by_one || !plan->has_run || !ttt_device_can_record(plan->device)) {
        TRY(run_one_by_one(plan, false));
        plan->has_run = true;
        return TTT_OK;
    }
    if (!plan->recording)
        TRY(record(plan));
    return ttt_device_replay(plan->device, plan->recording);
}

/* Whether element i of host memory is finite; what is no floating-point number is. */
static bool is_finite(const void *host, ttt_dtype dtype, int64_t i)
{
    if (dtype == TTT_BF16)
        return isfinite(ttt_f32_from_bf16(((const uint16_t *)host)[i]));
    return dtype != TTT_F32 || isfinite(((const float *)host)[i]);
}

/* Where element i of an operand lies, in elements from its first. */
static int64_t place_of(const ttt_operand *x, int64_t i)
{
    int64_t at = 0;
    for (int d = x->shape.rank - 1; d >= 0; d--) {
        at += i % x->shape.size[d] * x->stride[d];
        i /= x->shape.size[d];
    }
    return at;
}

/* The index of the first element that is not finite; -1 when all are. */
static ttt_status first_bad_element(ttt_device *device, const ttt_operand *x, int64_t *bad)
{
    *bad = -1;
    if ((x->dtype != TTT_F32 && x->dtype != TTT_BF16) || !x->data)
        return TTT_OK;
    const int64_t elements = ttt_operand_elements(x), span = place_of(x, elements - 1) + 1;
    const size_t bytes = (size_t)span * ttt_dtype_size(x->dtype);
    void *host = malloc(bytes);
    if (!host)
        return ttt_fail(TTT_MEMORY, "no memory to look at a tensor of %lld elements", (long long)elements);
    ttt_status status = ttt_device_download(device, host, x->data, bytes);
    for (int64_t i = 0; i < elements && !status && *bad < 0; i++)
        if (!is_finite(host, x->dtype, place_of(x, i)))
            *bad = i;
    free(host);
    return status;
}

static ttt_status check_storages(ttt_plan *plan)
{
    for (int i = 0; i < plan->n_storages; i++) {
        const struct plan_storage *s = &plan->storages[i];
        const ttt_operand whole = {.data = s->data,
                                   .dtype = s->dtype,
                                   .shape = ttt_dims(ttt_shape_elements(s->shape)),
                                   .stride = {1}};
        int64_t bad;
        if (s->kind == STORAGE_ACTIVATION)
            continue;
        TRY(first_bad_element(plan->device, &whole, &bad));
        if (bad >= 0)
            return ttt_fail(TTT_NUMERIC, "%s '%s' is not finite at element %lld",
                            s->kind == STORAGE_INPUT ? "input" : "variable", s->name, (long long)bad);
    }
    return TTT_OK;
}

static ttt_status check_outputs(ttt_plan *plan, const struct plan_node *node)
{
    for (int i = 0; i < node->n_out; i++) {
        const ttt_operand *out = &node->operands[node->n_in + i];
        int64_t bad;
        TRY(first_bad_element(plan->device, out, &bad));
        char shape[TTT_SHAPE_TEXT];
        if (bad >= 0)
            return ttt_fail(TTT_NUMERIC,
                            "%s%s, output %d %s, is the first tensor that is not finite, at element %lld",
                            node->name, node->backward ? " (backward)" : "", i,
                            ttt_shape_text(out->shape, shape), (long long)bad);
    }
    return TTT_OK;
}

ttt_status ttt_plan_check_finite(ttt_plan *plan)
{
    TRY(not_prepared(plan));
    TRY(plan_take_inputs(plan));
    TRY(check_storages(plan));
    for (int n = 0; n < plan->n_nodes; n++) {
        if (plan->nodes[n].op->has_effect)
            continue;
        TRY(plan_run_node(plan, &plan->nodes[n]));
        TRY(check_outputs(plan, &plan->nodes[n]));
    }
    return TTT_OK;
}
