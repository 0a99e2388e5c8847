/* Copies of launches between guard zones. */
#include "tests/ttt/op_guard.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/graph/plan_internal.h"

enum { GUARD = 1024, MOST_OPERANDS = 64 };
#define PATTERN 0x5C

struct zone {
    unsigned char *base; /* guard, bytes, guard */
    size_t bytes;
};

/* Memory with the same position within 64 bytes as `like`, as NaN. */
static void *zone_create(struct zone *zone, size_t bytes, const void *like)
{
    size_t skew = (uintptr_t)like % 64;
    size_t whole = (bytes + 2 * GUARD + 64 + 63) / 64 * 64;
    zone->bytes = bytes + skew;
    zone->base = aligned_alloc(64, whole);
    assert_non_null(zone->base);
    memset(zone->base, PATTERN, whole);
    memset(zone->base + GUARD + skew, 0xFF, bytes);
    return zone->base + GUARD + skew;
}

static void zone_check(struct zone *zone, const struct plan_node *node, const char *what, int i)
{
    for (size_t k = 0; k < GUARD && zone->base; k++)
        if (zone->base[k] != PATTERN || zone->base[GUARD + zone->bytes + k] != PATTERN)
            fail_msg("%s (%s:%s) wrote %s %s %d", node->name, node->op->name, node->row->name,
                     zone->base[k] != PATTERN ? "before" : "after", what, i);
    free(zone->base);
}

/* Elements from the first to the last, both included. */
static int64_t span(const ttt_operand *x)
{
    int64_t count = 1;
    for (int d = 0; d < x->shape.rank; d++)
        count += (x->shape.size[d] - 1) * x->stride[d];
    return count;
}

static int64_t offset_of(const ttt_operand *x, int64_t element)
{
    int64_t at = 0;
    for (int d = x->shape.rank - 1; d >= 0; d--) {
        at += element % x->shape.size[d] * x->stride[d];
        element /= x->shape.size[d];
    }
    return at;
}

static void copy_elements(void *to, const ttt_operand *from)
{
    size_t size = ttt_dtype_size(from->dtype);
    for (int64_t i = 0; i < ttt_operand_elements(from); i++) {
        size_t at = (size_t)offset_of(from, i) * size;
        memcpy((char *)to + at, (const char *)from->data + at, size);
    }
}

struct copy {
    ttt_operand operands[MOST_OPERANDS];
    struct zone zones[MOST_OPERANDS], workspace;
    int count;
};

static void copy_launch(struct copy *copy, const struct plan_node *node, ttt_launch *launch)
{
    copy->count = node->n_in + node->n_out;
    assert_true(copy->count <= MOST_OPERANDS);
    memcpy(copy->operands, node->operands, (size_t)copy->count * sizeof *copy->operands);
    memset(copy->zones, 0, sizeof copy->zones);
    for (int i = 0; i < copy->count; i++) {
        ttt_operand *x = &copy->operands[i];
        if (!x->data)
            continue;
        x->data = zone_create(&copy->zones[i], (size_t)span(x) * ttt_dtype_size(x->dtype), x->data);
        if (i < node->n_in)
            copy_elements(x->data, &node->operands[i]);
    }
    launch->in = copy->operands;
    launch->out = copy->operands + node->n_in;
    copy->workspace = (struct zone){0};
    if (node->workspace_bytes)
        launch->workspace = zone_create(&copy->workspace, (size_t)node->workspace_bytes, NULL);
}

/* Compares what was computed on the copies with what the launch itself computed. */
static void compare(const struct copy *copy, const struct plan_node *node)
{
    for (int i = node->op->has_effect ? 0 : node->n_in; i < copy->count; i++) {
        const ttt_operand *x = &node->operands[i];
        const char *real = x->data, *alone = copy->operands[i].data;
        size_t size = x->data ? ttt_dtype_size(x->dtype) : 0;
        for (int64_t k = 0; x->data && k < ttt_operand_elements(x); k++) {
            size_t at = (size_t)offset_of(x, k) * size;
            if (memcmp(real + at, alone + at, size))
                fail_msg("%s (%s:%s): element %lld of operand %d is %g, on buffers of its own %g", node->name,
                         node->op->name, node->row->name, (long long)k, i,
                         (double)*(const float *)(real + at), (double)*(const float *)(alone + at));
        }
    }
}

static void run_node(const ttt_plan *plan, const struct plan_node *node)
{
    struct copy copy;
    ttt_launch real = plan_launch(plan, node), alone = real;
    copy_launch(&copy, node, &alone);
    check_ok(node->row->run(&alone));
    check_ok(node->row->run(&real));
    compare(&copy, node);
    for (int i = 0; i < copy.count; i++)
        zone_check(&copy.zones[i], node, "operand", i);
    zone_check(&copy.workspace, node, "workspace", 0);
}

void op_guard_run(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes; n++)
        run_node(plan, &plan->nodes[n]);
}

int op_guard_count(const ttt_plan *plan, const char *op, const char *row)
{
    int count = 0;
    for (int n = 0; n < plan->n_nodes; n++)
        count += !strcmp(plan->nodes[n].op->name, op) && !strcmp(plan->nodes[n].row->name, row);
    return count;
}
