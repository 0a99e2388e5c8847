/* Laying activations, gradients and workspaces into one arena.
 *
 * Every storage is needed from the node that writes it to the last that reads it.  Two that are never
 * needed at the same time may share memory: one after the other is placed into the tightest gap that is free
 * for all of its life.  No order of placing is best for every graph, so some are tried.
 */
#include <stdlib.h>
#include <string.h>

#include "ttt/graph/plan_internal.h"

enum { ALIGNMENT = 256 }; /* the widest that any device or library asks for */

struct block {
    int64_t bytes, offset;
    double rank; /* the highest is placed first */
    int first, last;
    int number;     /* decides between equals, so that every run of the program plans the same */
    int64_t *where; /* takes the offset */
};

static struct plan_storage *storage_of(ttt_plan *plan, ttt_tensor x)
{
    return &plan->storages[plan->tensors[x.index].storage];
}

/* They are there before the first node, and for the next run. */
static void keep_constants(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes; n++)
        for (int i = 0; i < plan->nodes[n].n_out && plan->nodes[n].constant; i++) {
            storage_of(plan, plan->nodes[n].out[i])->first = 0;
            storage_of(plan, plan->nodes[n].out[i])->kept = true;
        }
}

static void find_lifetimes(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes; n++) {
        struct plan_node *node = &plan->nodes[n];
        for (int i = 0; i < node->n_out; i++) {
            struct plan_storage *out = storage_of(plan, node->out[i]);
            out->first = out->first < 0 ? n : out->first; /* parts of a join have several writers */
        }
        for (int i = 0; i < node->n_in; i++)
            if (ttt_exists(node->in[i]))
                storage_of(plan, node->in[i])->last = n;
    }
    for (int i = 0; i < plan->n_outputs; i++)
        storage_of(plan, plan->outputs[i].tensor)->kept = true;
    keep_constants(plan);
    for (int i = 0; i < plan->n_storages; i++) {
        struct plan_storage *storage = &plan->storages[i];
        /* Inputs stay as written, so that a plan can be run again. */
        if (storage->kind == STORAGE_INPUT)
            storage->first = 0;
        if (storage->kept || storage->kind == STORAGE_INPUT)
            storage->last = plan->n_nodes;
    }
}

/* The storage whose memory tensor x lies in, by index. */
static int root_of(const ttt_plan *plan, ttt_tensor x)
{
    int root = plan->tensors[x.index].storage;
    while (plan->storages[root].same_as >= 0)
        root = plan->storages[root].same_as;
    return root;
}

/* Whether the node reads input i's memory through another view as well: transposed, or a broadcast slice. */
static bool read_otherwise(const ttt_plan *plan, const struct plan_node *node, int i)
{
    for (int k = 0; k < node->n_in; k++)
        if (ttt_exists(node->in[k]) && node->in[k].index != node->in[i].index &&
            root_of(plan, node->in[k]) == root_of(plan, node->in[i]))
            return true;
    return false;
}

/* Whether output `out` may lie in the memory of the node's input i, which ends here. */
static bool may_overwrite(const ttt_plan *plan, int n, ttt_tensor out, int i)
{
    const struct plan_node *node = &plan->nodes[n];
    if (!(node->op->overwrites >> (i < 31 ? i : 31) & 1) || !ttt_exists(node->in[i]))
        return false;
    const struct plan_storage *in = &plan->storages[root_of(plan, node->in[i])],
                              *to = &plan->storages[plan->tensors[out.index].storage];
    return in->kind == STORAGE_ACTIVATION && to->kind == STORAGE_ACTIVATION && in->last == n &&
           in->bytes == to->bytes &&
           plan->tensors[node->in[i].index].dtype == plan->tensors[out.index].dtype &&
           plan_covers_storage(plan, node->in[i]) && plan_covers_storage(plan, out) &&
           !read_otherwise(plan, node, i);
}

/* Lets outputs take over the memory of inputs that end here. */
static void find_overwrites(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes; n++) {
        const struct plan_node *node = &plan->nodes[n];
        int outputs = node->op->all_overwrite ? node->n_out : node->n_out > 0;
        for (int k = 0; k < outputs; k++) {
            struct plan_storage *out = storage_of(plan, node->out[k]);
            for (int i = 0; i < node->n_in && out->same_as < 0 && out->last > n; i++) {
                if (!may_overwrite(plan, n, node->out[k], i))
                    continue;
                out->same_as = root_of(plan, node->in[i]);
                plan->storages[out->same_as].last = out->last; /* so that no other output takes it */
            }
        }
    }
}

static int by_rank(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? x->first - y->first : x->number - y->number;
}

/* The tightest gap between the blocks that live when `block` does; placed[] is sorted by offset. */
static int64_t find_gap(struct block *const *placed, int count, const struct block *block)
{
    int64_t end = 0, best = -1, best_room = INT64_MAX;
    for (int i = 0; i < count; i++) {
        if (placed[i]->last < block->first || placed[i]->first > block->last)
            continue;
        int64_t room = placed[i]->offset - end;
        if (room >= block->bytes && room < best_room) {
            best = end;
            best_room = room;
        }
        int64_t next = placed[i]->offset + placed[i]->bytes;
        end = next > end ? next : end;
    }
    return best >= 0 ? best : end;
}

static int64_t place(struct block *blocks, struct block **placed, int count)
{
    int64_t size = 0;
    for (int i = 0; i < count; i++) {
        struct block *block = &blocks[i];
        block->offset = find_gap(placed, i, block);
        int at = i;
        for (; at > 0 && placed[at - 1]->offset > block->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = block;
        size = block->offset + block->bytes > size ? block->offset + block->bytes : size;
    }
    return size;
}

/* The node at which most is needed, where some block begins; returns how much: no arena can be smaller. */
static int64_t find_fullest(const struct block *blocks, int count, int *node)
{
    int64_t most = 0;
    *node = 0;
    for (int i = 0; i < count; i++) {
        int64_t needed = 0;
        for (int k = 0; k < count; k++)
            needed +=
                blocks[k].first <= blocks[i].first && blocks[i].first <= blocks[k].last ? blocks[k].bytes : 0;
        if (needed > most) {
            most = needed;
            *node = blocks[i].first;
        }
    }
    return most;
}

enum order { BY_SIZE, BY_SIZE_AND_LIFE, FULLEST_FIRST, ORDERS };

static double rank_of(const struct block *block, enum order order, int fullest)
{
    switch (order) {
    case BY_SIZE_AND_LIFE:
        return (double)block->bytes * (block->last - block->first + 1);
    case FULLEST_FIRST:
        return block->first <= fullest && fullest <= block->last;
    default:
        return (double)block->bytes;
    }
}

/* Keeps the smallest arena of all orders, up to one without gaps, and returns its size. */
static int64_t place_best(struct block *blocks, struct block **placed, int count)
{
    int fullest;
    const int64_t least = find_fullest(blocks, count, &fullest);
    int64_t best = INT64_MAX;
    for (int order = 0; order < ORDERS && best > least; order++) {
        for (int i = 0; i < count; i++)
            blocks[i].rank = rank_of(&blocks[i], (enum order)order, fullest);
        qsort(blocks, (size_t)count, sizeof *blocks, by_rank);
        const int64_t size = place(blocks, placed, count);
        for (int i = 0; i < count && size < best; i++)
            *blocks[i].where = blocks[i].offset;
        best = size < best ? size : best;
    }
    return best;
}

static int64_t aligned(int64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void add_block(struct block *blocks, int *count, int64_t bytes, int first, int last, int64_t *where)
{
    blocks[*count] = (struct block){
        .bytes = aligned(bytes), .first = first, .last = last, .number = *count, .where = where};
    ++*count;
}

static int collect_blocks(ttt_plan *plan, struct block *blocks)
{
    int count = 0;
    for (int i = 0; i < plan->n_storages; i++) {
        struct plan_storage *storage = &plan->storages[i];
        bool written =
            storage->kind == STORAGE_INPUT || (storage->kind == STORAGE_ACTIVATION && storage->first >= 0);
        if (written && storage->same_as < 0) {
            int last = storage->last > storage->first ? storage->last : storage->first;
            add_block(blocks, &count, storage->bytes, storage->first, last, &storage->offset);
        }
    }
    for (int n = 0; n < plan->n_nodes; n++)
        if (plan->nodes[n].workspace_bytes)
            add_block(blocks, &count, plan->nodes[n].workspace_bytes, n, n, &plan->nodes[n].workspace_offset);
    return count;
}

/* An output other than the first that nothing reads gets no memory: implementations see NULL. */
static void drop_unread_outputs(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes; n++)
        for (int i = 1; i < plan->nodes[n].n_out; i++) {
            struct plan_storage *storage = storage_of(plan, plan->nodes[n].out[i]);
            if (storage->last < 0)
                storage->first = -1;
        }
}

/* A second place for every input, behind all else: it is written while the first is in use. */
static void add_inputs_ahead(ttt_plan *plan)
{
    for (int i = 0; i < plan->n_storages; i++) {
        struct plan_storage *storage = &plan->storages[i];
        if (storage->kind != STORAGE_INPUT)
            continue;
        storage->ahead_offset = plan->memory.arena;
        plan->memory.arena += aligned(storage->bytes);
    }
}

ttt_status plan_layout(ttt_plan *plan)
{
    find_lifetimes(plan);
    drop_unread_outputs(plan);
    find_overwrites(plan);
    size_t most = (size_t)(plan->n_storages + plan->n_nodes) + 1;
    struct block *blocks = malloc(most * sizeof *blocks);
    struct block **placed = malloc(most * sizeof *placed);
    if (!blocks || !placed) {
        free(blocks);
        free(placed);
        return ttt_fail(TTT_MEMORY, "no memory to plan the graph");
    }
    int count = collect_blocks(plan, blocks);
    plan->memory.arena = place_best(blocks, placed, count);
    if (plan->ahead && ttt_device_can_upload_beside(plan->device))
        add_inputs_ahead(plan);
    free(blocks);
    free(placed);
    return TTT_OK;
}
