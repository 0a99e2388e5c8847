/* Copies of launches between guard zones. */
#include "tests/ttt/op_guard.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/graph/plan_internal.h"

enum { GUARD = 1024, ALIGNMENT = 256, MOST_OPERANDS = 3072, PATTERN = 0x5C };

/* Device memory, and what it holds as the host sees it: guard, `bytes`, guard. */
struct zone {
    void *memory; /* NULL: no such operand */
    char *at;     /* the bytes between the guards, on the device */
    unsigned char *image;
    size_t bytes;
};

/* Memory with the same position within 256 bytes as `like`, which zone_upload makes NaN. */
static void zone_create(struct zone *zone, ttt_device *device, size_t bytes, const void *like)
{
    check_ok(ttt_device_allocate(device, bytes + 2 * GUARD + ALIGNMENT, &zone->memory));
    char *first = (char *)zone->memory + GUARD;
    zone->at = first + ((uintptr_t)like - (uintptr_t)first) % ALIGNMENT;
    zone->bytes = bytes;
    zone->image = check_alloc(1, bytes + 2 * GUARD);
    memset(zone->image, PATTERN, bytes + 2 * GUARD);
    memset(zone->image + GUARD, 0xFF, bytes);
}

static void zone_upload(const struct zone *zone, ttt_device *device)
{
    if (zone->memory)
        check_ok(ttt_device_upload(device, zone->at - GUARD, zone->image, zone->bytes + 2 * GUARD));
}

static void zone_download(const struct zone *zone, ttt_device *device)
{
    if (zone->memory)
        check_ok(ttt_device_download(device, zone->image, zone->at - GUARD, zone->bytes + 2 * GUARD));
}

static void zone_check(struct zone *zone, ttt_device *device, const struct plan_node *node, const char *what,
                       int i)
{
    const unsigned char *before = zone->image, *after = before + GUARD + zone->bytes;
    for (size_t k = 0; k < GUARD && zone->memory; k++)
        if (before[k] != PATTERN || after[k] != PATTERN)
            fail_msg("%s (%s:%s) wrote %s %s %d", node->name, node->op->name, node->row->name,
                     before[k] != PATTERN ? "before" : "after", what, i);
    ttt_device_release(device, zone->memory);
    free(zone->image);
}

/* Bytes from the first element to the last, both included. */
static size_t span(const ttt_operand *x)
{
    int64_t count = 1;
    for (int d = 0; d < x->shape.rank; d++)
        count += (x->shape.size[d] - 1) * x->stride[d];
    return (size_t)count * ttt_dtype_size(x->dtype);
}

/* How many elements lie one after another, from every multiple of it on. */
static int64_t run_length(const ttt_operand *x)
{
    int64_t count = 1;
    for (int d = x->shape.rank - 1; d >= 0 && (x->stride[d] == count || x->shape.size[d] == 1); d--)
        count *= x->shape.size[d];
    return count;
}

/* Where an element lies, in bytes. */
static size_t offset_of(const ttt_operand *x, int64_t element)
{
    int64_t at = 0;
    for (int d = x->shape.rank - 1; d >= 0; d--) {
        at += element % x->shape.size[d] * x->stride[d];
        element /= x->shape.size[d];
    }
    return (size_t)at * ttt_dtype_size(x->dtype);
}

/* What the span of an operand holds, for the caller to free. */
static unsigned char *download(ttt_device *device, const ttt_operand *x)
{
    unsigned char *host = check_alloc(1, span(x));
    check_ok(ttt_device_download(device, host, x->data, span(x)));
    return host;
}

struct copy {
    ttt_device *device;
    ttt_operand operands[MOST_OPERANDS];
    struct zone zones[MOST_OPERANDS], workspace;
    int count;
};

/* Copies the elements of x from one image of its span to another. */
static void copy_elements(const ttt_operand *x, unsigned char *to, const unsigned char *from)
{
    const int64_t run = run_length(x), elements = ttt_operand_elements(x);
    for (int64_t k = 0; k < elements; k += run) {
        const size_t at = offset_of(x, k);
        memcpy(to + at, from + at, (size_t)run * ttt_dtype_size(x->dtype));
    }
}

static void copy_operand(const struct copy *copy, int i, const ttt_operand *from)
{
    unsigned char *host = download(copy->device, from);
    copy_elements(from, copy->zones[i].image + GUARD, host);
    free(host);
}

static void copy_launch(struct copy *copy, const struct plan_node *node, ttt_launch *launch)
{
    *copy = (struct copy){.device = launch->device, .count = node->n_in + node->n_out};
    assert_true(copy->count <= MOST_OPERANDS);
    memcpy(copy->operands, node->operands, (size_t)copy->count * sizeof *copy->operands);
    for (int i = 0; i < copy->count; i++) {
        ttt_operand *x = &copy->operands[i];
        if (!x->data)
            continue;
        zone_create(&copy->zones[i], copy->device, span(x), x->data);
        if (i < node->n_in)
            copy_operand(copy, i, x);
        x->data = copy->zones[i].at;
        zone_upload(&copy->zones[i], copy->device);
    }
    launch->in = copy->operands;
    launch->out = copy->operands + node->n_in;
    if (node->workspace_bytes) {
        zone_create(&copy->workspace, copy->device, (size_t)node->workspace_bytes, NULL);
        zone_upload(&copy->workspace, copy->device);
        launch->workspace = copy->workspace.at;
    }
}

static double value_of(const void *element, ttt_dtype dtype)
{
    if (dtype == TTT_BF16)
        return ttt_f32_from_bf16(*(const uint16_t *)element);
    return dtype == TTT_F32 ? *(const float *)element : *(const int32_t *)element;
}

/* The first element of x that differs between two images of its span, or -1. */
static int64_t first_difference(const ttt_operand *x, const unsigned char *a, const unsigned char *b)
{
    const int64_t run = run_length(x), elements = ttt_operand_elements(x);
    const size_t size = ttt_dtype_size(x->dtype);
    for (int64_t k = 0; k < elements; k += run) {
        const size_t at = offset_of(x, k);
        if (!memcmp(a + at, b + at, (size_t)run * size))
            continue;
        int64_t i = 0;
        while (!memcmp(a + at + (size_t)i * size, b + at + (size_t)i * size, size))
            i++;
        return k + i;
    }
    return -1;
}

/* Compares what was computed on the copy of an operand with what the launch itself computed. */
static void compare(const struct copy *copy, const struct plan_node *node, int i)
{
    const ttt_operand *x = &node->operands[i];
    unsigned char *real = download(copy->device, x);
    const unsigned char *alone = copy->zones[i].image + GUARD;
    const int64_t k = first_difference(x, real, alone);
    if (k >= 0)
        fail_msg("%s (%s:%s): element %lld of operand %d is %g, on buffers of its own %g", node->name,
                 node->op->name, node->row->name, (long long)k, i, value_of(real + offset_of(x, k), x->dtype),
                 value_of(alone + offset_of(x, k), x->dtype));
    free(real);
}

/* Puts what was computed on the copy of an operand where the launch itself would have put it. */
static void give(const struct copy *copy, const struct plan_node *node, int i)
{
    const ttt_operand *x = &node->operands[i];
    unsigned char *real = download(copy->device, x);
    copy_elements(x, real, copy->zones[i].image + GUARD);
    check_ok(ttt_device_upload(copy->device, x->data, real, span(x)));
    free(real);
}

static void run_node(const ttt_plan *plan, const struct plan_node *node, bool only_apart)
{
    struct copy copy;
    ttt_launch real = plan_launch(plan, node), alone = real;
    copy_launch(&copy, node, &alone);
    check_ok(node->row->run(&alone));
    if (!only_apart)
        check_ok(node->row->run(&real));
    check_ok(ttt_device_synchronize(plan->device));
    zone_download(&copy.workspace, plan->device);
    for (int i = 0; i < copy.count; i++) {
        zone_download(&copy.zones[i], plan->device);
        if (copy.zones[i].memory && (node->op->has_effect || i >= node->n_in))
            (only_apart ? give : compare)(&copy, node, i);
        zone_check(&copy.zones[i], plan->device, node, "operand", i);
    }
    zone_check(&copy.workspace, plan->device, node, "workspace", 0);
}

void op_guard_run(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes; n++)
        run_node(plan, &plan->nodes[n], false);
}

void op_guard_run_apart(ttt_plan *plan)
{
    for (int n = 0; n < plan->n_nodes; n++)
        run_node(plan, &plan->nodes[n], true);
}

int op_guard_count(const ttt_plan *plan, const char *op, const char *row)
{
    int count = 0;
    for (int n = 0; n < plan->n_nodes; n++)
        count += !strcmp(plan->nodes[n].op->name, op) && !strcmp(plan->nodes[n].row->name, row);
    return count;
}
