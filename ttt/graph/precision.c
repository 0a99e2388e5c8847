/* Mixed precision: which tensors of a plan for bf16 are kept in bf16, and where values are converted.
 *
 * Operators say what they may take and give in bf16, and what they want in it: operands of tensor cores.  An
 * activation becomes bf16 when its producer may give it, all of its readers may take it, and it does not only
 * descend from f32: products give bf16, and what works element by element passes on what it got, or gives
 * what a reader wants.  Reductions, statistics, losses, gradients of parameters and what the builder marked
 * (ttt_precise) so stay in f32.  Variables and inputs are f32; a reader that wants bf16 gets a converted
 * copy, made once, the working copy of a parameter, or one that the producer itself writes beside its result.
 */
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

struct precision {
    ttt_plan *plan;
    unsigned char *all_take, *all_want, *any_wants; /* by storage, over its readers */
    int *copy;               /* by storage: the tensor that is its bf16 copy; 0: none */
    struct plan_node *nodes; /* the plan's nodes with the conversions */
    int n_nodes;
};

static bool bit(unsigned mask, int i)
{
    return mask >> (i < 31 ? i : 31) & 1;
}

static struct plan_storage *storage_of(const ttt_plan *plan, ttt_tensor x)
{
    return &plan->storages[plan->tensors[x.index].storage];
}

static void note_readers(struct precision *p)
{
    const ttt_plan *plan = p->plan;
    memset(p->all_take, 1, (size_t)plan->n_storages);
    memset(p->all_want, 1, (size_t)plan->n_storages);
    for (int n = 0; n < plan->n_nodes; n++) {
        const struct plan_node *node = &plan->nodes[n];
        for (int i = 0; node->op && i < node->n_in; i++) {
            if (!ttt_exists(node->in[i]))
                continue;
            int storage = plan->tensors[node->in[i].index].storage;
            p->all_take[storage] &= bit(node->op->bf16_takes | node->op->bf16_wants, i);
            p->all_want[storage] &= bit(node->op->bf16_wants, i);
            p->any_wants[storage] |= bit(node->op->bf16_wants, i);
        }
    }
    for (int i = 0; i < plan->n_outputs; i++)
        p->all_take[plan->tensors[plan->outputs[i].tensor.index].storage] = 0;
}

/* Whether an operand of the output's size is bf16 already. */
static bool has_bf16_input(const ttt_plan *plan, const struct plan_node *node, ttt_tensor out)
{
    int64_t elements = ttt_shape_elements(plan->tensors[out.index].shape);
    for (int i = 0; i < node->n_in; i++)
        if (ttt_exists(node->in[i]) && storage_of(plan, node->in[i])->dtype == TTT_BF16 &&
            ttt_shape_elements(plan->tensors[node->in[i].index].shape) >= elements)
            return true;
    return false;
}

static void decide_output(struct precision *p, const struct plan_node *node, int i)
{
    ttt_plan *plan = p->plan;
    ttt_tensor out = node->out[i];
    int index = plan->tensors[out.index].storage;
    struct plan_storage *storage = &plan->storages[index];
    const bool is_copy = i > 0 && i == node->op->bf16_copy;
    if (storage->dtype != TTT_F32 || (!is_copy && !bit(node->op->bf16_gives, i)) || !p->all_take[index])
        return;
    /* Where every reader would convert it, nothing is lost. */
    if (storage->precise && !p->all_want[index])
        return;
    if (is_copy || node->op->bf16_wants || p->any_wants[index] || has_bf16_input(plan, node, out)) {
        storage->dtype = TTT_BF16;
        storage->bytes /= 2;
    }
}

/* A tensor over a new bf16 storage of the same shape as storage `from`. */
static ttt_tensor add_copy(struct precision *p, int from)
{
    ttt_plan *plan = p->plan;
    const struct plan_storage *source = &plan->storages[from];
    struct tensor *tensor = &plan->tensors[plan->n_tensors];
    plan->storages[plan->n_storages] = (struct plan_storage){.kind = STORAGE_ACTIVATION,
                                                             .dtype = TTT_BF16,
                                                             .shape = source->shape,
                                                             .bytes = source->bytes / 2,
                                                             .first = -1,
                                                             .last = -1,
                                                             .same_as = -1};
    *tensor = (struct tensor){
        .dtype = TTT_BF16, .shape = source->shape, .storage = plan->n_storages++, .producer = -1};
    int64_t stride = 1;
    for (int i = source->shape.rank - 1; i >= 0; i--) {
        tensor->stride[i] = stride;
        stride *= source->shape.size[i];
    }
    return (ttt_tensor){plan->n_tensors++};
}

/* The whole of a storage as a tensor. */
static ttt_tensor whole_of(ttt_plan *plan, int storage, ttt_tensor like)
{
    struct tensor *tensor = &plan->tensors[plan->n_tensors];
    *tensor = plan->tensors[like.index];
    tensor->dtype = TTT_F32;
    tensor->storage = storage;
    return (ttt_tensor){plan->n_tensors++};
}

static ttt_status add_conversion(struct precision *p, int storage, const struct plan_node *reader)
{
    ttt_tensor to = add_copy(p, storage), from = whole_of(p->plan, storage, to);
    struct plan_node *node = &p->nodes[p->n_nodes++];
    *node = (struct plan_node){
        .op = &ttt_op_copy, .n_in = 1, .n_out = 1, .backward = reader->backward, .merged = 1};
    node->attributes = malloc(1);
    node->in = malloc(sizeof *node->in);
    node->out = malloc(sizeof *node->out);
    node->name = strdup(p->plan->storages[storage].name ? p->plan->storages[storage].name : reader->name);
    if (!node->attributes || !node->in || !node->out || !node->name)
        return ttt_fail(TTT_MEMORY, "no memory to plan the graph");
    node->in[0] = from;
    node->out[0] = to;
    p->copy[storage] = to.index;
    return TTT_OK;
}

/* The view of a storage's bf16 copy that x is of the storage. */
static ttt_tensor view_of_copy(struct precision *p, ttt_tensor x)
{
    ttt_plan *plan = p->plan;
    struct tensor *view = &plan->tensors[plan->n_tensors];
    *view = plan->tensors[x.index];
    view->dtype = TTT_BF16;
    view->storage = plan->tensors[p->copy[view->storage]].storage;
    return (ttt_tensor){plan->n_tensors++};
}

/* A copy in bf16 that the node itself writes: what reads its output 0 and wants that needs no conversion. */
static void note_copy(struct precision *p, const struct plan_node *node)
{
    if (node->op->bf16_copy && storage_of(p->plan, node->out[0])->dtype == TTT_F32)
        p->copy[p->plan->tensors[node->out[0].index].storage] = node->out[node->op->bf16_copy].index;
}

/* Gives a node what it wants, then appends it behind the conversions. */
static ttt_status convert_inputs(struct precision *p, struct plan_node *node)
{
    ttt_plan *plan = p->plan;
    for (int i = 0; i < node->n_in; i++) {
        if (!ttt_exists(node->in[i]) || !bit(node->op->bf16_wants, i) ||
            storage_of(plan, node->in[i])->dtype != TTT_F32)
            continue;
        int storage = plan->tensors[node->in[i].index].storage;
        if (!p->copy[storage])
            TRY(add_conversion(p, storage, node));
        node->in[i] = view_of_copy(p, node->in[i]);
    }
    note_copy(p, node);
    p->nodes[p->n_nodes++] = *node;
    *node = (struct plan_node){0};
    return TTT_OK;
}

/* Room for a copy of every storage, a view for every input, and a conversion before every node. */
static ttt_status make_room(struct precision *p)
{
    ttt_plan *plan = p->plan;
    size_t inputs = 0, storages = (size_t)plan->n_storages;
    for (int n = 0; n < plan->n_nodes; n++)
        inputs += (size_t)plan->nodes[n].n_in;
    struct tensor *tensors =
        realloc(plan->tensors, ((size_t)plan->n_tensors + inputs + 2 * storages) * sizeof *tensors);
    plan->tensors = tensors ? tensors : plan->tensors;
    struct plan_storage *more = realloc(plan->storages, (2 * storages + 1) * sizeof *more);
    plan->storages = more ? more : plan->storages;
    p->all_take = calloc(storages + 1, 1);
    p->all_want = calloc(storages + 1, 1);
    p->any_wants = calloc(storages + 1, 1);
    p->copy = calloc(storages + 1, sizeof *p->copy);
    p->nodes = calloc((size_t)plan->n_nodes + storages + 1, sizeof *p->nodes);
    return tensors && more && p->all_take && p->all_want && p->any_wants && p->copy && p->nodes
               ? TTT_OK
               : ttt_fail(TTT_MEMORY, "no memory to plan the graph");
}

static ttt_status convert(struct precision *p)
{
    ttt_plan *plan = p->plan;
    TRY(make_room(p));
    note_readers(p);
    for (int n = 0; n < plan->n_nodes; n++)
        for (int i = 0; plan->nodes[n].op && i < plan->nodes[n].n_out; i++)
            decide_output(p, &plan->nodes[n], i);
    for (int i = 1; i < plan->n_tensors; i++)
        plan->tensors[i].dtype = plan->storages[plan->tensors[i].storage].dtype;
    for (int n = 0; n < plan->n_nodes; n++)
        if (plan->nodes[n].op)
            TRY(convert_inputs(p, &plan->nodes[n]));
    free(plan->nodes);
    plan->nodes = p->nodes;
    plan->n_nodes = p->n_nodes;
    p->nodes = NULL;
    return TTT_OK;
}

ttt_status plan_lower_precision(ttt_plan *plan)
{
    struct precision p = {.plan = plan};
    ttt_status status = convert(&p);
    for (int n = 0; p.nodes && n < p.n_nodes; n++)
        plan_node_clear(&p.nodes[n]);
    free(p.nodes);
    free(p.all_take);
    free(p.all_want);
    free(p.any_wants);
    free(p.copy);
    return status;
}
