/* ttt bench infer: forward passes of a config's model, on noise in place of pictures. */
#include <stdio.h>
#include <stdlib.h>

#include "eval/classifier.h"
#include "tools/bench/kinds.h"
#include "tools/bench/measurement.h"
#include "tools/bench/memory.h"
#include "tools/bench/pictures.h"
#include "tools/bench/profile.h"
#include "train/config/device.h"

struct bench {
    const struct run_config *config;
    const struct bench_options *options;
    struct bench_machine machine;
    ttt_store *store;
    struct classifier classifier;
    float *images;
    struct bench_times times;
    struct bench_conditions conditions;
    struct bench_peak before;
    int64_t peak;
    struct bench_profile profile;
};

static ttt_status classify(void *context)
{
    struct bench *b = context;
    TRY(ttt_plan_run(b->classifier.plan));
    return ttt_device_synchronize(b->machine.device);
}

static ttt_status set_up(struct bench *b)
{
    const struct run_config *config = b->config;
    const struct classifier_options options = {
        .prefix = "",
        .batch = config->eval.batch_size,
        .dtype = config->device.dtype,
        .plan = config_plan_options(&config->device),
    };
    TRY(bench_machine_open(&config->device, &b->machine));
    TRY(ttt_store_create(b->machine.device, &b->store));
    TRY(classifier_create(&config->model.vittt, b->store, &options, &b->classifier));
    return bench_pictures(&config->model.vittt, options.batch, &b->images);
}

static ttt_status measure(struct bench *b)
{
    b->before = bench_peak_start(b->machine.device);
    TRY(classifier_prepare(&b->classifier));
    TRY(vittt_initialise(&b->config->model.vittt, b->store, 0));
    TRY(classifier_run(&b->classifier, b->images, b->classifier.batch)); /* brings the pictures there */
    TRY(bench_time(classify, b, b->options->warmup, b->options->runs, &b->times));
    b->peak = bench_peak_end(&b->before);
    TRY(bench_machine_again(&b->machine, classify, b, b->times.runs, &b->conditions));
    if (b->options->profile)
        TRY(bench_profile_add(&b->profile, b->classifier.plan, b->times.runs, 1));
    return bench_machine_finish(&b->machine);
}

static ttt_status print_json(const struct bench *b, const struct bench_measurement *m)
{
    json_t *profile =
        b->options->profile ? bench_profile_json(&b->profile, bench_machine_rates(&b->machine)) : json_null();
    return bench_measurement_json(m, &b->machine, json_pack("{s:o}", "profile", profile));
}

static ttt_status print_table(const struct bench *b, const struct bench_measurement *m)
{
    const struct vittt_config *model = &b->config->model.vittt;
    const ttt_plan_memory plan = ttt_plan_memory_of(b->classifier.plan);
    printf("%s: forward passes of %d pictures of %dx%d pixels, %s\n", m->name, b->classifier.batch,
           model->image_height, model->image_width, ttt_dtype_name(b->config->device.dtype));
    bench_measurement_print(m, &b->machine);
    bench_memory_print(m, &plan);
    bench_machine_print(&b->machine);
    if (b->options->profile)
        bench_profile_print(&b->profile, bench_machine_rates(&b->machine));
    return TTT_OK;
}

static ttt_status report(const struct bench *b)
{
    char name[128];
    const int64_t rows = b->before.device ? 0 : b->classifier.batch; /* of logits beside the plan's memory */
    const int64_t logits = rows * b->classifier.classes * (int64_t)sizeof(float);
    snprintf(name, sizeof name, "infer %s", b->config->model.name);
    /* Of the classifier's own buffers the one for incomplete batches is not touched here. */
    const struct bench_measurement m = {
        .name = name,
        .batch = b->classifier.batch,
        .times = b->times,
        .flops = ttt_plan_flops(b->classifier.plan),
        .conditions = b->conditions,
        .peak_bytes = b->peak,
        .predicted_peak_bytes = b->before.before + logits + ttt_plan_memory_of(b->classifier.plan).total,
    };
    return b->options->json ? print_json(b, &m) : print_table(b, &m);
}

ttt_status bench_infer(const struct run_config *config, const struct bench_options *options)
{
    struct bench b = {.config = config, .options = options};
    ttt_status status = set_up(&b);
    if (!status)
        status = measure(&b);
    if (!status)
        status = report(&b);
    bench_profile_clear(&b.profile);
    classifier_destroy(&b.classifier);
    ttt_store_destroy(b.store);
    bench_machine_close(&b.machine);
    free(b.images);
    return status;
}
