/* Making a plan: what is needed, which implementation, how much memory. */
#include "ttt/graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

void plan_node_clear(struct plan_node *node)
{
    free(node->attributes);
    free(node->in);
    free(node->out);
    free(node->name);
    free(node->operands);
    if (node->row && node->row->release && node->state)
        node->row->release(node->state);
    *node = (struct plan_node){0};
}

void ttt_plan_destroy(ttt_plan *plan)
{
    if (!plan)
        return;
    ttt_device_forget(plan->device, plan->recording);
    for (int i = 0; i < plan->n_nodes; i++)
        plan_node_clear(&plan->nodes[i]);
    for (int i = 0; i < plan->n_storages; i++)
        free(plan->storages[i].name);
    for (int i = 0; i < plan->n_outputs; i++)
        free(plan->outputs[i].name);
    ttt_device_release(plan->device, plan->arena);
    free(plan->nodes);
    free(plan->tensors);
    free(plan->storages);
    free(plan->outputs);
    free(plan);
}

static ttt_status no_memory(void)
{
    return ttt_fail(TTT_MEMORY, "no memory to plan the graph");
}

static void *copy_of(const void *from, size_t bytes)
{
    void *copy = malloc(bytes + 1);
    if (copy && bytes)
        memcpy(copy, from, bytes);
    return copy;
}

static ttt_status copy_tables(ttt_plan *plan, const ttt_graph *graph)
{
    plan->n_tensors = graph->n_tensors;
    plan->tensors = copy_of(graph->tensors, (size_t)graph->n_tensors * sizeof *graph->tensors);
    plan->storages = calloc((size_t)graph->n_storages + 1, sizeof *plan->storages);
    plan->outputs = calloc((size_t)graph->n_outputs + 1, sizeof *plan->outputs);
    plan->nodes = calloc((size_t)graph->n_nodes + 1, sizeof *plan->nodes);
    if (!plan->tensors || !plan->storages || !plan->outputs || !plan->nodes)
        return no_memory();
    for (; plan->n_storages < graph->n_storages; plan->n_storages++) {
        const struct storage *from = &graph->storages[plan->n_storages];
        struct plan_storage *to = &plan->storages[plan->n_storages];
        *to = (struct plan_storage){.kind = from->kind,
                                    .dtype = from->dtype,
                                    .shape = from->shape,
                                    .precise = from->precise,
                                    .first = -1,
                                    .last = -1,
                                    .same_as = -1};
        to->bytes = ttt_shape_elements(from->shape) * (int64_t)ttt_dtype_size(from->dtype);
        if (from->name && !(to->name = strdup(from->name)))
            return no_memory();
    }
    for (; plan->n_outputs < graph->n_outputs; plan->n_outputs++) {
        plan->outputs[plan->n_outputs].tensor = graph->outputs[plan->n_outputs].tensor;
        if (!(plan->outputs[plan->n_outputs].name = strdup(graph->outputs[plan->n_outputs].name)))
            return no_memory();
    }
    return TTT_OK;
}

static ttt_status copy_node(struct plan_node *to, const ttt_node *from)
{
    to->op = from->op;
    to->n_in = from->n_inputs;
    to->n_out = from->n_outputs;
    to->backward = from->backward;
    to->merged = 1;
    to->attributes = copy_of(from->attributes, from->op->attribute_size);
    to->in = copy_of(from->inputs, (size_t)from->n_inputs * sizeof *from->inputs);
    to->out = copy_of(from->outputs, (size_t)from->n_outputs * sizeof *from->outputs);
    to->name = strdup(from->name);
    return to->attributes && to->in && to->out && to->name ? TTT_OK : no_memory();
}

/* Copies the nodes that an output or an effect depends on, without the views. */
static ttt_status copy_live_nodes(ttt_plan *plan, const ttt_graph *graph)
{
    bool *read = calloc((size_t)graph->n_tensors, sizeof *read);
    bool *live = calloc((size_t)graph->n_nodes + 1, sizeof *live);
    ttt_status status = read && live ? TTT_OK : no_memory();
    for (int i = 0; i < graph->n_outputs && !status; i++)
        read[graph->outputs[i].tensor.index] = true;
    for (int n = graph->n_nodes - 1; n >= 0 && !status; n--) {
        const ttt_node *node = graph->nodes[n];
        live[n] = node->op->has_effect;
        for (int i = 0; i < node->n_outputs; i++)
            live[n] |= read[node->outputs[i].index];
        for (int i = 0; i < node->n_inputs && live[n]; i++)
            read[node->inputs[i].index] = true;
    }
    for (int n = 0; n < graph->n_nodes && !status; n++)
        if (live[n] && !graph->nodes[n]->op->is_view)
            status = copy_node(&plan->nodes[plan->n_nodes++], graph->nodes[n]);
    free(read);
    free(live);
    return status;
}

ttt_launch plan_launch(const ttt_plan *plan, const struct plan_node *node)
{
    return (ttt_launch){.in = node->operands,
                        .out = node->operands + node->n_in,
                        .n_in = node->n_in,
                        .n_out = node->n_out,
                        .attributes = node->attributes,
                        .state = node->state,
                        .workspace = plan->arena ? (char *)plan->arena + node->workspace_offset : NULL,
                        .device = plan->device,
                        .threads = ttt_device_threads(plan->device)};
}

static ttt_operand operand_in_plan(const ttt_plan *plan, ttt_tensor x)
{
    return ttt_exists(x) ? operand_of_tensor(&plan->tensors[x.index]) : (ttt_operand){0};
}

bool plan_covers_storage(const ttt_plan *plan, ttt_tensor x)
{
    ttt_operand operand = operand_in_plan(plan, x);
    return ttt_operand_contiguous(&operand) &&
           ttt_operand_bytes(&operand) == plan->storages[plan->tensors[x.index].storage].bytes;
}

ttt_status plan_describe_operands(const ttt_plan *plan, struct plan_node *node)
{
    node->operands = calloc((size_t)(node->n_in + node->n_out + 1), sizeof *node->operands);
    if (!node->operands)
        return no_memory();
    for (int i = 0; i < node->n_in; i++)
        node->operands[i] = operand_in_plan(plan, node->in[i]);
    for (int i = 0; i < node->n_out; i++)
        node->operands[node->n_in + i] = operand_in_plan(plan, node->out[i]);
    return TTT_OK;
}

/* The row forced for an operator in "op:row,op:row"; its length goes to *length.  NULL: none. */
static const char *forced_row(const char *choices, const char *op, size_t *length)
{
    size_t op_length = strlen(op);
    for (const char *at = choices; at && *at;) {
        size_t entry = strcspn(at, ",");
        if (entry > op_length && !strncmp(at, op, op_length) && at[op_length] == ':') {
            *length = entry - op_length - 1;
            return at + op_length + 1;
        }
        at += entry + (at[entry] == ',');
    }
    return NULL;
}

static ttt_status choose_row(const ttt_plan *plan, struct plan_node *node, const char *choices)
{
    ttt_launch launch = plan_launch(plan, node);
    size_t length = 0, at = 0;
    const char *forced = forced_row(choices, node->op->name, &length);
    char reasons[512] = "";
    for (const ttt_implementation *const *row = node->op->implementations; *row && !node->row; row++) {
        const char *why = NULL;
        if ((*row)->device != ttt_device_kind_of(plan->device))
            why = "is for another device";
        else if (forced && (strlen((*row)->name) != length || strncmp((*row)->name, forced, length)))
            why = "is not the forced one";
        else if (!(*row)->supports || (*row)->supports(&launch, &why))
            node->row = *row;
        if (at < sizeof reasons)
            at += (size_t)snprintf(reasons + at, sizeof reasons - at, "%s%s: %s", at ? "; " : "",
                                   (*row)->name, why ? why : "no reason given");
    }
    if (node->row) {
        node->workspace_bytes = node->row->workspace ? (int64_t)node->row->workspace(&launch) : 0;
        return TTT_OK;
    }
    if (forced)
        return ttt_fail(TTT_ARGUMENT, "%s: the forced implementation '%s:%.*s' cannot be used (%s)",
                        node->name, node->op->name, (int)length, forced, reasons);
    return ttt_fail(TTT_UNSUPPORTED, "%s: no implementation of %s on %s takes it (%s)", node->name,
                    node->op->name, ttt_device_name(plan->device), reasons);
}

static void add_cost(ttt_plan *plan, const struct plan_node *node)
{
    ttt_launch launch = plan_launch(plan, node);
    ttt_cost cost = ttt_cost_of(node->op, &launch);
    plan->flops += cost.flops;
    plan->bytes += cost.bytes;
}

ttt_cost ttt_cost_of(const ttt_operator *op, const ttt_launch *launch)
{
    ttt_cost cost = op->cost ? op->cost(launch) : (ttt_cost){0};
    if (cost.bytes > 0)
        return cost;
    for (int i = 0; i < launch->n_in; i++)
        cost.bytes += (double)ttt_operand_bytes(&launch->in[i]);
    for (int i = 0; i < launch->n_out; i++)
        cost.bytes += (double)ttt_operand_bytes(&launch->out[i]);
    return cost;
}

/* Closes the gaps that merging left. */
static void drop_empty_nodes(ttt_plan *plan)
{
    int kept = 0;
    for (int n = 0; n < plan->n_nodes; n++) {
        if (!plan->nodes[n].op)
            continue;
        struct plan_node moved = plan->nodes[n];
        plan->nodes[n] = (struct plan_node){0};
        plan->nodes[kept++] = moved;
    }
    plan->n_nodes = kept;
}

static ttt_status choose_rows(ttt_plan *plan, const char *choices)
{
    for (int n = 0; n < plan->n_nodes; n++) {
        struct plan_node *node = &plan->nodes[n];
        TRY(plan_describe_operands(plan, node));
        TRY(choose_row(plan, node, choices));
        if (!node->constant)
            add_cost(plan, node);
    }
    return TTT_OK;
}

/* Bytes of the variables that the store does not have yet; those it has must match. */
static ttt_status match_variables(const ttt_plan *plan, int64_t *missing)
{
    *missing = 0;
    for (int i = 0; i < plan->n_storages; i++) {
        const struct plan_storage *wanted = &plan->storages[i];
        if (wanted->kind != STORAGE_VARIABLE)
            continue;
        const ttt_stored *stored = ttt_store_find(plan->store, wanted->name);
        char is[TTT_SHAPE_TEXT], should[TTT_SHAPE_TEXT];
        if (!stored)
            *missing += wanted->bytes;
        else if (stored->dtype != wanted->dtype || !ttt_shape_equal(stored->shape, wanted->shape))
            return ttt_fail(TTT_ARGUMENT, "variable '%s' is %s %s in the store, %s %s in the graph",
                            wanted->name, ttt_dtype_name(stored->dtype), ttt_shape_text(stored->shape, is),
                            ttt_dtype_name(wanted->dtype), ttt_shape_text(wanted->shape, should));
    }
    return TTT_OK;
}

ttt_status ttt_plan_memory_check(ttt_plan_memory memory, const ttt_store *store, int64_t limit)
{
    ttt_device *device = ttt_store_device(store);
    int64_t wanted = limit ? memory.total : memory.total - ttt_store_bytes(store);
    int64_t room = limit ? limit : ttt_device_memory_free(device);
    if (wanted <= room)
        return TTT_OK;
    TRY(ttt_device_synchronize(device)); /* one that is lost has no memory free */
    return ttt_fail(
        TTT_MEMORY,
        "the plan needs %.1f MiB on %s (%.1f MiB of variables, %.1f MiB of activations) and %s %.1f MiB",
        (double)memory.total / 0x1p20, ttt_device_name(device), (double)memory.variables / 0x1p20,
        (double)memory.arena / 0x1p20, limit ? "the limit is" : "there are free", (double)room / 0x1p20);
}

static ttt_status weigh(ttt_plan *plan, int64_t limit)
{
    int64_t missing;
    TRY(match_variables(plan, &missing));
    plan->memory.variables = ttt_store_bytes(plan->store) + missing;
    plan->memory.total = plan->memory.variables + plan->memory.arena;
    return ttt_plan_memory_check(plan->memory, plan->store, limit);
}

static ttt_status make_plan(ttt_plan *plan, const ttt_graph *graph, const ttt_plan_options *options)
{
    if (graph->has_target && graph->target != ttt_device_kind_of(plan->device))
        return ttt_fail(TTT_ARGUMENT, "the graph was built for another kind of device than %s",
                        ttt_device_name(plan->device));
    plan->ahead = options->ahead;
    plan->one_by_one = getenv("TTT_ONE_BY_ONE") != NULL;
    const char *choices = options->implementations ? options->implementations : getenv("TTT_IMPL");
    TRY(copy_tables(plan, graph));
    TRY(copy_live_nodes(plan, graph));
    if (!options->keep_chains) {
        TRY(plan_fuse(plan));
        TRY(plan_absorb(plan));
        TRY(plan_join(plan));
    }
    if (graph->activations == TTT_BF16)
        TRY(plan_lower_precision(plan));
    if (!options->keep_chains)
        TRY(plan_pair(plan));
    drop_empty_nodes(plan);
    TRY(plan_find_constants(plan));
    if (!options->keep_chains) {
        TRY(plan_place_parts(plan));
        TRY(plan_place_values(plan));
    }
    drop_empty_nodes(plan);
    TRY(choose_rows(plan, choices));
    TRY(plan_layout(plan));
    return weigh(plan, options->memory_limit);
}

ttt_status ttt_plan_create(const ttt_graph *graph, ttt_store *store, const ttt_plan_options *options,
                           ttt_plan **plan)
{
    *plan = NULL;
    TRY(ttt_graph_status(graph));
    ttt_plan *made = calloc(1, sizeof *made);
    if (!made)
        return no_memory();
    made->store = store;
    made->device = ttt_store_device(store);
    ttt_status status = make_plan(made, graph, options ? options : &(ttt_plan_options){0});
    if (status) {
        ttt_plan_destroy(made);
        return status;
    }
    *plan = made;
    return TTT_OK;
}

ttt_plan_memory ttt_plan_memory_of(const ttt_plan *plan)
{
    return plan->memory;
}

double ttt_plan_flops(const ttt_plan *plan)
{
    return plan->flops;
}

double ttt_plan_bytes(const ttt_plan *plan)
{
    return plan->bytes;
}

int ttt_plan_node_count(const ttt_plan *plan)
{
    return plan->n_nodes;
}
