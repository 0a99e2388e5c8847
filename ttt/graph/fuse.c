/* Fusing chains: a node whose result only one later node reads is computed inside that node.
 *
 * Operators say whether and how two of their nodes compose (operator.h); this file decides when that is
 * right: same shape, nothing else reads the result, and no node with effects stands between the two.  A cheap
 * producer, one with a single operand of full size, is repeated inside each of its readers, if all can take
 * it.
 *
 * Neighbours that share operands are joined, so that these are read once: the later one moves up to the
 * earlier, if all that it reads is there by then, and the node has the outputs of both.  That comes after
 * absorbing (absorb.c): a product that takes one of them saves more.
 */
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

/* NEAR: what moves up by so many nodes of a layer hardly adds to the memory that lives at one time. */
enum { MOST_INPUTS = 24, CHEAP = 2, FEW_INPUTS = 3, NEAR = 8 };

struct fusion {
    ttt_plan *plan;
    struct plan_uses uses;
};

static int storage_index(const struct fusion *f, ttt_tensor x)
{
    return f->plan->tensors[x.index].storage;
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
           f->uses.effects[producer] == f->uses.effects[consumer] &&
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
    int readers = f->uses.readers[storage_index(f, p->out[0])];
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
    if (direct == f->uses.readers[storage_index(f, p->out[0])])
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

/* The work of two nodes in one: its inputs, and where both find theirs among them. */
struct joint {
    ttt_tensor in[MOST_INPUTS];
    int first[MOST_INPUTS], second[MOST_INPUTS], count;
    void *attributes;
};

static bool number_inputs(struct joint *joint, const struct plan_node *first, const struct plan_node *second)
{
    if (first->n_in > MOST_INPUTS || second->n_in > MOST_INPUTS)
        return false;
    for (int i = 0; i < first->n_in; i++)
        if ((joint->first[i] = number_of(first->in[i], joint->in, &joint->count)) == MOST_INPUTS)
            return false;
    for (int i = 0; i < second->n_in; i++) {
        int fed = first->n_out;
        while (--fed >= 0 && second->in[i].index != first->out[fed].index)
            ;
        joint->second[i] = fed >= 0 ? -1 - fed : number_of(second->in[i], joint->in, &joint->count);
        if (joint->second[i] == MOST_INPUTS)
            return false;
    }
    return true;
}

/* Composes two nodes; false when they do not fit into one or, with *status set, when memory is out. */
static bool compose(struct joint *joint, const struct plan_node *first, bool keep,
                    const struct plan_node *second, ttt_status *status)
{
    *joint = (struct joint){0};
    if (!number_inputs(joint, first, second))
        return false;
    joint->attributes = malloc(first->op->attribute_size + 1);
    if (!joint->attributes) {
        *status = ttt_fail(TTT_MEMORY, "no memory to fuse the graph");
        return false;
    }
    if (first->op->compose(joint->attributes, first->attributes, joint->first, keep, second->attributes,
                           joint->second, joint->count))
        return true;
    free(joint->attributes);
    return false;
}

static void count_inputs(struct fusion *f, const struct plan_node *node, int sign)
{
    for (int i = 0; i < node->n_in; i++)
        f->uses.readers[storage_index(f, node->in[i])] += sign;
}

/* Gives the joint work to a node; frees it when memory is out. */
static bool take(struct fusion *f, struct joint *joint, struct plan_node *node, ttt_status *status)
{
    ttt_tensor *in = malloc((size_t)(joint->count + 1) * sizeof *in);
    if (!in) {
        free(joint->attributes);
        *status = ttt_fail(TTT_MEMORY, "no memory to fuse the graph");
        return false;
    }
    memcpy(in, joint->in, (size_t)joint->count * sizeof *in);
    count_inputs(f, node, -1);
    free(node->attributes);
    free(node->in);
    node->attributes = joint->attributes;
    node->in = in;
    node->n_in = joint->count;
    count_inputs(f, node, 1);
    return true;
}

/* Replaces the consumer by a node that does the work of both. */
static bool absorb(struct fusion *f, int producer, int consumer, ttt_status *status)
{
    struct plan_node *p = &f->plan->nodes[producer], *c = &f->plan->nodes[consumer];
    struct joint joint;
    if (!compose(&joint, p, false, c, status) || !take(f, &joint, c, status))
        return false;
    c->merged += p->merged;
    return true;
}

static void drop(struct fusion *f, int node)
{
    struct plan_node *dropped = &f->plan->nodes[node];
    count_inputs(f, dropped, -1);
    plan_node_clear(dropped);
}

static ttt_status fuse_into(struct fusion *f, int consumer)
{
    ttt_status status = TTT_OK;
    struct plan_node *c = &f->plan->nodes[consumer];
    for (int i = 0; i < c->n_in && !status; i++) {
        int producer = ttt_exists(c->in[i]) ? f->uses.producer[storage_index(f, c->in[i])] : -1;
        if (producer < 0 || !f->plan->nodes[producer].op || !worth_absorbing(f, producer, consumer))
            continue;
        if (!absorb(f, producer, consumer, &status))
            continue;
        if (f->uses.readers[storage_index(f, f->plan->nodes[producer].out[0])] == 0)
            drop(f, producer);
        i = -1; /* the inputs are other ones now: look again from the first */
    }
    return status;
}

static bool reads(const struct plan_node *node, ttt_tensor x)
{
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i].index == x.index)
            return true;
    return false;
}

/* Whether everything that `second` reads is there when `first` runs, or is just what `first` makes. */
static bool could_run_at(const struct fusion *f, const struct plan_node *second, int first)
{
    const struct plan_node *node = &f->plan->nodes[first];
    for (int i = 0; i < second->n_in; i++) {
        int producer = f->uses.producer[storage_index(f, second->in[i])];
        bool direct = false;
        for (int k = 0; k < node->n_out; k++)
            direct |= second->in[i].index == node->out[k].index;
        if (producer > first || (producer == first && !direct))
            return false;
    }
    return true;
}

/* Whether joining saves reading a tensor of full size. */
static bool share_operand(const struct fusion *f, const struct plan_node *first,
                          const struct plan_node *second)
{
    for (int i = 0; i < second->n_in; i++) {
        bool shared = reads(first, second->in[i]);
        for (int k = 0; k < first->n_out; k++)
            shared |= second->in[i].index == first->out[k].index;
        if (shared && ttt_shape_equal(f->plan->tensors[second->in[i].index].shape,
                                      f->plan->tensors[second->out[0].index].shape))
            return true;
    }
    return false;
}

static bool worth_joining(const struct fusion *f, int first, int second)
{
    const struct plan_node *a = &f->plan->nodes[first], *b = &f->plan->nodes[second];
    return b->op == a->op && f->uses.effects[first] == f->uses.effects[second] &&
           ttt_shape_equal(f->plan->tensors[a->out[0].index].shape,
                           f->plan->tensors[b->out[0].index].shape) &&
           a->backward == b->backward && !strcmp(a->name, b->name) && share_operand(f, a, b) &&
           could_run_at(f, b, first);
}

/* Moves the second node's work into the first, behind whose outputs come the second's. */
static ttt_status join(struct fusion *f, int first, int second)
{
    struct plan_node *a = &f->plan->nodes[first], *b = &f->plan->nodes[second];
    struct joint joint;
    ttt_status status = TTT_OK;
    if (!compose(&joint, a, true, b, &status))
        return status;
    ttt_tensor *out = realloc(a->out, (size_t)(a->n_out + b->n_out) * sizeof *out);
    if (!out) {
        free(joint.attributes);
        return ttt_fail(TTT_MEMORY, "no memory to fuse the graph");
    }
    a->out = out;
    if (!take(f, &joint, a, &status))
        return status;
    memcpy(a->out + a->n_out, b->out, (size_t)b->n_out * sizeof *out);
    a->n_out += b->n_out;
    a->merged += b->merged;
    for (int i = 0; i < b->n_out; i++)
        f->uses.producer[storage_index(f, b->out[i])] = first;
    drop(f, second);
    return TTT_OK;
}

static ttt_status join_neighbours(struct fusion *f, int first)
{
    ttt_status status = TTT_OK;
    int between = 0;
    for (int second = first + 1; second < f->plan->n_nodes && between < NEAR && !status; second++) {
        if (f->plan->nodes[second].op && worth_joining(f, first, second))
            status = join(f, first, second);
        between += f->plan->nodes[second].op != NULL;
    }
    return status;
}

ttt_status plan_fuse(ttt_plan *plan)
{
    struct fusion f = {.plan = plan};
    ttt_status status = plan_uses_create(&f.uses, plan);
    for (int n = 0; n < plan->n_nodes && !status; n++)
        if (plan->nodes[n].op && plan->nodes[n].op->compose)
            status = fuse_into(&f, n);
    plan_uses_destroy(&f.uses);
    return status;
}

ttt_status plan_join(ttt_plan *plan)
{
    struct fusion f = {.plan = plan};
    ttt_status status = plan_uses_create(&f.uses, plan);
    for (int n = 0; n < plan->n_nodes && !status; n++)
        if (plan->nodes[n].op && plan->nodes[n].op->compose)
            status = join_neighbours(&f, n);
    plan_uses_destroy(&f.uses);
    return status;
}
