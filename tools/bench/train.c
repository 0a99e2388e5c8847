/* ttt bench train: whole training steps of a config, on noise in place of data. */
#include <stdio.h>
#include <stdlib.h>

#include "tools/bench/kinds.h"
#include "tools/bench/measurement.h"
#include "tools/bench/memory.h"
#include "tools/bench/noise.h"
#include "tools/bench/profile.h"
#include "train/step.h"

/* Small, so that targets without sense cannot make the weights diverge, however often they are taken. */
static const double rate = 1e-6;

struct bench {
    const struct run_config *config;
    const struct bench_options *options;
    struct bench_machine machine;
    struct bench_noise noise;
    ttt_store *store;
    struct train_step step;
    int64_t steps;            /* taken so far */
    struct bench_times times; /* of a step */
    struct bench_conditions conditions;
    struct bench_peak before;
    int64_t peak;
    struct bench_profile profile;
};

/* In a long run: where steps run ahead, the oldest is waited for while this one goes on. */
static ttt_status take_step(void *context)
{
    struct bench *b = context;
    struct step_result result;
    TRY(train_step_launch(&b->step, &b->noise.task, b->steps++, rate));
    if (b->step.launched - b->step.finished <= b->step.ahead)
        return TTT_OK;
    TRY(train_step_finish(&b->step, &result));
    return result.taken ? TTT_OK
                        : ttt_fail(TTT_NUMERIC, "the step was skipped: loss %g, gradient norm %g",
                                   result.loss, result.norm);
}

static ttt_status set_up(struct bench *b)
{
    TRY(bench_noise_create(b->config, &b->noise));
    TRY(bench_machine_open(&b->config->device, &b->machine));
    TRY(ttt_store_create(b->machine.device, &b->store));
    return train_step_create(&b->noise.task, b->config, b->store, &b->step);
}

static ttt_status measure(struct bench *b)
{
    const struct bench_options *options = b->options;
    b->before = bench_peak_start(b->machine.device);
    TRY(train_step_prepare(&b->step));
    TRY(b->noise.task.initialise(&b->noise, b->store, 0));
    TRY(bench_time(take_step, b, options->warmup, options->runs, &b->times));
    b->peak = bench_peak_end(&b->before);
    TRY(bench_machine_again(&b->machine, take_step, b, b->times.runs, &b->conditions));
    if (options->profile) {
        TRY(bench_profile_add(&b->profile, b->step.pass, b->times.runs, b->step.accumulate));
        if (b->step.update)
            TRY(bench_profile_add(&b->profile, b->step.update, b->times.runs, 1));
    }
    return bench_machine_finish(&b->machine);
}

static double step_flops(const struct train_step *step)
{
    return ttt_plan_flops(step->pass) * step->accumulate + (step->update ? ttt_plan_flops(step->update) : 0);
}

static ttt_status print_json(const struct bench *b, const struct bench_measurement *m)
{
    json_t *profile =
        b->options->profile ? bench_profile_json(&b->profile, bench_machine_rates(&b->machine)) : json_null();
    return bench_measurement_json(m, &b->machine,
                                  json_pack("{s:i, s:f, s:o}", "accumulate", b->step.accumulate,
                                            "step_seconds", b->times.median, "profile", profile));
}

static ttt_status print_table(const struct bench *b, const struct bench_measurement *m)
{
    const struct run_config *config = b->config;
    const ttt_plan_memory plan = train_step_memory(&b->step);
    printf("%s: training steps of %d %s in %d pass%s, %s\n", m->name,
           config->train.batch_size * b->step.accumulate, b->noise.about, b->step.accumulate,
           b->step.accumulate > 1 ? "es" : "", ttt_dtype_name(config->device.dtype));
    bench_measurement_print(m, &b->machine);
    if (b->step.accumulate > 1)
        printf("  step      %.4g s for all passes and the update\n", b->times.median);
    bench_memory_print(m, &plan);
    bench_machine_print(&b->machine);
    if (b->options->profile)
        bench_profile_print(&b->profile, bench_machine_rates(&b->machine));
    return TTT_OK;
}

/* Time, work and items are those of one pass, so that they belong to the batch size of the config; the update
 * that several passes share counts for its part. */
static ttt_status report(const struct bench *b)
{
    char name[128];
    const int passes = b->step.accumulate;
    struct bench_conditions conditions = b->conditions;
    conditions.product_flops /= passes;
    conditions.seconds /= passes;
    snprintf(name, sizeof name, "train %s", b->config->model.name);
    const struct bench_measurement m = {
        .name = name,
        .items = b->noise.items,
        .batch = b->config->train.batch_size,
        .times = {b->times.runs, b->times.median / passes, b->times.fastest / passes},
        .flops = step_flops(&b->step) / passes,
        .conditions = conditions,
        .peak_bytes = b->peak,
        .predicted_peak_bytes = b->before.before + train_step_memory(&b->step).total,
    };
    return b->options->json ? print_json(b, &m) : print_table(b, &m);
}

ttt_status bench_train(const struct run_config *config, const struct bench_options *options)
{
    struct bench b = {.config = config, .options = options};
    ttt_status status = set_up(&b);
    if (!status)
        status = measure(&b);
    if (!status)
        status = report(&b);
    bench_profile_clear(&b.profile);
    train_step_destroy(&b.step);
    ttt_store_destroy(b.store);
    bench_noise_free(&b.noise);
    bench_machine_close(&b.machine);
    return status;
}
