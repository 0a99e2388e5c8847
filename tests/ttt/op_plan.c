/* Building, planning and running problems. */
#include "tests/ttt/op_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/guarded_device.h"
#include "tests/ttt/op_guard.h"
#include "ttt/base/random.h"
#include "ttt/graph/graph_internal.h"
#include "ttt/ops/pointwise/pointwise.h"

enum { NAME = 48 };

struct handles {
    ttt_tensor stored[OP_MAX], out[OP_MAX], cotangent[OP_MAX], gradient[OP_MAX];
};

static const char *name_of(char name[NAME], const struct op_result *r)
{
    const char *kind = r->quantity == OUTPUT ? "out" : r->quantity == GRADIENT ? "gradient" : "second";
    snprintf(name, NAME, "%s of %s %d", kind, r->input >= 0 ? "input" : "output",
             r->input >= 0 ? r->input : r->output);
    return name;
}

/* What a tensor that stands at the problem's edge is, to choose the half of them that OP_MIXED has. */
enum edge {
    EDGE_INPUT = 100,
    EDGE_OUTPUT = 200,
    EDGE_COTANGENT = 300,
    EDGE_DIRECTION = 400,
    EDGE_RESULT = 500
};

static bool in_bf16(const struct op_plan *o, int edge)
{
    ttt_random random = ttt_random_start(o->way->half, TTT_RANDOM_TEST, (uint64_t)edge, 0);
    return o->way->types == OP_BF16 || (o->way->types == OP_MIXED && ttt_random_bits(&random) & 1);
}

/* An input of the graph as the operator gets it. */
static ttt_tensor given(const struct op_plan *o, int edge, ttt_tensor x)
{
    return ttt_dtype_of(o->graph, x) == TTT_F32 && in_bf16(o, edge) ? op_as_bf16(o->graph, x) : x;
}

/* Describes a result and, where x exists, makes it readable. */
static void keep(struct op_plan *o, struct op_result result, ttt_tensor x)
{
    char name[NAME];
    assert_true(o->described.count < OP_MOST_RESULTS);
    int edge = (result.quantity == OUTPUT ? EDGE_OUTPUT : EDGE_RESULT) + o->described.count;
    o->described.result[o->described.count++] = result;
    if (ttt_exists(x) && ttt_dtype_of(o->graph, x) == TTT_F32 && in_bf16(o, edge))
        x = op_from_bf16(o->graph, x,
                         result.quantity == OUTPUT && o->way->op->bf16_gives >> result.output & 1);
    if (ttt_exists(x))
        ttt_output(o->graph, name_of(name, &result), x);
}

static void build_operator(struct op_plan *o, struct handles *h)
{
    const struct op_problem *p = o->problem;
    ttt_tensor seen[OP_MAX] = {0};
    int written = p->n_built;
    for (int i = 0; i < p->n_in; i++) {
        const struct op_input *input = &p->c.in[i];
        ttt_dtype dtype = input->dtype ? input->dtype : TTT_F32;
        char name[NAME];
        if (!input->shape.rank)
            continue;
        snprintf(name, sizeof name, "in %d", i);
        h->stored[i] = input->variable ? ttt_variable(o->graph, name, dtype, p->stored_shape[i])
                                       : ttt_input(o->graph, name, dtype, p->stored_shape[i]);
        ttt_tensor x = input->variable ? h->stored[i] : given(o, EDGE_INPUT + i, h->stored[i]);
        seen[i] = op_view(o->graph, input, x);
    }
    p->test->build(o->graph, &p->c, seen, h->out);
    for (int k = 0; k < p->n_built; k++)
        keep(o, (struct op_result){OUTPUT, -1, k, p->out_count[k], NULL}, h->out[k]);
    for (int i = 0; i < p->n_in; i++)
        if (p->c.in[i].written) {
            keep(o, (struct op_result){OUTPUT, i, written, p->out_count[written], NULL}, TTT_NONE);
            written++;
        }
}

static ttt_tensor sum_of(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    return !ttt_exists(a) ? b : !ttt_exists(b) ? a : ttt_add(g, a, b);
}

/* The gradient of sum over outputs of <output, cotangent>. */
static void build_gradient(struct op_plan *o, struct handles *h)
{
    const struct op_problem *p = o->problem;
    for (int k = 0; k < p->n_built; k++) {
        ttt_tensor gradients[OP_MAX];
        char name[NAME];
        snprintf(name, sizeof name, "cotangent %d", k);
        h->cotangent[k] = ttt_input(o->graph, name, TTT_F32, ttt_shape_of(o->graph, h->out[k]));
        ttt_gradient_from(o->graph, h->out[k], given(o, EDGE_COTANGENT + k, h->cotangent[k]), h->stored,
                          p->n_in, gradients);
        for (int i = 0; i < p->n_in; i++)
            h->gradient[i] = sum_of(o->graph, h->gradient[i], gradients[i]);
    }
    for (int i = 0; i < p->n_in; i++)
        if (op_differentiable(p, i))
            keep(o, (struct op_result){GRADIENT, i, -1, p->stored_count[i], NULL}, h->gradient[i]);
}

/* The gradient of sum over inputs of <first gradient, direction>, for inputs and cotangents. */
static void build_second(struct op_plan *o, struct handles *h)
{
    const struct op_problem *p = o->problem;
    ttt_tensor wanted[2 * OP_MAX], gradients[2 * OP_MAX], sums[2 * OP_MAX] = {0};
    memcpy(wanted, h->stored, sizeof h->stored);
    memcpy(wanted + OP_MAX, h->cotangent, sizeof h->cotangent);
    for (int i = 0; i < p->n_in; i++) {
        char name[NAME];
        if (!op_differentiable(p, i) || !ttt_exists(h->gradient[i]))
            continue;
        snprintf(name, sizeof name, "direction %d", i);
        ttt_tensor direction = ttt_input(o->graph, name, TTT_F32, p->stored_shape[i]);
        ttt_gradient_from(o->graph, h->gradient[i], given(o, EDGE_DIRECTION + i, direction), wanted,
                          2 * OP_MAX, gradients);
        for (int j = 0; j < 2 * OP_MAX; j++)
            sums[j] = sum_of(o->graph, sums[j], gradients[j]);
    }
    for (int i = 0; i < p->n_in; i++)
        if (op_differentiable(p, i))
            keep(o, (struct op_result){SECOND_GRADIENT, i, -1, p->stored_count[i], NULL}, sums[i]);
    for (int k = 0; k < p->n_built; k++)
        keep(o, (struct op_result){SECOND_GRADIENT, -1, k, p->out_count[k], NULL}, sums[OP_MAX + k]);
}

ttt_status op_plan_create(struct op_plan *o, struct op_problem *p, ttt_device *device,
                          const struct op_way *way)
{
    *o = (struct op_plan){.problem = p, .way = way, .device = device};
    struct handles handles = {0};
    TRY(ttt_graph_create(&o->graph));
    TRY(ttt_store_create(device, &o->store));
    ttt_graph_target_device(o->graph, device, way->types == OP_F32 ? TTT_F32 : TTT_BF16);
    build_operator(o, &handles);
    if (way->depth >= WITH_GRADIENT)
        build_gradient(o, &handles);
    if (way->depth >= WITH_SECOND)
        build_second(o, &handles);
    char forced[128];
    snprintf(forced, sizeof forced, "%s:%s", way->op->name, way->row);
    ttt_plan_options options = {.implementations = forced, .keep_chains = way->keep_chains};
    TRY(ttt_plan_create(o->graph, o->store, &options, &o->plan));
    return ttt_plan_prepare(o->plan);
}

void op_plan_destroy(struct op_plan *o)
{
    ttt_plan_destroy(o->plan);
    ttt_store_destroy(o->store);
    ttt_graph_destroy(o->graph);
    *o = (struct op_plan){0};
}

bool op_has_row(const ttt_operator *op, ttt_device_kind kind)
{
    for (const ttt_implementation *const *row = op->implementations; *row; row++)
        if ((*row)->device == kind)
            return true;
    return false;
}

const char *op_plan_lacks(const struct op_plan *o)
{
    const ttt_device_kind kind = ttt_device_kind_of(o->device);
    if (o->way->types != OP_F32 && !op_has_row(&ttt_op_copy, kind))
        return ttt_op_copy.name;
    for (int n = 0; n < o->graph->n_nodes; n++) {
        const ttt_operator *op = o->graph->nodes[n]->op;
        if (!op->is_view && !op_has_row(op, kind))
            return op->name;
    }
    return NULL;
}

/* Values as the bytes of a dtype of four bytes, for the caller to free. */
static void *narrowed(const double *values, int64_t count, ttt_dtype dtype)
{
    float *f32 = check_alloc((size_t)count, sizeof *f32);
    for (int64_t i = 0; i < count; i++) {
        int32_t whole = (int32_t)(dtype == TTT_I32 ? values[i] : 0);
        f32[i] = (float)values[i];
        if (dtype == TTT_I32)
            memcpy(&f32[i], &whole, sizeof whole);
    }
    return f32;
}

static void write(struct op_plan *o, const char *what, int i, const double *values, int64_t count,
                  ttt_dtype dtype, bool variable)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s %d", what, i);
    void *host = narrowed(values, count, dtype);
    check_ok(variable ? ttt_store_write(o->store, name, host) : ttt_plan_write(o->plan, name, host));
    free(host);
}

static void write_all(struct op_plan *o)
{
    const struct op_problem *p = o->problem;
    ttt_dtype dtype;
    ttt_shape shape;
    for (int i = 0; i < p->n_in; i++)
        if (p->stored[i])
            write(o, "in", i, p->stored[i], p->stored_count[i], p->c.in[i].dtype, p->c.in[i].variable);
    for (int k = 0; k < p->n_built && o->way->depth >= WITH_GRADIENT; k++)
        write(o, "cotangent", k, p->cotangent[k], p->out_count[k], TTT_F32, false);
    for (int i = 0; i < p->n_in && o->way->depth >= WITH_SECOND; i++) {
        char name[NAME];
        snprintf(name, sizeof name, "direction %d", i);
        if (ttt_plan_describe(o->plan, name, &dtype, &shape))
            write(o, "direction", i, p->direction[i], p->stored_count[i], TTT_F32, false);
    }
}

static void read_all(struct op_plan *o, struct op_results *results)
{
    *results = o->described;
    for (int r = 0; r < results->count; r++) {
        struct op_result *result = &results->result[r];
        ttt_dtype dtype;
        ttt_shape shape;
        char name[NAME];
        result->data = check_alloc((size_t)result->count, sizeof *result->data);
        name_of(name, result);
        if (result->quantity == OUTPUT && result->input >= 0) {
            snprintf(name, sizeof name, "in %d", result->input);
            check_ok(ttt_store_read(o->store, name, result->data));
        } else if (ttt_plan_describe(o->plan, name, &dtype, &shape)) {
            assert_int_equal(ttt_shape_elements(shape), result->count);
            check_ok(ttt_plan_read(o->plan, name, result->data));
        } /* else no gradient flows there: zeros */
    }
}

void op_plan_run(struct op_plan *o, bool guarded, struct op_results *results)
{
    guarded_device_poison(o->device);
    ttt_store_touch(o->store, NULL);
    write_all(o);
    setenv("EMULATED_ORDER", guarded ? "1" : "2", 1); /* of threads, where CUDA is emulated */
    if (guarded)
        op_guard_run_apart(o->plan);
    else
        check_ok(ttt_plan_run(o->plan));
    unsetenv("EMULATED_ORDER");
    guarded_device_check(o->device);
    read_all(o, results);
}

void op_results_clear(struct op_results *results)
{
    for (int r = 0; r < results->count; r++)
        free(results->result[r].data);
    results->count = 0;
}
