/* Writing values where they are assigned: what makes a value writes it into the memory of the variable that
 * takes it over, and the assignment is dropped.
 *
 * Operators say which of them assign (ttt_operator.assigns).  It is done where nothing else in the plan reads
 * or writes the variable, so that it does not matter when it changes, and where the value is a whole
 * activation of the variable's type that is made in every run and is no output of the plan.
 */
#include "ttt/graph/plan_internal.h"

static int storage_of(const ttt_plan *plan, ttt_tensor x)
{
    return plan->tensors[x.index].storage;
}

/* Whether every run writes all that lies in the storage. */
static bool is_made_anew(const ttt_plan *plan, int storage)
{
    bool made = false;
    for (int n = 0; n < plan->n_nodes; n++)
        for (int i = 0; i < plan->nodes[n].n_out; i++) {
            if (storage_of(plan, plan->nodes[n].out[i]) != storage)
                continue;
            if (plan->nodes[n].constant)
                return false;
            made = true;
        }
    return made;
}

static bool could_hold(const ttt_plan *plan, const struct plan_uses *uses, ttt_tensor variable, ttt_tensor x)
{
    const int to = storage_of(plan, variable), from = storage_of(plan, x);
    const struct plan_storage *value = &plan->storages[from];
    return plan_covers_storage(plan, variable) && plan_covers_storage(plan, x) && uses->readers[to] == 1 &&
           uses->producer[to] < 0 && value->kind == STORAGE_ACTIVATION &&
           value->dtype == plan->storages[to].dtype && value->bytes == plan->storages[to].bytes &&
           !plan_is_output(plan, from) && is_made_anew(plan, from);
}

static void place_values(ttt_plan *plan, const struct plan_uses *uses, struct plan_node *assignment)
{
    int kept = 0;
    for (int i = 0; i < assignment->n_in; i += 2) {
        const ttt_tensor variable = assignment->in[i], x = assignment->in[i + 1];
        if (could_hold(plan, uses, variable, x)) {
            plan_move_views(plan, storage_of(plan, x), storage_of(plan, variable), 0);
            continue;
        }
        assignment->in[kept++] = variable;
        assignment->in[kept++] = x;
    }
    assignment->n_in = kept;
    if (!kept)
        plan_node_clear(assignment);
}

ttt_status plan_place_values(ttt_plan *plan)
{
    struct plan_uses uses;
    ttt_status status = plan_uses_create(&uses, plan);
    for (int n = 0; n < plan->n_nodes && !status; n++) {
        struct plan_node *node = &plan->nodes[n];
        if (node->op && node->op->assigns && node->op->assigns(node->attributes))
            place_values(plan, &uses, node);
    }
    plan_uses_destroy(&uses);
    return status;
}
