/* ttt bench layer: the fast-weight part of a causal LaCT layer, chunk after chunk or all chunks at once.
 *
 * Queries, keys and values are given in the activations' type, as a layer's projections leave them, (1, L, H,
 * d); each chunk is read with the weights as they stand and then moves them (ttt/fast/chunks.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/kinds.h"
#include "tools/bench/measurement.h"
#include "tools/bench/memory.h"
#include "tools/bench/profile.h"
#include "ttt/base/random.h"
#include "ttt/fast/chunks.h"
#include "ttt/ops/copy/copy.h"

enum { MOST_INPUTS = 8, MUON_STEPS = 5 };

struct bench {
    const struct bench_options *options;
    const struct bench_layer *layer;
    ttt_variant variant;
    bool parallel;
    struct bench_machine machine;
    ttt_graph *graph;
    ttt_store *store;
    ttt_plan *plan;
    const char *inputs[MOST_INPUTS];
    int n_inputs;
    struct bench_times times;
    struct bench_conditions conditions;
    int64_t before, peak; /* bytes of the process, or in use on the GPU */
    struct bench_profile profile;
};

static ttt_tensor input(struct bench *b, const char *name, ttt_dtype dtype, ttt_shape shape)
{
    b->inputs[b->n_inputs++] = name;
    return ttt_input(b->graph, name, dtype, shape);
}

/* (1, L, H, c) as (1, H, L, c). */
static ttt_tensor tokens_input(struct bench *b, const char *name, ttt_dtype dtype, int64_t width)
{
    const struct bench_layer *l = b->layer;
    return ttt_transpose(b->graph, input(b, name, dtype, ttt_dims(1, l->tokens, l->heads, width)), 1, 2);
}

static void build(struct bench *b)
{
    static const char *const rates[] = {"rate0", "rate1", "rate2"}, *const weights[] = {"w0", "w1", "w2"};
    const struct bench_layer *l = b->layer;
    const ttt_dtype dtype = b->machine.dtype;
    const ttt_lact_options options = {b->variant, MUON_STEPS, 0.01};
    ttt_lact_tokens tokens = {tokens_input(b, "q", dtype, l->head_dim),
                              tokens_input(b, "k", dtype, l->head_dim),
                              tokens_input(b, "v", dtype, l->head_dim),
                              {TTT_NONE, TTT_NONE, TTT_NONE}};
    ttt_tensor w[3] = {TTT_NONE, TTT_NONE, TTT_NONE}, momentum = TTT_NONE;
    for (int i = 0; i < 3; i++) {
        if (b->variant.token_lr)
            tokens.rate[i] = tokens_input(b, rates[i], TTT_F32, 1);
        if (i == 1 || b->variant.kernel != TTT_KERNEL_LINEAR)
            w[i] =
                ttt_variable(b->graph, weights[i], TTT_F32, ttt_dims(1, l->heads, l->head_dim, l->head_dim));
    }
    if (b->variant.momentum)
        momentum =
            input(b, "momentum", TTT_F32, ttt_dims(1, l->heads, (l->tokens + l->chunk - 1) / l->chunk));
    ttt_lact_fast fast = ttt_lact_start(b->graph, &options, w);
    ttt_tensor y = b->parallel ? ttt_chunks_parallel(b->graph, &options, &fast, &tokens, l->chunk, momentum)
                               : ttt_chunks_recurrent(b->graph, &options, &fast, &tokens, l->chunk, momentum);
    /* A part of y keeps all of it in the plan, in the activations' type. */
    ttt_output(b->graph, "y", ttt_copy(b->graph, ttt_slice(b->graph, y, 3, 0, 1)));
}

/* `count` values between -0.5 and 0.5, in the input's type, for the caller to free. */
static void *noise(ttt_dtype dtype, int64_t count)
{
    ttt_random random = ttt_random_start(0, TTT_RANDOM_TEST, 0, 0);
    char *values = malloc((size_t)count * ttt_dtype_size(dtype));
    for (int64_t i = 0; values && i < count; i++) {
        const float value = ttt_random_uniform_f32(&random) - 0.5F;
        if (dtype == TTT_BF16)
            ((uint16_t *)values)[i] = ttt_bf16_from_f32(value);
        else
            ((float *)values)[i] = value;
    }
    return values;
}

static ttt_status fill(struct bench *b)
{
    for (int i = 0; i < b->n_inputs + ttt_store_count(b->store); i++) {
        const ttt_stored *stored = i < b->n_inputs ? NULL : ttt_store_at(b->store, i - b->n_inputs);
        ttt_dtype dtype = TTT_F32;
        ttt_shape shape;
        if (stored)
            shape = stored->shape;
        else
            ttt_plan_describe(b->plan, b->inputs[i], &dtype, &shape);
        void *values = noise(dtype, ttt_shape_elements(shape));
        if (!values)
            return ttt_fail(TTT_MEMORY, "no memory for noise");
        ttt_status status = stored ? ttt_store_write(b->store, stored->name, values)
                                   : ttt_plan_write(b->plan, b->inputs[i], values);
        free(values);
        TRY(status);
    }
    return TTT_OK;
}

static ttt_status run_once(void *context)
{
    struct bench *b = context;
    TRY(ttt_plan_run(b->plan));
    return ttt_device_synchronize(b->machine.device);
}

static ttt_status report(const struct bench *b)
{
    const struct bench_layer *l = b->layer;
    const ttt_device_rates rates = bench_machine_rates(&b->machine);
    char name[96];
    snprintf(name, sizeof name, "layer %.24s %.16s", l->variant, l->form);
    const struct bench_measurement m = {.name = name,
                                        .items = "tokens",
                                        .batch = l->tokens,
                                        .times = b->times,
                                        .flops = ttt_plan_flops(b->plan),
                                        .conditions = b->conditions,
                                        .peak_bytes = b->peak,
                                        .predicted_peak_bytes =
                                            b->before + ttt_plan_memory_of(b->plan).total};
    if (b->options->json)
        return bench_measurement_json(
            &m, &b->machine,
            json_pack("{s:o}", "profile",
                      b->options->profile ? bench_profile_json(&b->profile, rates) : json_null()));
    printf("%s: %lld heads of %lld, %lld tokens in chunks of %lld, forward, %s\n", name, (long long)l->heads,
           (long long)l->head_dim, (long long)l->tokens, (long long)l->chunk,
           ttt_dtype_name(b->machine.dtype));
    bench_measurement_print(&m, &b->machine);
    bench_machine_print(&b->machine);
    if (b->options->profile)
        bench_profile_print(&b->profile, rates);
    return TTT_OK;
}

static ttt_status measure(struct bench *b)
{
    TRY(ttt_graph_create(&b->graph));
    TRY(ttt_store_create(b->machine.device, &b->store));
    ttt_graph_target_device(b->graph, b->machine.device, b->machine.dtype);
    build(b);
    TRY(ttt_plan_create(b->graph, b->store, NULL, &b->plan));
    const struct bench_peak before = bench_peak_start(b->machine.device);
    TRY(ttt_plan_prepare(b->plan));
    TRY(fill(b));
    TRY(bench_time(run_once, b, b->options->warmup > 1 ? b->options->warmup : 2, b->options->runs,
                   &b->times));
    b->before = before.before;
    b->peak = bench_peak_end(&before);
    TRY(bench_machine_again(&b->machine, run_once, b, b->times.runs, &b->conditions));
    if (b->options->profile)
        TRY(bench_profile_add(&b->profile, b->plan, b->times.runs, 1));
    TRY(bench_machine_finish(&b->machine));
    return report(b);
}

ttt_status bench_layer(const struct bench_layer *layer, const struct config_device *device,
                       const struct bench_options *options)
{
    struct bench b = {.options = options, .layer = layer, .parallel = !strcmp(layer->form, "parallel")};
    TRY(ttt_variant_named(layer->variant, &b.variant));
    if (!b.parallel && strcmp(layer->form, "recurrent"))
        return ttt_fail(TTT_ARGUMENT, "there is no form '%.40s'; there are recurrent and parallel",
                        layer->form);
    TRY(bench_machine_open(device, &b.machine));
    ttt_status status = measure(&b);
    bench_profile_clear(&b.profile);
    ttt_plan_destroy(b.plan);
    ttt_store_destroy(b.store);
    ttt_graph_destroy(b.graph);
    bench_machine_close(&b.machine);
    return status;
}
