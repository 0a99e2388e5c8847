/* Who writes and who reads each storage of a plan, and moving all that does: for the passes that merge nodes.
 */
#include <stdlib.h>

#include "ttt/graph/plan_internal.h"

static void count_inputs(struct plan_uses *uses, const ttt_plan *plan, const struct plan_node *node)
{
    for (int i = 0; i < node->n_in; i++)
        if (ttt_exists(node->in[i]))
            uses->readers[plan->tensors[node->in[i].index].storage]++;
}

static void count_uses(struct plan_uses *uses, const ttt_plan *plan)
{
    int effects = 0;
    for (int i = 0; i < plan->n_storages; i++)
        uses->producer[i] = -1;
    for (int n = 0; n < plan->n_nodes; n++) {
        const struct plan_node *node = &plan->nodes[n];
        uses->effects[n] = effects;
        effects += node->op && node->op->has_effect;
        count_inputs(uses, plan, node);
        for (int i = 0; i < node->n_out; i++)
            uses->producer[plan->tensors[node->out[i].index].storage] = n;
    }
    for (int i = 0; i < plan->n_outputs; i++)
        uses->readers[plan->tensors[plan->outputs[i].tensor.index].storage]++;
}

ttt_status plan_uses_create(struct plan_uses *uses, const ttt_plan *plan)
{
    uses->producer = calloc((size_t)plan->n_storages + 1, sizeof *uses->producer);
    uses->readers = calloc((size_t)plan->n_storages + 1, sizeof *uses->readers);
    uses->effects = calloc((size_t)plan->n_nodes + 1, sizeof *uses->effects);
    if (!uses->producer || !uses->readers || !uses->effects)
        return ttt_fail(TTT_MEMORY, "no memory to merge nodes of the graph");
    count_uses(uses, plan);
    return TTT_OK;
}

void plan_move_views(ttt_plan *plan, int from, int to, int64_t offset)
{
    for (int i = 0; i < plan->n_tensors; i++) {
        if (plan->tensors[i].storage != from)
            continue;
        plan->tensors[i].storage = to;
        plan->tensors[i].offset += offset;
    }
}

bool plan_is_output(const ttt_plan *plan, int storage)
{
    for (int i = 0; i < plan->n_outputs; i++)
        if (plan->tensors[plan->outputs[i].tensor.index].storage == storage)
            return true;
    return false;
}

void plan_uses_destroy(struct plan_uses *uses)
{
    free(uses->producer);
    free(uses->readers);
    free(uses->effects);
    *uses = (struct plan_uses){0};
}
