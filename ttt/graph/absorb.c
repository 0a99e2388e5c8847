/* Absorbing: the pointwise work behind a product becomes the product's epilogue.  What is said of products
 * here holds for any operator that can finish its results.
 *
 * Operators say what they can finish their results with (ttt_operator.absorb); this file decides when that is
 * right: nothing else reads the result, what is read beside it has the same elements in the same order, and
 * no node with effects, nor one that reads another result of the product, stands between the two.  The
 * product moves to the later node's place, where all of its operands are there.
 */
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

/* NEAR: what a product reads hardly lives longer when it moves down by so many nodes. */
enum { NEAR = 8, ALONE = -1 };

struct absorption {
    ttt_plan *plan;
    struct plan_uses uses;
};

/* A product and the later node whose work it could take. */
struct pair {
    int product, next;
    int result, other; /* inputs of `next`: the product's result, and another; ALONE: there is none */
};

static const struct tensor *tensor_of(const struct absorption *a, ttt_tensor x)
{
    return &a->plan->tensors[x.index];
}

static bool same_elements(const struct absorption *a, ttt_tensor x, ttt_tensor y)
{
    const struct tensor *s = tensor_of(a, x), *t = tensor_of(a, y);
    return plan_covers_storage(a->plan, x) && plan_covers_storage(a->plan, y) && s->dtype == t->dtype &&
           ttt_shape_elements(s->shape) == ttt_shape_elements(t->shape);
}

static bool is_near(const struct absorption *a, const struct pair *pair)
{
    int between = 0;
    for (int n = pair->product + 1; n < pair->next; n++)
        between += a->plan->nodes[n].op != NULL;
    return between <= NEAR;
}

static bool reads_any_of(const struct absorption *a, const struct plan_node *node,
                         const struct plan_node *product)
{
    for (int i = 0; i < node->n_in; i++)
        for (int k = 0; k < product->n_out && ttt_exists(node->in[i]); k++)
            if (tensor_of(a, node->in[i])->storage == tensor_of(a, product->out[k])->storage)
                return true;
    return false;
}

static bool is_read_between(const struct absorption *a, const struct pair *pair)
{
    for (int n = pair->product + 1; n < pair->next; n++)
        if (a->plan->nodes[n].op && reads_any_of(a, &a->plan->nodes[n], &a->plan->nodes[pair->product]))
            return true;
    return false;
}

static bool could_absorb(const struct absorption *a, const struct pair *pair)
{
    const struct plan_node *product = &a->plan->nodes[pair->product], *next = &a->plan->nodes[pair->next];
    const ttt_tensor result = next->in[pair->result];
    if (!product->op->absorb || product->backward != next->backward ||
        a->uses.effects[pair->product] != a->uses.effects[pair->next] ||
        tensor_of(a, result)->storage != tensor_of(a, product->out[0])->storage ||
        a->uses.readers[tensor_of(a, result)->storage] != 1)
        return false;
    return same_elements(a, product->out[0], result) && same_elements(a, result, next->out[0]) &&
           (pair->other == ALONE || (same_elements(a, result, next->in[pair->other]) &&
                                     !ttt_exists(product->in[product->op->absorbed_operand]))) &&
           is_near(a, pair) && !is_read_between(a, pair);
}

/* The last node before `before` that makes an input of `next` and could absorb it; false when there is none.
 */
static bool find_product(const struct absorption *a, int next, int before, struct pair *pair)
{
    const struct plan_node *node = &a->plan->nodes[next];
    *pair = (struct pair){.product = -1};
    if (node->n_out != 1 || node->n_in < 1 || node->n_in > 2)
        return false;
    for (int i = 0; i < node->n_in; i++)
        if (!ttt_exists(node->in[i]))
            return false;
    for (int i = 0; i < node->n_in; i++) {
        struct pair found = {a->uses.producer[tensor_of(a, node->in[i])->storage], next, i,
                             node->n_in == 2 ? 1 - i : ALONE};
        if (found.product > pair->product && found.product < before && could_absorb(a, &found))
            *pair = found;
    }
    return pair->product >= 0;
}

static ttt_status no_memory(void)
{
    return ttt_fail(TTT_MEMORY, "no memory to merge nodes of the graph");
}

/* What `of` is, in x's shape. */
static ttt_status add_tensor(ttt_plan *plan, ttt_tensor x, ttt_tensor of, ttt_tensor *added)
{
    struct tensor *tensors = realloc(plan->tensors, (size_t)(plan->n_tensors + 1) * sizeof *tensors);
    if (!tensors)
        return no_memory();
    plan->tensors = tensors;
    *added = (ttt_tensor){plan->n_tensors};
    tensors[plan->n_tensors] = tensors[x.index];
    tensors[plan->n_tensors].storage = tensors[of.index].storage;
    tensors[plan->n_tensors++].symmetric =
        tensors[of.index].symmetric && tensors[x.index].shape.rank == tensors[of.index].shape.rank;
    return TTT_OK;
}

/* The product takes the place of `next`, writes what that wrote, and reads what that read. */
static ttt_status merge(struct absorption *a, const struct pair *pair, void *attributes)
{
    struct plan_node *product = &a->plan->nodes[pair->product], *next = &a->plan->nodes[pair->next];
    ttt_tensor *operand = &product->in[product->op->absorbed_operand];
    const ttt_tensor shaped = product->out[0];
    TRY(add_tensor(a->plan, shaped, next->out[0], &product->out[0]));
    if (pair->other != ALONE)
        TRY(add_tensor(a->plan, shaped, next->in[pair->other], operand));
    memcpy(product->attributes, attributes, product->op->attribute_size);
    a->uses.readers[tensor_of(a, shaped)->storage] = 0;
    product->merged += next->merged;
    plan_node_clear(next);
    for (int i = 0; i < product->n_out; i++)
        a->uses.producer[tensor_of(a, product->out[i])->storage] = pair->next;
    *next = *product;
    *product = (struct plan_node){0};
    return TTT_OK;
}

static ttt_status absorb_pair(struct absorption *a, const struct pair *pair, bool *absorbed)
{
    const struct plan_node *product = &a->plan->nodes[pair->product], *next = &a->plan->nodes[pair->next];
    void *attributes = malloc(product->op->attribute_size + 1);
    if (!attributes)
        return no_memory();
    ttt_status status = TTT_OK;
    *absorbed =
        product->op->absorb(attributes, product->attributes, next->op, next->attributes, pair->result);
    if (*absorbed)
        status = merge(a, pair, attributes);
    free(attributes);
    return status;
}

static ttt_status absorb_node(struct absorption *a, int next)
{
    ttt_status status = TTT_OK;
    bool absorbed = false;
    struct pair pair = {.product = next};
    while (!absorbed && !status && find_product(a, next, pair.product, &pair))
        status = absorb_pair(a, &pair, &absorbed);
    return status;
}

ttt_status plan_absorb(ttt_plan *plan)
{
    struct absorption a = {.plan = plan};
    ttt_status status = plan_uses_create(&a.uses, plan);
    for (int n = 0; n < plan->n_nodes && !status; n++)
        if (plan->nodes[n].op)
            status = absorb_node(&a, n);
    plan_uses_destroy(&a.uses);
    return status;
}
