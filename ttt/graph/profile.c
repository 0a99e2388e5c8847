/* Timing a plan node by node. */
#include <stdlib.h>

#include "ttt/graph/plan_internal.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nodes from ... to - 1, launched one right after another. */
static ttt_status time_group(ttt_plan *plan, int from, int to, int runs, double *seconds)
{
    TRY(ttt_device_mark(plan->device, 0));
    for (int n = from; n < to; n++) {
        if (!plan->nodes[n].constant)
            TRY(plan_run_node(plan, &plan->nodes[n]));
        TRY(ttt_device_mark(plan->device, n - from + 1));
    }
    for (int n = from; n < to; n++)
        TRY(ttt_device_elapsed(plan->device, n - from, n - from + 1, &seconds[n * runs]));
    return TTT_OK;
}

static ttt_status time_nodes(ttt_plan *plan, int runs, double *seconds)
{
    const int group = TTT_DEVICE_MARKS - 1;
    for (int run = 0; run < runs; run++)
        for (int n = 0; n < plan->n_nodes; n += group)
            TRY(time_group(plan, n, n + group < plan->n_nodes ? n + group : plan->n_nodes, runs,
                           seconds + run));
    return TTT_OK;
}

static ttt_node_profile describe(const ttt_plan *plan, const struct plan_node *node)
{
    ttt_launch launch = plan_launch(plan, node);
    ttt_cost cost = ttt_cost_of(node->op, &launch);
    return (ttt_node_profile){.name = node->name,
                              .op = node->op->name,
                              .implementation = node->row->name,
                              .backward = node->backward,
                              .flops = cost.flops,
                              .bytes = cost.bytes};
}

ttt_status ttt_plan_costs(const ttt_plan *plan, ttt_node_profile **nodes, int *count)
{
    *nodes = malloc(((size_t)plan->n_nodes + 1) * sizeof **nodes);
    if (!*nodes)
        return ttt_fail(TTT_MEMORY, "no memory for a profile");
    *count = plan->n_nodes;
    for (int n = 0; n < plan->n_nodes; n++)
        (*nodes)[n] = describe(plan, &plan->nodes[n]);
    return TTT_OK;
}

ttt_status ttt_plan_profile(ttt_plan *plan, int runs, ttt_node_profile **nodes, int *count)
{
    *nodes = NULL;
    if (!plan->arena || runs < 1)
        return ttt_fail(TTT_ARGUMENT, "a profile needs a prepared plan and at least one run");
    TRY(ttt_plan_run(plan));
    double *seconds = malloc(((size_t)plan->n_nodes * (size_t)runs + 1) * sizeof *seconds);
    ttt_status status =
        seconds ? time_nodes(plan, runs, seconds) : ttt_fail(TTT_MEMORY, "no memory for a profile");
    if (!status)
        status = ttt_plan_costs(plan, nodes, count);
    for (int n = 0; !status && n < plan->n_nodes; n++) {
        qsort(seconds + n * runs, (size_t)runs, sizeof *seconds, ascending);
        (*nodes)[n].seconds = seconds[n * runs + runs / 2];
    }
    free(seconds);
    return status;
}
