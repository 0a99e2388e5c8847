/* Running a fixture's computation. */
#include "tools/verify/computation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ttt_status computation_create(const struct fixture *fixture, const struct verify_place *place,
                              struct computation *c)
{
    *c = (struct computation){
        .fixture = fixture, .place = *place, .of_outputs = VERIFY_OUTPUT, .of_gradients = VERIFY_GRADIENT};
    TRY(ttt_graph_create(&c->graph));
    ttt_graph_target_device(c->graph, place->device, place->dtype);
    ttt_status status = ttt_store_create(place->device, &c->store);
    if (status)
        computation_destroy(c);
    return status;
}

void computation_destroy(struct computation *c)
{
    ttt_plan_destroy(c->plan);
    ttt_store_destroy(c->store);
    ttt_graph_destroy(c->graph);
    *c = (struct computation){0};
}

void computation_quantities(struct computation *c, enum verify_depth depth)
{
    c->of_outputs = (enum verify_quantity)(2 * depth);
    c->of_gradients = (enum verify_quantity)(2 * depth + 1);
}

ttt_status computation_input(struct computation *c, const char *name, ttt_shape shape, ttt_tensor *input)
{
    const safetensors_tensor *tensor;
    TRY(fixture_tensor(c->fixture, "", name, shape, &tensor));
    *input = ttt_input(c->graph, name, TTT_F32, shape);
    snprintf(c->inputs[c->n_inputs++], sizeof c->inputs[0], "%s", name);
    return TTT_OK;
}

ttt_status computation_parameters(struct computation *c, const struct parameter *parameters, int count,
                                  ttt_tensor *tensors)
{
    for (int i = 0; i < count; i++) {
        const safetensors_tensor *tensor;
        TRY(fixture_tensor(c->fixture, "param.", parameters[i].name, parameters[i].shape, &tensor));
        tensors[i] = ttt_variable(c->graph, parameters[i].name, TTT_F32, parameters[i].shape);
    }
    return TTT_OK;
}

ttt_status computation_output(struct computation *c, const char *name, ttt_tensor x)
{
    const safetensors_tensor *tensor;
    if (!ttt_exists(x))
        return ttt_graph_status(c->graph);
    TRY(fixture_tensor(c->fixture, "", name, ttt_shape_of(c->graph, x), &tensor));
    ttt_output(c->graph, name, x);
    return TTT_OK;
}

ttt_status computation_gradient(struct computation *c, const char *name, ttt_tensor wanted,
                                ttt_tensor gradient)
{
    char full[128];
    const safetensors_tensor *tensor;
    snprintf(full, sizeof full, "grad.%s", name);
    if (!safetensors_find(c->fixture->file, full))
        return TTT_OK;
    if (ttt_exists(gradient))
        return computation_output(c, full, gradient);
    return fixture_tensor(c->fixture, "", full, ttt_shape_of(c->graph, wanted), &tensor);
}

static ttt_status fill(struct computation *c, const char *tensor_name, const char *input,
                       const char *variable)
{
    const safetensors_tensor *tensor;
    TRY(safetensors_require(c->fixture->file, tensor_name, &tensor));
    float *values = fixture_values(tensor);
    if (!values)
        return ttt_fail(TTT_MEMORY, "out of memory for '%s'", tensor_name);
    ttt_status status =
        input ? ttt_plan_write(c->plan, input, values) : ttt_store_write(c->store, variable, values);
    free(values);
    return status;
}

ttt_status computation_run(struct computation *c)
{
    TRY(ttt_plan_create(c->graph, c->store, NULL, &c->plan));
    TRY(ttt_plan_prepare(c->plan));
    for (int i = 0; i < c->n_inputs; i++)
        TRY(fill(c, c->inputs[i], c->inputs[i], NULL));
    for (int i = 0; i < ttt_store_count(c->store); i++) {
        char name[128];
        const char *variable = ttt_store_at(c->store, i)->name;
        snprintf(name, sizeof name, "param.%s", variable);
        TRY(fill(c, name, NULL, variable));
    }
    return ttt_plan_run(c->plan);
}

static ttt_status report_one(const struct computation *c, const safetensors_tensor *expected,
                             enum verify_quantity quantity, struct report *report)
{
    float *values = calloc((size_t)expected->count + 1, sizeof *values);
    if (!values)
        return ttt_fail(TTT_MEMORY, "out of memory to compare '%s'", expected->name);
    ttt_dtype dtype;
    ttt_shape shape;
    ttt_status status = TTT_OK;
    if (ttt_plan_describe(c->plan, expected->name, &dtype, &shape))
        status = ttt_plan_read(c->plan, expected->name, values);
    if (!status)
        status = report_values(report, expected, values, quantity);
    free(values);
    return status;
}

static bool has_parameter(const struct computation *c, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "param.%s", name);
    return safetensors_find(c->fixture->file, full);
}

ttt_status computation_report(const struct computation *c, struct report *report)
{
    report->dtype = c->place.dtype;
    for (size_t i = 0; i < safetensors_count(c->fixture->file); i++) {
        const safetensors_tensor *tensor = safetensors_at(c->fixture->file, i);
        const bool is_gradient = !strncmp(tensor->name, "grad.", 5);
        ttt_dtype dtype;
        ttt_shape shape;
        if (ttt_plan_describe(c->plan, tensor->name, &dtype, &shape) && strncmp(tensor->name, "in.", 3))
            TRY(report_one(c, tensor, is_gradient ? c->of_gradients : c->of_outputs, report));
        else if (is_gradient && has_parameter(c, tensor->name + 5))
            TRY(report_one(c, tensor, c->of_gradients, report));
    }
    return TTT_OK;
}
