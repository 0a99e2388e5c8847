/* Gradient norm, accumulation: builders, costs, tables. */
#include "ttt/ops/optimiser/optimiser.h"

#include <stdlib.h>

#include "ttt/ops/optimiser/builders.h"
#include "ttt/ops/optimiser/optimiser_rows.h"

ttt_tensor *ttt_tensor_list(ttt_graph *g, int count)
{
    ttt_tensor *list = calloc((size_t)count + 1, sizeof *list);
    if (!list)
        ttt_graph_fail(g, TTT_MEMORY, "no memory for a list of %d tensors", count);
    return list;
}

bool ttt_writable(ttt_graph *g, const char *op, const char *what, int i, ttt_tensor x)
{
    if (!ttt_valid(x))
        return false;
    if (ttt_exists(x) && ttt_is_contiguous(g, x))
        return true;
    ttt_graph_fail(g, TTT_ARGUMENT, "%s: %s %d must be a whole variable, since it is written", op, what, i);
    return false;
}

bool ttt_same_shape(ttt_graph *g, const char *op, const char *what, int i, ttt_tensor x, ttt_tensor owner)
{
    if (!ttt_valid(x) || !ttt_valid(owner))
        return false;
    const ttt_shape is = ttt_shape_of(g, x), should = ttt_shape_of(g, owner);
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    if (ttt_shape_equal(is, should))
        return true;
    ttt_graph_fail(g, TTT_SHAPE, "%s: %s %d has shape %s, and should have %s", op, what, i,
                   ttt_shape_text(is, a), ttt_shape_text(should, b));
    return false;
}

int64_t ttt_elements_of_all(const ttt_launch *launch, int first, int step)
{
    int64_t elements = 0;
    for (int i = first; i < launch->n_in; i += step)
        elements += ttt_operand_elements(&launch->in[i]);
    return elements;
}

ttt_tensor ttt_gradient_norm(ttt_graph *g, const ttt_tensor *gradients, int count)
{
    ttt_tensor *inputs = ttt_tensor_list(g, count);
    if (!inputs)
        return TTT_INVALID;
    int n = 0;
    for (int i = 0; i < count; i++)
        if (gradients[i].index != TTT_NONE.index)
            inputs[n++] = ttt_contiguous(g, gradients[i]);
    const ttt_tensor norm =
        n > 0 ? ttt_node_add_one(g, &ttt_op_gradient_norm, NULL, inputs, n, TTT_F32, ttt_dims(1))
              : ttt_graph_fail(g, TTT_ARGUMENT, "gradient_norm: there is no gradient");
    free(inputs);
    return norm;
}

/* Fills inputs with (variables[i], contiguous x[i]) where x[i] is not TTT_NONE; returns how many inputs, or
 * -1 after an error. */
static int pair_up(ttt_graph *g, const char *op, const ttt_tensor *variables, const ttt_tensor *x, int count,
                   ttt_tensor *inputs)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (x[i].index == TTT_NONE.index)
            continue;
        if (!ttt_writable(g, op, "variable", i, variables[i]) ||
            !ttt_same_shape(g, op, "tensor", i, x[i], variables[i]))
            return -1;
        inputs[n++] = variables[i];
        inputs[n++] = ttt_contiguous(g, x[i]);
    }
    return n;
}

static void accumulate(ttt_graph *g, const char *what, const ttt_tensor *sums, const ttt_tensor *x, int count,
                       bool anew)
{
    const struct ttt_accumulate_attributes attributes = {.anew = anew};
    ttt_tensor *inputs = ttt_tensor_list(g, 2 * count);
    if (!inputs)
        return;
    const int n = pair_up(g, what, sums, x, count, inputs);
    if (n > 0)
        ttt_node_add(g, &ttt_op_accumulate, &attributes, inputs, n, NULL, 0, NULL);
    free(inputs);
}

void ttt_accumulate(ttt_graph *g, const ttt_tensor *sums, const ttt_tensor *x, int count)
{
    accumulate(g, "accumulate", sums, x, count, false);
}

void ttt_assign(ttt_graph *g, const ttt_tensor *variables, const ttt_tensor *x, int count)
{
    accumulate(g, "assign", variables, x, count, true);
}

void ttt_clear(ttt_graph *g, const ttt_tensor *variables, int count)
{
    for (int i = 0; i < count; i++)
        if (!ttt_writable(g, "clear", "variable", i, variables[i]))
            return;
    if (count > 0)
        ttt_node_add(g, &ttt_op_clear, NULL, variables, count, NULL, 0, NULL);
}

/* A square and a sum for each element, read once. */
static ttt_cost norm_cost(const ttt_launch *launch)
{
    const double elements = (double)ttt_elements_of_all(launch, 0, 1);
    return (ttt_cost){.flops = 2 * elements, .bytes = 4 * elements};
}

static ttt_cost accumulate_cost(const ttt_launch *launch)
{
    const struct ttt_accumulate_attributes *attributes = launch->attributes;
    const double elements = (double)ttt_elements_of_all(launch, 0, 2);
    if (attributes->anew)
        return (ttt_cost){.bytes = 8 * elements};
    return (ttt_cost){.flops = elements, .bytes = 12 * elements};
}

static bool assigns(const void *attributes)
{
    return ((const struct ttt_accumulate_attributes *)attributes)->anew;
}

static ttt_cost clear_cost(const ttt_launch *launch)
{
    return (ttt_cost){.bytes = 4 * (double)ttt_elements_of_all(launch, 0, 1)};
}

static const ttt_implementation *const norm_rows[] = {&ttt_gradient_norm_cpu,
                                                      TTT_CUDA_ROW(&ttt_gradient_norm_cuda) NULL};
static const ttt_implementation *const accumulate_rows[] = {&ttt_accumulate_cpu,
                                                            TTT_CUDA_ROW(&ttt_accumulate_cuda) NULL};
static const ttt_implementation *const clear_rows[] = {&ttt_clear_cpu, TTT_CUDA_ROW(&ttt_clear_cuda) NULL};

const ttt_operator ttt_op_gradient_norm = {
    .name = "gradient_norm", .cost = norm_cost, .implementations = norm_rows};

const ttt_operator ttt_op_accumulate = {.name = "accumulate",
                                        .attribute_size = sizeof(struct ttt_accumulate_attributes),
                                        .cost = accumulate_cost,
                                        .has_effect = true,
                                        .assigns = assigns,
                                        .implementations = accumulate_rows};

const ttt_operator ttt_op_clear = {
    .name = "clear", .cost = clear_cost, .has_effect = true, .implementations = clear_rows};
