/* Graphs: tensors, nodes, names, and the first error. */
#include "ttt/graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/graph_internal.h"

ttt_status ttt_graph_create(ttt_graph **graph)
{
    *graph = calloc(1, sizeof **graph);
    if (!*graph)
        return ttt_fail(TTT_MEMORY, "no memory for a graph");
    (*graph)->n_tensors = 1;
    (*graph)->tensor_room = 64;
    (*graph)->tensors = calloc(64, sizeof(struct tensor));
    if (!(*graph)->tensors) {
        ttt_graph_destroy(*graph);
        *graph = NULL;
        return ttt_fail(TTT_MEMORY, "no memory for a graph");
    }
    return TTT_OK;
}

static void node_free(ttt_node *node)
{
    if (!node)
        return;
    free(node->attributes);
    free(node->inputs);
    free(node->outputs);
    free(node->name);
    free(node);
}

void ttt_graph_destroy(ttt_graph *graph)
{
    if (!graph)
        return;
    for (int i = 0; i < graph->n_nodes; i++)
        node_free(graph->nodes[i]);
    for (int i = 0; i < graph->n_storages; i++)
        free(graph->storages[i].name);
    for (int i = 0; i < graph->n_outputs; i++)
        free(graph->outputs[i].name);
    free(graph->nodes);
    free(graph->storages);
    free(graph->outputs);
    free(graph->tensors);
    ttt_status_free(graph->error);
    free(graph);
}

ttt_status ttt_graph_status(const ttt_graph *graph)
{
    return ttt_status_copy(graph->error);
}

ttt_tensor ttt_graph_fail(ttt_graph *graph, ttt_code code, const char *format, ...)
{
    if (graph->error)
        return TTT_INVALID;
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    graph->error = *graph->scope ? ttt_fail(code, "%s: %s", graph->scope, text) : ttt_fail(code, "%s", text);
    return TTT_INVALID;
}

static ttt_tensor out_of_memory(ttt_graph *graph)
{
    return ttt_graph_fail(graph, TTT_MEMORY, "no memory to build the graph");
}

void ttt_scope_push(ttt_graph *graph, const char *format, ...)
{
    size_t at = strlen(graph->scope);
    if (at && at + 1 < sizeof graph->scope)
        graph->scope[at++] = '.';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(graph->scope + at, sizeof graph->scope - at, format, arguments);
    va_end(arguments);
    /* A dot inside the pushed name would make pop remove only its last part. */
    for (char *c = graph->scope + at; *c; c++)
        if (*c == '.')
            *c = '_';
}

void ttt_scope_pop(ttt_graph *graph)
{
    char *dot = strrchr(graph->scope, '.');
    *(dot ? dot : graph->scope) = 0;
}

/* Makes room for one more element of `size` bytes; false when there is no memory. */
static bool grow(void *array, int count, int *room, size_t size)
{
    if (count < *room)
        return true;
    int wanted = *room ? *room * 2 : 64;
    void *old, *larger;
    memcpy(&old, array, sizeof old);
    larger = realloc(old, (size_t)wanted * size);
    if (!larger)
        return false;
    memcpy(array, &larger, sizeof larger);
    *room = wanted;
    return true;
}

static bool shape_is_sound(ttt_shape shape)
{
    int64_t elements = 1;
    if (shape.rank < 1 || shape.rank > TTT_MAX_RANK)
        return false;
    for (int i = 0; i < shape.rank; i++)
        if (shape.size[i] < 1 || __builtin_mul_overflow(elements, shape.size[i], &elements))
            return false;
    return elements < INT64_MAX / 8;
}

static ttt_tensor tensor_add(ttt_graph *graph, struct tensor tensor)
{
    if (!grow(&graph->tensors, graph->n_tensors, &graph->tensor_room, sizeof *graph->tensors))
        return out_of_memory(graph);
    graph->tensors[graph->n_tensors] = tensor;
    return (ttt_tensor){graph->n_tensors++};
}

/* A contiguous tensor with storage of its own.  Takes ownership of `name`. */
static ttt_tensor storage_add(ttt_graph *graph, enum storage_kind kind, ttt_dtype dtype, ttt_shape shape,
                              char *name, int producer)
{
    if (!shape_is_sound(shape)) {
        char text[TTT_SHAPE_TEXT];
        ttt_graph_fail(graph, TTT_SHAPE, "%s%sshape %s: every size must be at least 1, and rank 1 to %d",
                       name ? name : "", name ? ": " : "", ttt_shape_text(shape, text), TTT_MAX_RANK);
        free(name);
        return TTT_INVALID;
    }
    if (!grow(&graph->storages, graph->n_storages, &graph->storage_room, sizeof *graph->storages)) {
        free(name);
        return out_of_memory(graph);
    }
    graph->storages[graph->n_storages++] = (struct storage){kind, dtype, shape, name, false};

    struct tensor tensor = {
        .dtype = dtype, .shape = shape, .storage = graph->n_storages - 1, .producer = producer};
    int64_t stride = 1;
    for (int i = shape.rank - 1; i >= 0; i--) {
        tensor.stride[i] = stride;
        stride *= shape.size[i];
    }
    return tensor_add(graph, tensor);
}

static ttt_tensor find_named(const ttt_graph *graph, enum storage_kind kind, const char *name)
{
    for (int i = 1; i < graph->n_tensors; i++) {
        const struct storage *storage = &graph->storages[graph->tensors[i].storage];
        if (graph->tensors[i].producer < 0 && storage->kind == kind && !strcmp(storage->name, name))
            return (ttt_tensor){i};
    }
    return TTT_NONE;
}

static ttt_tensor named_add(ttt_graph *graph, enum storage_kind kind, const char *name, ttt_dtype dtype,
                            ttt_shape shape)
{
    char *copy = strdup(name);
    return copy ? storage_add(graph, kind, dtype, shape, copy, -1) : out_of_memory(graph);
}

ttt_tensor ttt_input(ttt_graph *graph, const char *name, ttt_dtype dtype, ttt_shape shape)
{
    if (ttt_exists(find_named(graph, STORAGE_INPUT, name)))
        return ttt_graph_fail(graph, TTT_ARGUMENT, "two inputs are called '%s'", name);
    return named_add(graph, STORAGE_INPUT, name, dtype, shape);
}

ttt_tensor ttt_variable(ttt_graph *graph, const char *name, ttt_dtype dtype, ttt_shape shape)
{
    ttt_tensor known = find_named(graph, STORAGE_VARIABLE, name);
    if (!ttt_exists(known))
        return named_add(graph, STORAGE_VARIABLE, name, dtype, shape);
    char was[TTT_SHAPE_TEXT], is[TTT_SHAPE_TEXT];
    if (ttt_dtype_of(graph, known) != dtype || !ttt_shape_equal(ttt_shape_of(graph, known), shape))
        return ttt_graph_fail(graph, TTT_SHAPE, "variable '%s' is asked for as %s %s and as %s %s", name,
                              ttt_dtype_name(ttt_dtype_of(graph, known)),
                              ttt_shape_text(ttt_shape_of(graph, known), was), ttt_dtype_name(dtype),
                              ttt_shape_text(shape, is));
    return known;
}

void ttt_output(ttt_graph *graph, const char *name, ttt_tensor x)
{
    x = ttt_contiguous(graph, x);
    if (!ttt_exists(x)) {
        ttt_graph_fail(graph, TTT_ARGUMENT, "output '%s' does not exist", name);
        return;
    }
    char *copy = strdup(name);
    if (!copy || !grow(&graph->outputs, graph->n_outputs, &graph->output_room, sizeof *graph->outputs)) {
        free(copy);
        out_of_memory(graph);
        return;
    }
    graph->outputs[graph->n_outputs++] = (struct named_output){copy, x};
}

const struct tensor *tensor_at(const ttt_graph *graph, ttt_tensor x)
{
    return &graph->tensors[x.index];
}

bool ttt_exists(ttt_tensor x)
{
    return x.index > 0;
}

bool ttt_valid(ttt_tensor x)
{
    return x.index >= 0;
}

ttt_shape ttt_shape_of(const ttt_graph *graph, ttt_tensor x)
{
    return ttt_exists(x) ? tensor_at(graph, x)->shape : (ttt_shape){0};
}

ttt_dtype ttt_dtype_of(const ttt_graph *graph, ttt_tensor x)
{
    return ttt_exists(x) ? tensor_at(graph, x)->dtype : (ttt_dtype)0;
}

int64_t ttt_size(const ttt_graph *graph, ttt_tensor x, int dimension)
{
    ttt_shape shape = ttt_shape_of(graph, x);
    int i = dimension < 0 ? dimension + shape.rank : dimension;
    return i >= 0 && i < shape.rank ? shape.size[i] : 0;
}

int64_t ttt_stride(const ttt_graph *graph, ttt_tensor x, int dimension)
{
    const struct tensor *tensor = tensor_at(graph, x);
    int i = dimension < 0 ? dimension + tensor->shape.rank : dimension;
    return i >= 0 && i < tensor->shape.rank ? tensor->stride[i] : 0;
}

bool ttt_is_contiguous(const ttt_graph *graph, ttt_tensor x)
{
    ttt_operand operand = operand_of(graph, x);
    return ttt_operand_contiguous(&operand);
}

ttt_operand operand_of_tensor(const struct tensor *tensor)
{
    ttt_operand operand = {.dtype = tensor->dtype, .shape = tensor->shape, .symmetric = tensor->symmetric};
    memcpy(operand.stride, tensor->stride, sizeof operand.stride);
    return operand;
}

ttt_operand operand_of(const ttt_graph *graph, ttt_tensor x)
{
    return ttt_exists(x) ? operand_of_tensor(tensor_at(graph, x)) : (ttt_operand){0};
}

/* A node with its inputs, and room for its outputs; NULL when there is no memory. */
static ttt_node *node_create(ttt_graph *graph, const ttt_operator *op, const void *attributes,
                             const ttt_tensor *inputs, int n_inputs, int n_outputs)
{
    ttt_node *node = calloc(1, sizeof *node);
    if (!node || !grow(&graph->nodes, graph->n_nodes, &graph->node_room, sizeof *graph->nodes)) {
        free(node);
        return NULL;
    }
    *node = (ttt_node){.op = op,
                       .n_inputs = n_inputs,
                       .n_outputs = n_outputs,
                       .segment = graph->in_backward ? 0 : graph->segment,
                       .backward = graph->in_backward};
    size_t name = strlen(graph->scope) + strlen(op->name) + 2;
    node->attributes = malloc(op->attribute_size + 1);
    node->inputs = malloc((size_t)(n_inputs + 1) * sizeof *node->inputs);
    node->outputs = calloc((size_t)n_outputs + 1, sizeof *node->outputs);
    node->name = malloc(name);
    if (!node->attributes || !node->inputs || !node->outputs || !node->name) {
        node_free(node);
        return NULL;
    }
    if (op->attribute_size)
        memcpy(node->attributes, attributes, op->attribute_size);
    if (n_inputs)
        memcpy(node->inputs, inputs, (size_t)n_inputs * sizeof *inputs);
    snprintf(node->name, name, "%s%s%s", graph->scope, *graph->scope ? "." : "", op->name);
    graph->nodes[graph->n_nodes++] = node;
    return node;
}

/* Whether a node may be built on these inputs; else all outputs become invalid. */
static bool inputs_are_valid(ttt_graph *graph, const ttt_tensor *inputs, int n_inputs, ttt_tensor *outputs,
                             int n_outputs)
{
    bool valid = !graph->error;
    for (int i = 0; i < n_inputs; i++)
        valid = valid && ttt_valid(inputs[i]);
    for (int i = 0; i < n_outputs && !valid; i++)
        outputs[i] = TTT_INVALID;
    return valid;
}

static void invalidate(ttt_graph *graph, ttt_tensor *outputs, int n_outputs)
{
    out_of_memory(graph);
    for (int i = 0; i < n_outputs; i++)
        outputs[i] = TTT_INVALID;
}

void ttt_node_add(ttt_graph *graph, const ttt_operator *op, const void *attributes, const ttt_tensor *inputs,
                  int n_inputs, const ttt_output_spec *specs, int n_outputs, ttt_tensor *outputs)
{
    if (!inputs_are_valid(graph, inputs, n_inputs, outputs, n_outputs))
        return;
    ttt_node *node = node_create(graph, op, attributes, inputs, n_inputs, n_outputs);
    if (!node) {
        invalidate(graph, outputs, n_outputs);
        return;
    }
    for (int i = 0; i < n_outputs; i++)
        outputs[i] = node->outputs[i] =
            storage_add(graph, STORAGE_ACTIVATION, specs[i].dtype, specs[i].shape, NULL, graph->n_nodes - 1);
}

ttt_tensor ttt_node_add_one(ttt_graph *graph, const ttt_operator *op, const void *attributes,
                            const ttt_tensor *inputs, int n_inputs, ttt_dtype dtype, ttt_shape shape)
{
    ttt_tensor output;
    ttt_node_add(graph, op, attributes, inputs, n_inputs, &(ttt_output_spec){dtype, shape}, 1, &output);
    return output;
}

void ttt_view_add(ttt_graph *graph, const ttt_operator *op, const void *attributes, ttt_tensor x,
                  const ttt_view_spec *specs, int n_outputs, ttt_tensor *outputs)
{
    if (!inputs_are_valid(graph, &x, 1, outputs, n_outputs))
        return;
    ttt_node *node = node_create(graph, op, attributes, &x, 1, n_outputs);
    if (!node) {
        invalidate(graph, outputs, n_outputs);
        return;
    }
    for (int i = 0; i < n_outputs; i++) {
        struct tensor view = *tensor_at(graph, x);
        view.shape = specs[i].shape;
        view.offset += specs[i].offset;
        view.producer = graph->n_nodes - 1;
        memcpy(view.stride, specs[i].stride, sizeof view.stride);
        outputs[i] = node->outputs[i] = tensor_add(graph, view);
    }
}

static void repeat_view(ttt_graph *graph, const ttt_node *node, const ttt_tensor *inputs,
                        ttt_view_spec *specs, ttt_tensor *outputs)
{
    for (int i = 0; i < node->n_outputs; i++) {
        const struct tensor *view = tensor_at(graph, node->outputs[i]);
        specs[i].shape = view->shape;
        specs[i].offset = view->offset - tensor_at(graph, node->inputs[0])->offset;
        memcpy(specs[i].stride, view->stride, sizeof view->stride);
    }
    ttt_view_add(graph, node->op, node->attributes, inputs[0], specs, node->n_outputs, outputs);
}

ttt_node *node_repeat(ttt_graph *graph, const ttt_node *node, const ttt_tensor *inputs)
{
    size_t count = (size_t)node->n_outputs;
    ttt_tensor *outputs = calloc(count + 1, sizeof *outputs);
    ttt_view_spec *views = calloc(count + 1, sizeof *views);
    ttt_output_spec *specs = calloc(count + 1, sizeof *specs);
    if (!outputs || !views || !specs) {
        out_of_memory(graph);
    } else if (node->op->is_view) {
        repeat_view(graph, node, inputs, views, outputs);
    } else {
        for (size_t i = 0; i < count; i++)
            specs[i] = (ttt_output_spec){ttt_dtype_of(graph, node->outputs[i]),
                                         ttt_shape_of(graph, node->outputs[i])};
        ttt_node_add(graph, node->op, node->attributes, inputs, node->n_inputs, specs, node->n_outputs,
                     outputs);
        for (size_t i = 0; i < count && !graph->error; i++)
            if (graph->storages[graph->tensors[node->outputs[i].index].storage].precise)
                ttt_precise(graph, outputs[i]);
    }
    free(outputs);
    free(views);
    free(specs);
    return graph->error ? NULL : graph->nodes[graph->n_nodes - 1];
}

ttt_tensor ttt_node_input(const ttt_node *node, int i)
{
    return node->inputs[i];
}

ttt_tensor ttt_node_output(const ttt_node *node, int i)
{
    return node->outputs[i];
}

int ttt_node_input_count(const ttt_node *node)
{
    return node->n_inputs;
}

int ttt_node_output_count(const ttt_node *node)
{
    return node->n_outputs;
}

const void *ttt_node_attributes(const ttt_node *node)
{
    return node->attributes;
}

void ttt_recompute_begin(ttt_graph *graph)
{
    graph->segment = ++graph->n_segments;
}

void ttt_recompute_end(ttt_graph *graph)
{
    graph->segment = 0;
}
