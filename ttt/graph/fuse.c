/* Fusing chains: a node whose result only one later node reads is computed inside that node.
 *
 * Operators say whether and how two of their nodes compose (operator.h); this file decides when that is
 * right: same shape, nothing else reads the result, and no node with effects stands between the two.  A cheap
 * producer, one with a single operand of full size, is repeated inside each of its readers, if all can take
 * it.
 */
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

enum { MOST_INPUTS = 24, CHEAP = 2, FEW_INPUTS = 3 };

struct fusion {
    ttt_plan *plan;
    int *producer; /* by storage: the plan node that writes it, or -1 */
    int *readers;  /* by storage: how many node inputs read it; outputs of the plan count as one */
    int *effects;  /* by node: how many nodes with effects stand before it */
};

static int storage_index(const struct fusion *f, ttt_tensor x)
{
    return f->plan->tensors[x.index].storage;
}

static void count_readers(struct fusion *f)
{
    ttt_plan *plan = f->plan;
    int effects = 0;
    for (int i = 0; i < plan->n_storages; i++)
        f->producer[i] = -1;
    for (int n = 0; n < plan->n_nodes; n++) {
        const struct plan_node *node = &plan->nodes[n];
        f->effects[n] = effects;
        effects += node->op->has_effect;
        for (int i = 0; i < node->n_in; i++)
            if (ttt_exists(node->in[i]))
                f->readers[storage_index(f, node->in[i])]++;
        for (int i = 0; i < node->n_out; i++)
            f->producer[storage_index(f, node->out[i])] = n;
    }
    for (int i = 0; i < plan->n_outputs; i++)
        f->readers[storage_index(f, plan->outputs[i].tensor)]++;
}

static int full_size_inputs(const struct fusion *f, const struct plan_node *node)
{
    int count = 0;
    for (int i = 0; i < node->n_in; i++)
        count += ttt_shape_equal(f->plan->tensors[node->in[i].index].shape,
                                 f->plan->tensors[node->out[0].index].shape);
    return count;
}

/* Whether `consumer` could compute the whole of `producer`'s result itself. */
static bool could_absorb(const struct fusion *f, int producer, int consumer)
{
    const struct plan_node *p = &f->plan->nodes[producer], *c = &f->plan->nodes[consumer];
    return p->op && c->op == p->op && p->op->compose && p->n_out == 1 && c->n_out == 1 &&
           f->effects[producer] == f->effects[consumer] &&
           ttt_shape_equal(f->plan->tensors[p->out[0].index].shape, f->plan->tensors[c->out[0].index].shape);
}

/* How many of the consumer's inputs are exactly the producer's output. */
static int reads_directly(const struct plan_node *p, const struct plan_node *c)
{
    int count = 0;
    for (int i = 0; i < c->n_in; i++)
        count += c->in[i].index == p->out[0].index;
    return count;
}

/* Whether every reader of a cheap producer can take it, so that its result need not be stored at all. */
static bool all_readers_absorb(const struct fusion *f, int producer)
{
    const struct plan_node *p = &f->plan->nodes[producer];
    int readers = f->readers[storage_index(f, p->out[0])];
    for (int n = producer + 1; n < f->plan->n_nodes && readers > 0; n++)
        if (f->plan->nodes[n].op && could_absorb(f, producer, n))
            readers -= reads_directly(p, &f->plan->nodes[n]);
    return readers == 0;
}

/* Whether absorbing would keep many operands, rather than their one result, for as long as the work between
 * the two nodes takes: a long sum over parts that are made one after another. */
static bool would_hoard(const struct fusion *f, int producer, int consumer)
{
    if (full_size_inputs(f, &f->plan->nodes[producer]) <= FEW_INPUTS)
        return false;
    for (int n = producer + 1; n < consumer; n++)
        if (f->plan->nodes[n].op && !f->plan->nodes[n].op->compose)
            return true;
    return false;
}

static bool worth_absorbing(const struct fusion *f, int producer, int consumer)
{
    const struct plan_node *p = &f->plan->nodes[producer], *c = &f->plan->nodes[consumer];
    if (!could_absorb(f, producer, consumer) || would_hoard(f, producer, consumer))
        return false;
    int direct = reads_directly(p, c);
    if (direct == f->readers[storage_index(f, p->out[0])])
        return true;
    return direct && p->merged <= CHEAP && full_size_inputs(f, p) <= 1 && all_readers_absorb(f, producer);
}

static int number_of(ttt_tensor x, ttt_tensor *inputs, int *count)
{
    for (int i = 0; i < *count; i++)
        if (inputs[i].index == x.index)
            return i;
    if (*count == MOST_INPUTS)
        return MOST_INPUTS;
    inputs[*count] = x;
    return (*count)++;
}

/* Replaces the consumer by a node that does the work of both. */
static bool absorb(struct fusion *f, int producer, int consumer, ttt_status *status)
{
    struct plan_node *p = &f->plan->nodes[producer], *c = &f->plan->nodes[consumer];
    ttt_tensor inputs[MOST_INPUTS];
    int p_inputs[MOST_INPUTS], c_inputs[MOST_INPUTS], count = 0;
    if (p->n_in > MOST_INPUTS || c->n_in > MOST_INPUTS)
        return false;
    for (int i = 0; i < p->n_in; i++)
        if ((p_inputs[i] = number_of(p->in[i], inputs, &count)) == MOST_INPUTS)
            return false;
    for (int i = 0; i < c->n_in; i++) {
        bool fed = c->in[i].index == p->out[0].index;
        if ((c_inputs[i] = fed ? -1 : number_of(c->in[i], inputs, &count)) == MOST_INPUTS)
            return false;
    }
    void *merged = malloc(c->op->attribute_size + 1);
    ttt_tensor *in = malloc((size_t)(count + 1) * sizeof *in);
    if (!merged || !in) {
        free(merged);
        free(in);
        *status = ttt_fail(TTT_MEMORY, "no memory to fuse the graph");
        return false;
    }
    if (!c->op->compose(merged, p->attributes, p_inputs, c->attributes, c_inputs, count)) {
        free(merged);
        free(in);
        return false;
    }
    for (int i = 0; i < c->n_in; i++)
        f->readers[storage_index(f, c->in[i])]--;
    memcpy(in, inputs, (size_t)count * sizeof *in);
    for (int i = 0; i < count; i++)
        f->readers[storage_index(f, in[i])]++;
    free(c->attributes);
    free(c->in);
    c->attributes = merged;
    c->in = in;
    c->n_in = count;
    c->merged += p->merged;
    return true;
}

static void drop(struct fusion *f, int node)
{
    struct plan_node *dropped = &f->plan->nodes[node];
    for (int i = 0; i < dropped->n_in; i++)
        f->readers[storage_index(f, dropped->in[i])]--;
    plan_node_clear(dropped);
}

static ttt_status fuse_into(struct fusion *f, int consumer)
{
    ttt_status status = TTT_OK;
    struct plan_node *c = &f->plan->nodes[consumer];
    for (int i = 0; i < c->n_in && !status; i++) {
        int producer = ttt_exists(c->in[i]) ? f->producer[storage_index(f, c->in[i])] : -1;
        if (producer < 0 || !f->plan->nodes[producer].op || !worth_absorbing(f, producer, consumer))
            continue;
        if (!absorb(f, producer, consumer, &status))
            continue;
        if (f->readers[storage_index(f, f->plan->nodes[producer].out[0])] == 0)
            drop(f, producer);
        i = -1; /* the inputs are other ones now: look again from the first */
    }
    return status;
}

ttt_status plan_fuse(ttt_plan *plan)
{
    struct fusion f = {.plan = plan};
    f.producer = calloc((size_t)plan->n_storages + 1, sizeof *f.producer);
    f.readers = calloc((size_t)plan->n_storages + 1, sizeof *f.readers);
    f.effects = calloc((size_t)plan->n_nodes + 1, sizeof *f.effects);
    ttt_status status = TTT_OK;
    if (!f.producer || !f.readers || !f.effects)
        status = ttt_fail(TTT_MEMORY, "no memory to fuse the graph");
    else
        count_readers(&f);
    for (int n = 0; n < plan->n_nodes && !status; n++)
        if (plan->nodes[n].op && plan->nodes[n].op->compose)
            status = fuse_into(&f, n);
    free(f.producer);
    free(f.readers);
    free(f.effects);
    return status;
}
