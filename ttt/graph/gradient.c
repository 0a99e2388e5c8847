/* Reverse-mode differentiation: each operator builds its own gradient out of operators.
 *
 * Nodes are visited from last to first.  A node of a recompute segment is first built again, together with
 * its whole segment, and its gradient then reads the repeated tensors.
 */
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/graph_internal.h"

struct backward {
    ttt_graph *graph;
    int n_nodes, n_tensors;  /* of the forward pass */
    bool *needed;            /* by tensor: it depends on a wanted one */
    ttt_tensor *gradient;    /* by tensor: the sum so far */
    ttt_node **repeated;     /* by node: its second computation, for recompute segments */
    ttt_tensor *repeated_as; /* by tensor: in the second computation */
    ttt_tensor *in, *out;    /* scratch for one node's inputs and outputs */
    bool *wanted;            /* likewise, by input */
    char scope[sizeof((ttt_graph *)0)->scope];
};

static bool any_input_needed(const struct backward *b, const ttt_node *node)
{
    for (int i = 0; i < node->n_inputs; i++)
        if (ttt_exists(node->inputs[i]) && b->needed[node->inputs[i].index])
            return true;
    return false;
}

static void mark_needed(struct backward *b, const ttt_tensor *wanted, int count)
{
    for (int i = 0; i < count; i++)
        if (ttt_exists(wanted[i]))
            b->needed[wanted[i].index] = true;
    for (int n = 0; n < b->n_nodes; n++) {
        const ttt_node *node = b->graph->nodes[n];
        bool needed = any_input_needed(b, node);
        for (int i = 0; i < node->n_outputs; i++)
            b->needed[node->outputs[i].index] |= needed;
    }
}

/* Backward nodes are named after the layer whose gradient they are. */
static void enter_scope_of(ttt_graph *graph, const ttt_node *node)
{
    size_t length = strlen(node->name) - strlen(node->op->name);
    length = length ? length - 1 : 0;
    memcpy(graph->scope, node->name, length);
    graph->scope[length] = 0;
}

static void repeat_segment(struct backward *b, int segment)
{
    for (int n = 0; n < b->n_nodes && !b->graph->error; n++) {
        const ttt_node *node = b->graph->nodes[n];
        if (node->segment != segment)
            continue;
        for (int i = 0; i < node->n_inputs; i++) {
            ttt_tensor again = ttt_exists(node->inputs[i]) ? b->repeated_as[node->inputs[i].index] : TTT_NONE;
            b->in[i] = ttt_exists(again) ? again : node->inputs[i];
        }
        enter_scope_of(b->graph, node);
        b->repeated[n] = node_repeat(b->graph, node, b->in);
        for (int i = 0; i < node->n_outputs && b->repeated[n]; i++)
            b->repeated_as[node->outputs[i].index] = b->repeated[n]->outputs[i];
    }
}

static void accumulate(struct backward *b, ttt_tensor x, ttt_tensor gradient)
{
    if (!ttt_exists(gradient))
        return;
    char is[TTT_SHAPE_TEXT], should[TTT_SHAPE_TEXT];
    if (!ttt_shape_equal(ttt_shape_of(b->graph, x), ttt_shape_of(b->graph, gradient))) {
        ttt_graph_fail(b->graph, TTT_SHAPE, "a gradient has shape %s, its tensor %s",
                       ttt_shape_text(ttt_shape_of(b->graph, gradient), is),
                       ttt_shape_text(ttt_shape_of(b->graph, x), should));
        return;
    }
    ttt_tensor *sum = &b->gradient[x.index];
    *sum = ttt_exists(*sum) ? ttt_add(b->graph, *sum, gradient) : gradient;
}

static void differentiate_node(struct backward *b, int n)
{
    ttt_graph *graph = b->graph;
    const ttt_node *node = graph->nodes[n];
    bool flows = false;
    for (int i = 0; i < node->n_outputs; i++) {
        b->out[i] = b->gradient[node->outputs[i].index];
        flows |= ttt_exists(b->out[i]);
    }
    if (!flows || !any_input_needed(b, node))
        return;
    if (node->segment && !b->repeated[n])
        repeat_segment(b, node->segment);
    enter_scope_of(graph, node);
    if (!node->op->gradient) {
        ttt_graph_fail(graph, TTT_UNSUPPORTED, "operator %s has no gradient", node->op->name);
        return;
    }

    for (int i = 0; i < node->n_inputs; i++) {
        b->wanted[i] = ttt_exists(node->inputs[i]) && b->needed[node->inputs[i].index];
        b->in[i] = TTT_NONE;
    }
    const ttt_node *source = b->repeated[n] ? b->repeated[n] : node;
    node->op->gradient(graph, source, b->out, b->wanted, b->in);
    for (int i = 0; i < node->n_inputs && !graph->error; i++)
        if (b->wanted[i])
            accumulate(b, node->inputs[i], b->in[i]);
}

static bool backward_create(struct backward *b, ttt_graph *graph)
{
    *b = (struct backward){.graph = graph, .n_nodes = graph->n_nodes, .n_tensors = graph->n_tensors};
    memcpy(b->scope, graph->scope, sizeof b->scope);
    b->needed = calloc((size_t)b->n_tensors, sizeof *b->needed);
    b->gradient = calloc((size_t)b->n_tensors, sizeof *b->gradient);
    b->repeated = calloc((size_t)b->n_nodes + 1, sizeof *b->repeated);
    b->repeated_as = calloc((size_t)b->n_tensors, sizeof *b->repeated_as);
    int most = 1;
    for (int n = 0; n < b->n_nodes; n++) {
        most = graph->nodes[n]->n_inputs > most ? graph->nodes[n]->n_inputs : most;
        most = graph->nodes[n]->n_outputs > most ? graph->nodes[n]->n_outputs : most;
    }
    b->in = calloc((size_t)most, sizeof *b->in);
    b->out = calloc((size_t)most, sizeof *b->out);
    b->wanted = calloc((size_t)most, sizeof *b->wanted);
    return b->needed && b->gradient && b->repeated && b->repeated_as && b->in && b->out && b->wanted;
}

static void backward_destroy(struct backward *b)
{
    memcpy(b->graph->scope, b->scope, sizeof b->scope);
    free(b->needed);
    free(b->gradient);
    free(b->repeated);
    free(b->repeated_as);
    free(b->in);
    free(b->out);
    free(b->wanted);
}

void ttt_gradient_from(ttt_graph *graph, ttt_tensor y, ttt_tensor cotangent, const ttt_tensor *wanted,
                       int count, ttt_tensor *gradients)
{
    for (int i = 0; i < count; i++)
        gradients[i] = graph->error ? TTT_INVALID : TTT_NONE;
    if (graph->error || !ttt_exists(y) || !ttt_exists(cotangent))
        return;

    struct backward b;
    graph->in_backward = true;
    if (backward_create(&b, graph)) {
        mark_needed(&b, wanted, count);
        accumulate(&b, y, cotangent);
        for (int n = b.n_nodes - 1; n >= 0 && !graph->error; n--)
            differentiate_node(&b, n);
    } else {
        ttt_graph_fail(graph, TTT_MEMORY, "no memory to build the gradient");
    }
    for (int i = 0; i < count; i++)
        gradients[i] = graph->error            ? TTT_INVALID
                       : ttt_exists(wanted[i]) ? b.gradient[wanted[i].index]
                                               : TTT_NONE;
    backward_destroy(&b);
    graph->in_backward = false;
}

void ttt_gradient(ttt_graph *graph, ttt_tensor loss, const ttt_tensor *wanted, int count,
                  ttt_tensor *gradients)
{
    if (ttt_exists(loss) && ttt_shape_elements(ttt_shape_of(graph, loss)) != 1) {
        char text[TTT_SHAPE_TEXT];
        ttt_graph_fail(graph, TTT_SHAPE, "a loss must have one element, not shape %s",
                       ttt_shape_text(ttt_shape_of(graph, loss), text));
    }
    ttt_tensor one =
        ttt_exists(loss) && !graph->error ? ttt_fill(graph, ttt_shape_of(graph, loss), 1) : TTT_NONE;
    ttt_gradient_from(graph, loss, one, wanted, count, gradients);
}
