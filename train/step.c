/* The training step: a task's loss, its gradient, and the optimiser, as plans. */
#include "train/step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "train/config/device.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/pointwise/pointwise.h"

/* What a step takes from the host and gives back, where copies go on while the host does not wait. */
struct step_slot {
    int32_t pass; /* counts forward passes */
    float rate, loss, norm, taken;
    int samples;
    double waited;
};

/* Everything that stands beside one parameter, by name. */
static ttt_tensor companion(ttt_graph *g, const char *prefix, const struct parameter *parameter)
{
    char name[sizeof parameter->name + 32];
    snprintf(name, sizeof name, "%s%s", prefix, parameter->name);
    return ttt_variable(g, name, TTT_F32, parameter->shape);
}

struct building {
    const struct run_config *config;
    const struct parameter *parameters;
    int count;
    ttt_tensor *weights, *gradients, *others; /* count each; others is scratch */
    ttt_adamw_parameter *adamw;
};

static ttt_status building_create(const struct train_task *task, const struct run_config *config,
                                  struct building *b)
{
    struct parameter *parameters = NULL;
    *b = (struct building){.config = config};
    TRY(task->parameters(task->context, &parameters, &b->count));
    b->parameters = parameters;
    size_t count = (size_t)b->count;
    b->weights = calloc(count, sizeof *b->weights);
    b->gradients = calloc(count, sizeof *b->gradients);
    b->others = calloc(count, sizeof *b->others);
    b->adamw = calloc(count, sizeof *b->adamw);
    return b->weights && b->gradients && b->others && b->adamw
               ? TTT_OK
               : ttt_fail(TTT_MEMORY, "no memory to plan a step");
}

static void building_destroy(struct building *b)
{
    free((void *)b->parameters);
    free(b->weights);
    free(b->gradients);
    free(b->others);
    free(b->adamw);
}

/* Norm, AdamW and averages, from gradients that are in b->gradients; parameters without take no part, and
 * their averages, which start as they do, stay. */
static void build_update(ttt_graph *g, struct building *b, ttt_tensor loss)
{
    const struct config_train *train = &b->config->train;
    ttt_tensor rate = ttt_input(g, "rate", TTT_F32, ttt_dims(1));
    ttt_tensor steps = ttt_variable(g, "adamw.steps", TTT_F32, ttt_dims(1));
    int used = 0;
    for (int i = 0; i < b->count; i++) {
        const struct parameter *parameter = &b->parameters[i];
        const ttt_tensor average = train->ema > 0 ? companion(g, "ema.", parameter) : TTT_NONE;
        if (!ttt_exists(b->gradients[i]))
            continue;
        b->others[used] = b->gradients[i];
        b->adamw[used++] = (ttt_adamw_parameter){
            .parameter = b->weights[i],
            .gradient = b->gradients[i],
            .mean = companion(g, "adamw.mean.", parameter),
            .variance = companion(g, "adamw.variance.", parameter),
            .average = average,
            .weight_decay = parameter->decays ? (float)train->weight_decay : 0,
        };
    }
    ttt_tensor norm = ttt_gradient_norm(g, b->others, used);
    ttt_adamw_options options = {.beta1 = train->betas[0],
                                 .beta2 = train->betas[1],
                                 .eps = (float)train->eps,
                                 .clip = (float)train->clip,
                                 .skip_over = (float)train->skip_over,
                                 .average_decay = train->ema};
    ttt_tensor taken = ttt_adamw(g, b->adamw, used, norm, loss, rate, steps, options);
    ttt_output(g, "norm", norm);
    ttt_output(g, "taken", taken);
}

/* Forward and backward of one batch, and what makes of it a step or a part of one. */
static void build_pass(ttt_graph *g, const struct train_task *task, struct building *b)
{
    const int accumulate = b->config->train.accumulate;
    ttt_tensor step = ttt_input(g, "step", TTT_I32, ttt_dims(1));
    ttt_tensor loss = task->loss(task->context, g, step, b->config->train.batch_size);
    for (int i = 0; i < b->count; i++)
        b->weights[i] = companion(g, "", &b->parameters[i]);
    if (accumulate > 1)
        loss = ttt_scale(g, loss, 1.0f / (float)accumulate);
    ttt_gradient(g, loss, b->weights, b->count, b->gradients);
    ttt_output(g, "loss", loss);
    if (accumulate == 1) {
        build_update(g, b, loss);
        return;
    }
    /* A parameter without a gradient takes a sum that stays zero; build_separate_update leaves it out. */
    for (int i = 0; i < b->count; i++)
        b->others[i] = companion(g, "sum.", &b->parameters[i]);
    ttt_accumulate(g, b->others, b->gradients, b->count);
    ttt_tensor sum = ttt_variable(g, "sum.loss", TTT_F32, ttt_dims(1));
    ttt_accumulate(g, &sum, &loss, 1);
}

/* The optimiser on the sums that passes left, which it clears.  Parameters without a sum take no part. */
static void build_separate_update(ttt_graph *g, struct building *b, const bool *summed)
{
    for (int i = 0; i < b->count; i++) {
        b->weights[i] = companion(g, "", &b->parameters[i]);
        b->gradients[i] = summed[i] ? companion(g, "sum.", &b->parameters[i]) : TTT_NONE;
    }
    ttt_tensor loss = ttt_variable(g, "sum.loss", TTT_F32, ttt_dims(1));
    build_update(g, b, loss);
    ttt_output(g, "loss", ttt_scale(g, loss, 1));
    int used = 0;
    for (int i = 0; i < b->count; i++)
        if (summed[i])
            b->others[used++] = b->gradients[i];
    ttt_clear(g, b->others, used);
    ttt_clear(g, &loss, 1);
}

static ttt_status start_graph(const struct run_config *config, const ttt_store *store, ttt_graph **g)
{
    TRY(ttt_graph_create(g));
    ttt_graph_target_device(*g, ttt_store_device(store), config->device.dtype);
    return TTT_OK;
}

static ttt_status plan_of(const ttt_graph *g, const struct run_config *config, ttt_store *store,
                          ttt_plan **plan)
{
    ttt_plan_options options = config_plan_options(&config->device);
    options.ahead = true;
    return ttt_plan_create(g, store, &options, plan);
}

static ttt_status plan_passes(const struct train_task *task, const struct run_config *config,
                              ttt_store *store, struct building *b, struct train_step *step)
{
    ttt_graph *pass = NULL, *update = NULL;
    bool *summed = calloc((size_t)b->count, sizeof *summed);
    ttt_status status = summed ? TTT_OK : ttt_fail(TTT_MEMORY, "no memory to plan a step");
    if (status)
        return status;
    TRY_TO(start_graph(config, store, &pass), cleanup);
    build_pass(pass, task, b);
    TRY_TO(plan_of(pass, config, store, &step->pass), cleanup);
    step->accumulate = config->train.accumulate;
    if (step->accumulate > 1) {
        for (int i = 0; i < b->count; i++)
            summed[i] = ttt_exists(b->gradients[i]);
        TRY_TO(start_graph(config, store, &update), cleanup);
        build_separate_update(update, b, summed);
        TRY_TO(plan_of(update, config, store, &step->update), cleanup);
        status = ttt_plan_memory_check(train_step_memory(step), store, config->device.memory_limit);
    }
cleanup:
    ttt_graph_destroy(pass);
    ttt_graph_destroy(update);
    free(summed);
    return status;
}

static ttt_status plan_step(const struct train_task *task, const struct run_config *config, ttt_store *store,
                            struct train_step *step)
{
    struct building b;
    *step = (struct train_step){0};
    ttt_status status = building_create(task, config, &b);
    if (!status)
        status = plan_passes(task, config, store, &b, step);
    building_destroy(&b);
    if (status)
        train_step_destroy(step);
    return status;
}

/* Forward passes of `batch_size` samples that make a step of the config's. */
static int accumulate_for(const struct run_config *config, int batch_size)
{
    return config->train.batch_size / batch_size * config->train.accumulate;
}

/* The largest batch size below the config's that fits when halved again and again, with as many samples in a
 * step; 0: not even 1. */
static int batch_that_fits(const struct train_task *task, const struct run_config *config, ttt_store *store)
{
    struct run_config smaller = *config;
    struct train_step step;
    while ((smaller.train.batch_size /= 2) > 0) {
        smaller.train.accumulate = accumulate_for(config, smaller.train.batch_size);
        ttt_status status = plan_step(task, &smaller, store, &step);
        if (!status) {
            train_step_destroy(&step);
            return smaller.train.batch_size;
        }
        ttt_status_free(status);
    }
    return 0;
}

ttt_status train_step_create(const struct train_task *task, const struct run_config *config, ttt_store *store,
                             struct train_step *step)
{
    ttt_status status = plan_step(task, config, store, step);
    if (!status || ttt_status_code(status) != TTT_MEMORY)
        return status;
    int fits = batch_that_fits(task, config, store);
    ttt_status advice =
        fits ? ttt_fail(TTT_MEMORY, "%s; train.batch_size=%d with train.accumulate=%d fits%s",
                        ttt_status_text(status), fits, accumulate_for(config, fits),
                        config->model.vittt.recompute ? "" : ", and model.recompute=true needs less")
             : ttt_fail(TTT_MEMORY, "%s; not even a batch of 1 fits", ttt_status_text(status));
    ttt_status_free(status);
    return advice;
}

ttt_status train_step_prepare(struct train_step *step)
{
    ttt_device *device = ttt_plan_device(step->pass);
    TRY(ttt_plan_prepare(step->pass));
    if (step->update)
        TRY(ttt_plan_prepare(step->update));
    step->ahead = ttt_device_can_upload_beside(device);
    return ttt_device_allocate_host(device, (size_t)(step->ahead + 1) * sizeof *step->slots,
                                    (void **)&step->slots);
}

void train_step_destroy(struct train_step *step)
{
    if (step->slots)
        ttt_device_release_host(ttt_plan_device(step->pass), step->slots);
    ttt_plan_destroy(step->pass);
    ttt_plan_destroy(step->update);
    ttt_status_free(step->culprit);
    *step = (struct train_step){0};
}

ttt_plan_memory train_step_memory(const struct train_step *step)
{
    ttt_plan_memory memory = ttt_plan_memory_of(step->pass);
    if (step->update) {
        ttt_plan_memory update = ttt_plan_memory_of(step->update);
        memory.variables = update.variables > memory.variables ? update.variables : memory.variables;
        memory.arena += update.arena;
        memory.total = memory.variables + memory.arena;
    }
    return memory;
}

/* That of the step launched next. */
static struct step_slot *next_slot(const struct train_step *step)
{
    return &step->slots[step->launched % (step->ahead + 1)];
}

/* Feeds the next batch, to forward pass `number`. */
static ttt_status feed_pass(struct train_step *step, const struct train_task *task, int32_t number,
                            struct step_slot *slot, struct fed *fed)
{
    *fed = (struct fed){0};
    TRY(ttt_plan_writes_done(step->pass));
    TRY(task->feed(task->context, step->pass, fed));
    slot->pass = number;
    return ttt_plan_write_later(step->pass, "step", &slot->pass);
}

static void forget_culprit(struct train_step *step)
{
    ttt_status_free(step->culprit);
    step->culprit = TTT_OK;
}

/* Looks for what spoiled a pass while its activations are there: the next pass overwrites them. */
static ttt_status note_bad_pass(struct train_step *step)
{
    float loss;
    TRY(ttt_plan_read(step->pass, "loss", &loss));
    if (isfinite(loss) || step->culprit)
        return TTT_OK;
    ttt_status found = ttt_plan_check_finite(step->pass);
    if (found && ttt_status_code(found) != TTT_NUMERIC)
        return found;
    step->culprit = found;
    return TTT_OK;
}

static ttt_status run_pass(struct train_step *step, const struct train_task *task, int32_t number,
                           double rate, struct step_slot *slot)
{
    struct fed fed = {0};
    TRY(feed_pass(step, task, number, slot, &fed));
    if (!step->update) {
        slot->rate = (float)rate;
        TRY(ttt_plan_write_later(step->pass, "rate", &slot->rate));
    }
    slot->samples += fed.samples;
    slot->waited += fed.waited;
    return ttt_plan_run(step->pass);
}

ttt_status train_step_launch(struct train_step *step, const struct train_task *task, int64_t number,
                             double rate)
{
    struct step_slot *slot = next_slot(step);
    ttt_plan *last = step->update ? step->update : step->pass;
    *slot = (struct step_slot){0};
    forget_culprit(step);
    for (int pass = 0; pass < step->accumulate; pass++) {
        TRY(run_pass(step, task, (int32_t)(number * step->accumulate + pass), rate, slot));
        if (pass + 1 < step->accumulate && !step->ahead)
            TRY(note_bad_pass(step));
    }
    if (step->update) {
        slot->rate = (float)rate;
        TRY(ttt_plan_write_later(last, "rate", &slot->rate));
        TRY(ttt_plan_run(last));
    }
    TRY(ttt_plan_read_later(last, "loss", &slot->loss));
    TRY(ttt_plan_read_later(last, "norm", &slot->norm));
    TRY(ttt_plan_read_later(last, "taken", &slot->taken));
    return ttt_device_mark(ttt_plan_device(last), (int)(step->launched++ % (step->ahead + 1)));
}

ttt_status train_step_finish(struct train_step *step, struct step_result *result)
{
    const int index = (int)(step->finished++ % (step->ahead + 1));
    const struct step_slot *slot = &step->slots[index];
    TRY(ttt_device_reach(ttt_plan_device(step->pass), index));
    *result = (struct step_result){.loss = slot->loss,
                                   .norm = slot->norm,
                                   .taken = slot->taken != 0,
                                   .samples = slot->samples,
                                   .waited = slot->waited};
    result->too_large = !result->taken && isfinite(slot->loss) && isfinite(slot->norm);
    return TTT_OK;
}

ttt_status train_step_diagnose(struct train_step *step)
{
    ttt_status culprit = step->culprit;
    step->culprit = TTT_OK;
    return culprit ? culprit : ttt_plan_check_finite(step->pass);
}

ttt_status train_step_diagnose_again(struct train_step *step, const struct train_task *task, int64_t number)
{
    struct step_slot *slot = next_slot(step);
    for (int pass = 0; pass < step->accumulate; pass++) {
        struct fed fed;
        TRY(feed_pass(step, task, (int32_t)(number * step->accumulate + pass), slot, &fed));
        TRY(ttt_plan_check_finite(step->pass));
    }
    return TTT_OK;
}

static ttt_status start_average(const struct parameter *parameter, ttt_store *store)
{
    char name[sizeof parameter->name + 8];
    float *values = malloc((size_t)ttt_shape_elements(parameter->shape) * sizeof *values);
    if (!values)
        return ttt_fail(TTT_MEMORY, "no memory to copy '%s'", parameter->name);
    snprintf(name, sizeof name, "ema.%s", parameter->name);
    ttt_status status = ttt_store_read(store, parameter->name, values);
    if (!status)
        status = ttt_store_write(store, name, values);
    free(values);
    return status;
}

ttt_status train_step_start_averages(const struct train_task *task, ttt_store *store)
{
    struct parameter *parameters;
    int count;
    TRY(task->parameters(task->context, &parameters, &count));
    ttt_status status = TTT_OK;
    for (int i = 0; i < count && !status; i++)
        status = start_average(&parameters[i], store);
    free(parameters);
    return status;
}
