/* Pairing: a product that is added to another becomes one node with it.  What is said of products here holds
 * for any operator that says how (ttt_operator.pair).
 *
 * It is right when nothing else reads the first product, and worth it only where the device has a row for the
 * pair that is asked for first.  The pair stands in the second's place, where all operands are there.
 */
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

struct pairing {
    ttt_plan *plan;
    struct plan_uses uses;
};

static const struct tensor *tensor_of(const struct pairing *p, ttt_tensor x)
{
    return &p->plan->tensors[x.index];
}

/* The node whose only output becomes, as it is, what `second` adds; NULL: there is none. */
static struct plan_node *first_of(const struct pairing *p, const struct plan_node *second)
{
    if (!second->op || !second->op->pair || !ttt_exists(second->in[second->op->absorbed_operand]))
        return NULL;
    const ttt_tensor added = second->in[second->op->absorbed_operand];
    const int storage = tensor_of(p, added)->storage, maker = p->uses.producer[storage];
    if (maker < 0 || p->uses.readers[storage] != 1)
        return NULL;
    struct plan_node *first = &p->plan->nodes[maker];
    const bool fits =
        first->op == second->op && !ttt_exists(first->in[first->op->absorbed_operand]) &&
        first->backward == second->backward &&
        p->uses.effects[maker] == p->uses.effects[second - p->plan->nodes] &&
        plan_covers_storage(p->plan, added) && plan_covers_storage(p->plan, first->out[0]) &&
        ttt_shape_equal(tensor_of(p, first->out[0])->shape, tensor_of(p, second->out[0])->shape);
    return fits ? first : NULL;
}

/* A node of the pair's operator with the operands of both, described; to be cleared. */
static ttt_status make_pair(const struct pairing *p, const struct plan_node *first,
                            const struct plan_node *second, struct plan_node *pair, bool *fits)
{
    const int each = second->op->absorbed_operand;
    *pair = (struct plan_node){.op = second->op->paired,
                               .n_in = 2 * each,
                               .n_out = 1,
                               .backward = second->backward,
                               .merged = first->merged + second->merged};
    pair->attributes = malloc(pair->op->attribute_size + 1);
    pair->in = malloc(2 * (size_t)each * sizeof *pair->in);
    pair->out = malloc(sizeof *pair->out);
    pair->name = strdup(second->name);
    if (!pair->attributes || !pair->in || !pair->out || !pair->name)
        return ttt_fail(TTT_MEMORY, "no memory to pair nodes of the graph");
    memcpy(pair->in, first->in, (size_t)each * sizeof *pair->in);
    memcpy(pair->in + each, second->in, (size_t)each * sizeof *pair->in);
    pair->out[0] = second->out[0];
    *fits = second->op->pair(pair->attributes, first->attributes, second->attributes);
    return plan_describe_operands(p->plan, pair);
}

/* Whether the first row that the device has for the pair takes it. */
static bool is_taken(const ttt_plan *plan, const struct plan_node *pair)
{
    const ttt_launch launch = plan_launch(plan, pair);
    for (const ttt_implementation *const *row = pair->op->implementations; *row; row++) {
        const char *why = NULL;
        if ((*row)->device == ttt_device_kind_of(plan->device))
            return !(*row)->supports || (*row)->supports(&launch, &why);
    }
    return false;
}

static ttt_status pair_node(struct pairing *p, struct plan_node *second)
{
    struct plan_node *first = first_of(p, second), pair;
    bool fits = false;
    if (!first)
        return TTT_OK;
    ttt_status status = make_pair(p, first, second, &pair, &fits);
    if (status || !fits || !is_taken(p->plan, &pair)) {
        plan_node_clear(&pair);
        return status;
    }
    free(pair.operands);
    pair.operands = NULL;
    plan_node_clear(first);
    plan_node_clear(second);
    *second = pair;
    return TTT_OK;
}

ttt_status plan_pair(ttt_plan *plan)
{
    struct pairing p = {.plan = plan};
    ttt_status status = plan_uses_create(&p.uses, plan);
    for (int n = 0; n < plan->n_nodes && !status; n++)
        status = pair_node(&p, &plan->nodes[n]);
    plan_uses_destroy(&p.uses);
    return status;
}
