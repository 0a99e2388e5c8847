/* Nodes whose results stay the same from run to run: all that they read are variables that the plan leaves as
 * they are.  They run again only after one of those has changed, and their results keep their memory.  In a
 * plan for inference these are, above all, the working copies of parameters. */
#include <stdlib.h>

#include "ttt/graph/plan_internal.h"

static int storage_of(const ttt_plan *plan, ttt_tensor x)
{
    return plan->tensors[x.index].storage;
}

/* By storage: whether its value is the same in every run. */
static void find_resting(ttt_plan *plan, bool *resting)
{
    for (int n = 0; n < plan->n_nodes; n++)
        for (int i = 0; i < plan->nodes[n].n_in && plan->nodes[n].op->has_effect; i++)
            if (ttt_exists(plan->nodes[n].in[i]))
                plan->storages[storage_of(plan, plan->nodes[n].in[i])].changes = true;
    for (int i = 0; i < plan->n_storages; i++)
        resting[i] = plan->storages[i].kind == STORAGE_VARIABLE && !plan->storages[i].changes;
}

static bool is_constant(const ttt_plan *plan, const struct plan_node *node, const bool *resting)
{
    for (int i = 0; i < node->n_in; i++)
        if (ttt_exists(node->in[i]) && !resting[storage_of(plan, node->in[i])])
            return false;
    return node->n_in && !node->op->has_effect; /* what reads nothing is cheaper to make than to keep */
}

static void note_constant(ttt_plan *plan, const struct plan_node *node, bool *resting)
{
    for (int i = 0; i < node->n_in; i++)
        if (ttt_exists(node->in[i]))
            plan->storages[storage_of(plan, node->in[i])].feeds = true;
    for (int i = 0; i < node->n_out; i++)
        resting[storage_of(plan, node->out[i])] = true;
}

ttt_status plan_find_constants(ttt_plan *plan)
{
    bool *resting = calloc((size_t)plan->n_storages + 1, sizeof *resting);
    if (!resting)
        return ttt_fail(TTT_MEMORY, "no memory to plan the graph");
    find_resting(plan, resting);
    for (int n = 0; n < plan->n_nodes; n++) {
        struct plan_node *node = &plan->nodes[n];
        node->constant = is_constant(plan, node, resting);
        if (node->constant)
            note_constant(plan, node, resting);
    }
    free(resting);
    return TTT_OK;
}
