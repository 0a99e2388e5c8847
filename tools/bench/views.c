/* ttt bench infer, task views: reconstruction from more and more views, and rendering, on noise. */
#include <stdio.h>
#include <stdlib.h>

#include "eval/view_renderer.h"
#include "tools/bench/kinds.h"
#include "tools/bench/measurement.h"
#include "tools/bench/memory.h"
#include "tools/bench/noise.h"
#include "tools/bench/profile.h"
#include "tools/output.h"
#include "train/config/device.h"

enum { DOUBLINGS = 3 };

struct bench {
    const struct run_config *config;
    const struct lact_nvs_config *model;
    const struct bench_options *options;
    struct bench_machine machine;
    ttt_store *store;
    int64_t tokens_per_pass;
    struct view_renderer *renderer; /* at work: that of the last series */
    struct view_block views;
    float *pictures; /* (at_once, 3, height, width) */
    struct series {
        struct view_renderer renderer; /* kept, since profiles refer to it */
        int views;
        struct bench_times times;
        double flops;
        struct bench_conditions conditions;
        struct view_renderer_memory memory;
        int64_t before, peak; /* bytes of the process */
        struct bench_profile profile;
        json_t *profile_json;
    } series[DOUBLINGS + 1], render;
};

static ttt_status reconstruct(void *context)
{
    struct bench *b = context;
    TRY(ttt_plan_run(b->renderer->reconstruct));
    return ttt_device_synchronize(b->machine.device);
}

static ttt_status render(void *context)
{
    struct bench *b = context;
    return view_renderer_render(b->renderer, b->views.fxfycxcy, b->views.c2w, b->renderer->options.at_once,
                                b->pictures);
}

static ttt_status make_renderer(struct bench *b, int inputs)
{
    const struct view_renderer_options options = {
        .prefix = "",
        .inputs = inputs,
        .at_once = view_renderer_views_at_once(b->model, INT32_MAX),
        .tokens_per_pass = b->tokens_per_pass,
        .dtype = b->config->device.dtype,
        .plan = config_plan_options(&b->config->device),
    };
    return view_renderer_create(b->model, b->store, &options, b->renderer);
}

/* One reconstruction from one view, so that weights and state are in memory before any peak is watched. */
static ttt_status touch_state(struct bench *b)
{
    struct view_renderer small;
    b->renderer = &small;
    TRY(bench_noise_views(b->model, 1, &b->views));
    TRY(make_renderer(b, 1));
    ttt_status status = view_renderer_reconstruct(b->renderer, &b->views);
    view_renderer_destroy(&small);
    b->renderer = NULL;
    return status;
}

static ttt_status set_up(struct bench *b)
{
    const int64_t tokens =
        (int64_t)(b->model->image_height / b->model->patch) * (b->model->image_width / b->model->patch);
    const int views = b->model->num_input_views;
    struct parameter *parameters;
    int count;
    b->tokens_per_pass = b->config->eval.tokens_per_pass;
    if (!b->tokens_per_pass)
        b->tokens_per_pass = tokens * (views > 1 ? views / 2 : 1);
    TRY(bench_machine_open(&b->config->device, &b->machine));
    TRY(ttt_store_create(b->machine.device, &b->store));
    TRY(lact_nvs_parameters(b->model, &parameters, &count));
    ttt_status status = parameters_initialise(parameters, count, b->store, 0);
    free(parameters);
    return status ? status : touch_state(b);
}

static ttt_status add_profile(const struct bench *b, struct series *s, ttt_plan *plan)
{
    if (!b->options->profile)
        return TTT_OK;
    TRY(bench_profile_add(&s->profile, plan, s->times.runs, 1));
    s->profile_json = bench_profile_json(&s->profile, bench_machine_rates(&b->machine));
    return TTT_OK;
}

static ttt_status measure_reconstruction(struct bench *b, int views, struct series *s)
{
    *s = (struct series){.views = views};
    b->renderer = &s->renderer;
    free(b->views.images);
    TRY(bench_noise_views(b->model, views, &b->views));
    TRY(make_renderer(b, views));
    s->memory = b->renderer->memory;
    s->flops = b->renderer->reconstruct_flops;
    const struct bench_peak before = bench_peak_start(b->machine.device);
    TRY(view_renderer_reconstruct(b->renderer, &b->views)); /* brings the views there */
    TRY(bench_time(reconstruct, b, b->options->warmup, b->options->runs, &s->times));
    s->before = before.before;
    s->peak = bench_peak_end(&before);
    TRY(bench_machine_again(&b->machine, reconstruct, b, s->times.runs, &s->conditions));
    return add_profile(b, s, b->renderer->reconstruct);
}

static ttt_status measure_rendering(struct bench *b)
{
    struct series *s = &b->render;
    const int at_once = b->renderer->options.at_once;
    *s = (struct series){.views = at_once, .memory = b->renderer->memory};
    free(b->views.images);
    TRY(bench_noise_views(b->model, at_once, &b->views));
    b->pictures = calloc((size_t)at_once * 3 * (size_t)b->model->image_height * (size_t)b->model->image_width,
                         sizeof *b->pictures);
    if (!b->pictures)
        return ttt_fail(TTT_MEMORY, "no memory for %d pictures", at_once);
    s->flops = b->renderer->render_flops;
    const struct bench_peak before = bench_peak_start(b->machine.device);
    TRY(bench_time(render, b, b->options->warmup, b->options->runs, &s->times));
    s->before = before.before;
    s->peak = bench_peak_end(&before);
    TRY(bench_machine_again(&b->machine, render, b, s->times.runs, &s->conditions));
    return add_profile(b, s, b->renderer->render);
}

static ttt_status measure(struct bench *b)
{
    for (int i = 0; i <= DOUBLINGS; i++)
        TRY(measure_reconstruction(b, b->model->num_input_views << i, &b->series[i]));
    TRY(measure_rendering(b));
    return bench_machine_finish(&b->machine);
}

/* What a view must take however long the passes are: its tokens, and its picture and camera, the inputs. */
static int64_t token_bytes(const struct bench *b)
{
    const int64_t patch = b->model->patch;
    return b->model->image_height / patch * (b->model->image_width / patch) * b->model->width *
           (int64_t)sizeof(float);
}

static int64_t input_bytes(const struct bench *b)
{
    return ((int64_t)3 * b->model->image_height * b->model->image_width + 20) * (int64_t)sizeof(float);
}

static struct bench_measurement measurement(const struct series *s, const char *name, int64_t arena)
{
    return (struct bench_measurement){.name = name,
                                      .items = "views",
                                      .batch = s->views,
                                      .times = s->times,
                                      .flops = s->flops,
                                      .conditions = s->conditions,
                                      .peak_bytes = s->peak,
                                      .predicted_peak_bytes = s->before + arena};
}

/* Of what the series before it took, beyond the process: predicted and measured bytes a view. */
static void growth(const struct series *s, double *predicted, double *measured)
{
    const struct series *half = s - 1;
    const int added = s->views - half->views;
    *predicted = (double)(s->memory.reconstruct - half->memory.reconstruct) / added;
    *measured = (double)(s->peak - s->before - half->peak + half->before) / added;
}

static void print_growth(const struct bench *b, const struct series *s, double predicted, double measured)
{
    const int64_t due = token_bytes(b) + input_bytes(b);
    const double rest = (predicted - (double)due) * (s->views - (s - 1)->views);
    printf("  added     %s a view predicted, %s measured; its tokens are %s, its picture %s\n",
           output_bytes((int64_t)predicted).text, output_bytes((int64_t)measured).text,
           output_bytes(token_bytes(b)).text, output_bytes(input_bytes(b)).text);
    if (rest > 0.01 * (double)due)
        printf(
            "            the rest, %s in all, is intermediates of passes, which stop growing at the fourth\n",
            output_bytes((int64_t)rest).text);
}

static ttt_status report_reconstruction(struct bench *b, int i)
{
    struct series *s = &b->series[i];
    char name[128];
    double predicted = 0, measured = 0;
    snprintf(name, sizeof name, "reconstruct %s from %d views", b->config->model.name, s->views);
    const struct bench_measurement m = measurement(s, name, s->memory.reconstruct);
    if (i)
        growth(s, &predicted, &measured);
    if (b->options->json) {
        json_t *profile = s->profile_json ? json_incref(s->profile_json) : json_null();
        return bench_measurement_json(
            &m, &b->machine,
            json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "tokens_per_pass", (json_int_t)b->tokens_per_pass,
                      "token_bytes_per_view", (json_int_t)token_bytes(b), "input_bytes_per_view",
                      (json_int_t)input_bytes(b), "predicted_bytes_per_added_view",
                      i ? json_real(predicted) : json_null(), "bytes_per_added_view",
                      i ? json_real(measured) : json_null(), "profile", profile));
    }
    printf("%s of %dx%d pixels, %lld tokens a pass\n", name, b->model->image_height, b->model->image_width,
           (long long)b->tokens_per_pass);
    bench_measurement_print(&m, &b->machine);
    printf("  memory    %s of activations predicted, %s taken\n", output_bytes(s->memory.reconstruct).text,
           output_bytes(s->peak - s->before).text);
    if (i)
        print_growth(b, s, predicted, measured);
    if (b->options->profile)
        bench_profile_print(&s->profile, bench_machine_rates(&b->machine));
    return TTT_OK;
}

static ttt_status report_rendering(struct bench *b)
{
    struct series *s = &b->render;
    char name[128];
    snprintf(name, sizeof name, "render %s", b->config->model.name);
    const struct bench_measurement m = measurement(s, name, s->memory.render);
    const double milliseconds = 1e3 * s->times.median / s->views;
    if (b->options->json) {
        json_t *profile = s->profile_json ? json_incref(s->profile_json) : json_null();
        return bench_measurement_json(
            &m, &b->machine,
            json_pack("{s:f, s:o}", "milliseconds_per_view", milliseconds, "profile", profile));
    }
    printf("%s: %d views at once, %.2f ms a view\n", name, s->views, milliseconds);
    bench_measurement_print(&m, &b->machine);
    printf("  memory    %s of activations predicted, %s taken\n", output_bytes(s->memory.render).text,
           output_bytes(s->peak - s->before).text);
    if (b->options->profile)
        bench_profile_print(&s->profile, bench_machine_rates(&b->machine));
    bench_machine_print(&b->machine);
    return TTT_OK;
}

static ttt_status report(struct bench *b)
{
    for (int i = 0; i <= DOUBLINGS; i++)
        TRY(report_reconstruction(b, i));
    return report_rendering(b);
}

static void series_clear(struct series *s)
{
    bench_profile_clear(&s->profile);
    json_decref(s->profile_json);
    view_renderer_destroy(&s->renderer);
}

ttt_status bench_views(const struct run_config *config, const struct bench_options *options)
{
    struct bench b = {.config = config, .model = &config->model.lact, .options = options};
    ttt_status status = set_up(&b);
    if (!status)
        status = measure(&b);
    if (!status)
        status = report(&b);
    for (int i = 0; i <= DOUBLINGS; i++)
        series_clear(&b.series[i]);
    series_clear(&b.render);
    ttt_store_destroy(b.store);
    bench_machine_close(&b.machine);
    free(b.views.images);
    free(b.pictures);
    return status;
}
