/* Kind optimiser: clipped AdamW steps on one parameter, and the two learning-rate schedules. */
#include "ttt/ops/optimiser/optimiser.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/verify/kind.h"
#include "train/schedule.h"
#include "ttt/graph/plan.h"

struct optimiser {
    ttt_graph *graph;
    ttt_store *store;
    ttt_plan *plan;
    ttt_shape shape; /* of the parameter */
    float rate;
    float *values; /* of the parameter */
};

static ttt_status read_shape(const struct fixture *fixture, ttt_shape *shape)
{
    const safetensors_tensor *p;
    TRY(safetensors_require(fixture->file, "in.p", &p));
    if (p->rank < 1 || p->rank > TTT_MAX_RANK || !p->count)
        return ttt_fail(TTT_FORMAT, "tensor 'in.p' is empty or has not 1 to %d dimensions", TTT_MAX_RANK);
    shape->rank = p->rank;
    for (int i = 0; i < p->rank; i++)
        shape->size[i] = p->shape[i];
    return TTT_OK;
}

/* Numbers of the metadata under a list. */
static ttt_status read_betas(const struct fixture *fixture, ttt_adamw_options *options)
{
    const json_t *betas = json_object_get(fixture->metadata, "betas");
    const json_t *first = json_array_get(betas, 0), *second = json_array_get(betas, 1);
    options->beta1 = json_number_value(first);
    options->beta2 = json_number_value(second);
    if (json_array_size(betas) != 2 || !json_is_number(first) || !json_is_number(second))
        return ttt_fail(TTT_FORMAT, "metadata betas is not a list of two numbers");
    return TTT_OK;
}

static ttt_status build(const struct fixture *fixture, struct optimiser *o)
{
    double lr, weight_decay, clip, eps = 1e-8;
    ttt_adamw_options options = {0};
    TRY(fixture_number(fixture, "lr", 0, 1e6, &lr));
    TRY(fixture_number(fixture, "weight_decay", 0, 1e6, &weight_decay));
    TRY(fixture_number(fixture, "clip", 0, 1e30, &clip));
    TRY(fixture_number_or(fixture, "eps", 0, 1, &eps));
    TRY(read_betas(fixture, &options));
    options.eps = (float)eps;
    options.clip = (float)clip;
    o->rate = (float)lr;

    ttt_graph *g = o->graph;
    ttt_tensor gradient = ttt_input(g, "gradient", TTT_F32, o->shape);
    const ttt_adamw_parameter p = {.parameter = ttt_variable(g, "p", TTT_F32, o->shape),
                                   .gradient = gradient,
                                   .mean = ttt_variable(g, "mean", TTT_F32, o->shape),
                                   .variance = ttt_variable(g, "variance", TTT_F32, o->shape),
                                   .weight_decay = (float)weight_decay};
    ttt_tensor norm = ttt_gradient_norm(g, &gradient, 1);
    ttt_tensor taken = ttt_adamw(g, &p, 1, norm, ttt_input(g, "loss", TTT_F32, ttt_dims(1)),
                                 ttt_input(g, "rate", TTT_F32, ttt_dims(1)),
                                 ttt_variable(g, "steps", TTT_F32, ttt_dims(1)), options);
    ttt_output(g, "norm", norm);
    ttt_output(g, "taken", taken);
    return ttt_graph_status(g);
}

static ttt_status prepare(const struct fixture *fixture, struct optimiser *o)
{
    const safetensors_tensor *p;
    const float loss = 0;
    TRY(ttt_plan_create(o->graph, o->store, NULL, &o->plan));
    TRY(ttt_plan_prepare(o->plan));
    TRY(ttt_plan_write(o->plan, "loss", &loss));
    TRY(ttt_plan_write(o->plan, "rate", &o->rate));
    TRY(fixture_tensor(fixture, "", "in.p", o->shape, &p));
    o->values = fixture_values(p);
    if (!o->values)
        return ttt_fail(TTT_MEMORY, "out of memory for 'in.p'");
    return ttt_store_write(o->store, "p", o->values);
}

/* Takes step n and compares the norm and the parameter after it. */
static ttt_status take_step(const struct fixture *fixture, struct optimiser *o, int n, struct report *report)
{
    const safetensors_tensor *gradient, *expected_norm, *expected_p;
    char name[32];
    float norm;
    snprintf(name, sizeof name, "%d", n);
    TRY(fixture_tensor(fixture, "in.grad", name, o->shape, &gradient));
    TRY(fixture_tensor(fixture, "out.norm", name, ttt_dims(1), &expected_norm));
    TRY(fixture_tensor(fixture, "out.p", name, o->shape, &expected_p));
    safetensors_to_f32(gradient, o->values);
    TRY(ttt_plan_write(o->plan, "gradient", o->values));
    TRY(ttt_plan_run(o->plan));
    TRY(ttt_plan_read(o->plan, "norm", &norm));
    TRY(ttt_store_read(o->store, "p", o->values));
    TRY(report_values(report, expected_norm, &norm, VERIFY_OUTPUT));
    return report_values(report, expected_p, o->values, VERIFY_OUTPUT);
}

static ttt_status take_steps(const struct fixture *fixture, struct optimiser *o, struct report *report)
{
    char name[32] = "in.grad0";
    for (int n = 0; safetensors_find(fixture->file, name);) {
        TRY(take_step(fixture, o, n, report));
        snprintf(name, sizeof name, "in.grad%d", ++n);
    }
    return TTT_OK;
}

static ttt_status check_steps(const struct fixture *fixture, const struct verify_place *place,
                              struct report *report)
{
    struct optimiser o = {0};
    ttt_status status = TTT_OK;
    TRY(read_shape(fixture, &o.shape));
    TRY_TO(ttt_graph_create(&o.graph), cleanup);
    TRY_TO(ttt_store_create(place->device, &o.store), cleanup);
    TRY_TO(build(fixture, &o), cleanup);
    TRY_TO(prepare(fixture, &o), cleanup);
    TRY_TO(take_steps(fixture, &o, report), cleanup);
cleanup:
    free(o.values);
    ttt_plan_destroy(o.plan);
    ttt_store_destroy(o.store);
    ttt_graph_destroy(o.graph);
    return status;
}

static ttt_status check_schedule(const struct fixture *fixture, const char *name,
                                 const rate_schedule *schedule, struct report *report)
{
    const safetensors_tensor *expected;
    TRY(fixture_tensor_of_rank(fixture, name, 1, &expected));
    double *rates = malloc((size_t)expected->count * sizeof *rates);
    if (!rates)
        return ttt_fail(TTT_MEMORY, "out of memory for '%s'", name);
    for (int64_t i = 0; i < expected->count; i++)
        rates[i] = schedule_rate(schedule, i);
    ttt_status status = report_doubles(report, expected, rates, VERIFY_OUTPUT);
    free(rates);
    return status;
}

static ttt_status check_schedules(const struct fixture *fixture, struct report *report)
{
    int warmup, total;
    /* The ends of the schedule with a floor, where the metadata do not say others. */
    rate_schedule schedule = {.kind = SCHEDULE_COSINE_TO_ZERO, .start = 1e-6, .floor = 1e-5};
    TRY(fixture_whole(fixture, NULL, "warmup", 0, 1 << 30, &warmup));
    TRY(fixture_whole(fixture, NULL, "total", 1, 1 << 30, &total));
    TRY(fixture_number(fixture, "base", 0, 1e6, &schedule.peak));
    TRY(fixture_number_or(fixture, "start", 0, 1e6, &schedule.start));
    TRY(fixture_number_or(fixture, "floor", 0, 1e6, &schedule.floor));
    schedule.warmup_steps = warmup;
    schedule.total_steps = total;
    TRY(check_schedule(fixture, "out.cosine_to_zero", &schedule, report));
    schedule.kind = SCHEDULE_COSINE_TO_FLOOR;
    return check_schedule(fixture, "out.cosine_to_floor", &schedule, report);
}

ttt_status verify_optimiser(const struct fixture *fixture, const struct verify_place *place,
                            struct report *report)
{
    TRY(check_steps(fixture, place, report));
    return check_schedules(fixture, report);
}
