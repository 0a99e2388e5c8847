/* Reconstruction, adding views and rendering as plans over one store. */
#include "eval/view_renderer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTRINSICS = 4, POSE = 16, FAST_WEIGHTS = 3 };

static struct lact_nvs_views views_input(ttt_graph *g, const struct lact_nvs_config *config, int count,
                                         bool with_images)
{
    struct lact_nvs_views views = {
        .fxfycxcy = ttt_input(g, "fxfycxcy", TTT_F32, ttt_dims(1, count, INTRINSICS)),
        .c2w = ttt_input(g, "c2w", TTT_F32, ttt_dims(1, count, 4, 4)),
        .images = TTT_NONE,
    };
    if (with_images)
        views.images =
            ttt_input(g, "images", TTT_F32, ttt_dims(1, count, 3, config->image_height, config->image_width));
    return views;
}

static ttt_status start_graph(const struct view_renderer_options *options, const ttt_store *store,
                              ttt_graph **g)
{
    TRY(ttt_graph_create(g));
    ttt_graph_target_device(*g, ttt_store_device(store), options->dtype ? options->dtype : TTT_F32);
    return TTT_OK;
}

static ttt_status plan_reconstruct(const struct lact_nvs_config *config, ttt_store *store,
                                   const struct view_renderer_options *options, ttt_plan **plan)
{
    ttt_graph *g;
    TRY(start_graph(options, store, &g));
    const struct lact_nvs_views inputs = views_input(g, config, options->inputs, true);
    lact_nvs_reconstruct(g, config, options->prefix, &inputs, options->tokens_per_pass, false);
    ttt_status status = ttt_plan_create(g, store, &options->plan, plan);
    ttt_graph_destroy(g);
    return ttt_within(status, "reconstruction from %d views", options->inputs);
}

static ttt_status plan_add(const struct lact_nvs_config *config, ttt_store *store,
                           const struct view_renderer_options *options, ttt_plan **plan)
{
    ttt_graph *g;
    if (!options->added)
        return TTT_OK;
    TRY(start_graph(options, store, &g));
    const struct lact_nvs_views views = views_input(g, config, options->added, true);
    lact_nvs_reconstruct(g, config, options->prefix, &views, options->tokens_per_pass, true);
    ttt_status status = ttt_plan_create(g, store, &options->plan, plan);
    ttt_graph_destroy(g);
    return ttt_within(status, "adding %d views", options->added);
}

static ttt_status plan_render(const struct lact_nvs_config *config, ttt_store *store,
                              const struct view_renderer_options *options, ttt_plan **plan)
{
    ttt_graph *g;
    TRY(start_graph(options, store, &g));
    const struct lact_nvs_views targets = views_input(g, config, options->at_once, false);
    ttt_output(g, "pictures", lact_nvs_render(g, config, options->prefix, &targets));
    ttt_status status = ttt_plan_create(g, store, &options->plan, plan);
    ttt_graph_destroy(g);
    return ttt_within(status, "rendering");
}

static int64_t missing_bytes(const ttt_store *store, const char *name, int64_t elements)
{
    return ttt_store_find(store, name) ? 0 : elements * (int64_t)sizeof(float);
}

/* Each plan counts the variables of its own that the store lacks; here are those of all. */
static ttt_status count_variables(const struct lact_nvs_config *config, const ttt_store *store,
                                  const char *prefix, int64_t *bytes)
{
    const int64_t d = config->fast_head_dim, m = (int64_t)((double)d * config->inter_multi);
    struct parameter *parameters;
    int count;
    TRY(lact_nvs_parameters(config, &parameters, &count));
    *bytes = ttt_store_bytes(store);
    for (int i = 0; i < count; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", prefix, parameters[i].name);
        *bytes += missing_bytes(store, name, ttt_shape_elements(parameters[i].shape));
    }
    free(parameters);
    for (int block = 0; block < config->depth; block++)
        for (int i = 0; i < FAST_WEIGHTS; i++) {
            char name[32];
            snprintf(name, sizeof name, "state.%d.w%d", block, i);
            if (i == 1 || config->variant.kernel != TTT_KERNEL_LINEAR)
                *bytes += missing_bytes(store, name, config->width / d * d * m);
        }
    return TTT_OK;
}

/* Each plan fits on its own; do all together? */
static ttt_status check_memory(const struct view_renderer *r, const ttt_store *store)
{
    const int64_t limit = r->options.plan.memory_limit, total = r->memory.total;
    const int64_t wanted = limit ? total : total - ttt_store_bytes(store);
    const int64_t room = limit ? limit : ttt_device_memory_free(ttt_store_device(store));
    if (wanted <= room)
        return TTT_OK;
    return ttt_fail(TTT_MEMORY,
                    "reconstructing %d views and rendering %d at once needs %.1f MiB and %s %.1f MiB; lower "
                    "tokens_per_pass or the number of views",
                    r->options.inputs, r->options.at_once, (double)total / 0x1p20,
                    limit ? "the limit is" : "there are free", (double)room / 0x1p20);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static ttt_status count_memory(const struct lact_nvs_config *config, const ttt_store *store,
                               struct view_renderer *r)
{
    struct view_renderer_memory *m = &r->memory;
    TRY(count_variables(config, store, r->options.prefix, &m->variables));
    m->reconstruct = ttt_plan_memory_of(r->reconstruct).arena;
    m->add = r->add ? ttt_plan_memory_of(r->add).arena : 0;
    m->render = ttt_plan_memory_of(r->render).arena;
    m->total = m->variables + (r->options.once ? larger(m->reconstruct, larger(m->add, m->render))
                                               : m->reconstruct + m->add + m->render);
    return check_memory(r, store);
}

static ttt_status take_buffers(struct view_renderer *r)
{
    const size_t views = (size_t)r->options.at_once;
    r->cameras = calloc(views * (INTRINSICS + POSE), sizeof *r->cameras);
    r->pictures = calloc(views * 3 * (size_t)r->height * (size_t)r->width, sizeof *r->pictures);
    return r->cameras && r->pictures ? TTT_OK
                                     : ttt_fail(TTT_MEMORY, "no memory for %d pictures", r->options.at_once);
}

ttt_status view_renderer_create(const struct lact_nvs_config *config, ttt_store *store,
                                const struct view_renderer_options *options, struct view_renderer *renderer)
{
    ttt_status status;
    *renderer = (struct view_renderer){
        .options = *options, .height = config->image_height, .width = config->image_width};
    if (options->inputs < 1 || options->at_once < 1 || options->added < 0)
        return ttt_fail(TTT_ARGUMENT,
                        "%d inputs, %d added and %d rendered at once: should be at least 1, 0 and 1",
                        options->inputs, options->added, options->at_once);
    TRY(lact_nvs_config_check(config));
    TRY_TO(plan_reconstruct(config, store, options, &renderer->reconstruct), cleanup);
    TRY_TO(plan_add(config, store, options, &renderer->add), cleanup);
    TRY_TO(plan_render(config, store, options, &renderer->render), cleanup);
    TRY_TO(count_memory(config, store, renderer), cleanup);
    renderer->reconstruct_flops = ttt_plan_flops(renderer->reconstruct);
    renderer->render_flops = ttt_plan_flops(renderer->render);
    status = take_buffers(renderer);
cleanup:
    if (status)
        view_renderer_destroy(renderer);
    return status;
}

void view_renderer_destroy(struct view_renderer *renderer)
{
    ttt_plan_destroy(renderer->reconstruct);
    ttt_plan_destroy(renderer->add);
    ttt_plan_destroy(renderer->render);
    free(renderer->cameras);
    free(renderer->pictures);
    *renderer = (struct view_renderer){0};
}

int view_renderer_views_at_once(const struct lact_nvs_config *config, int most)
{
    const int64_t enough = 1024, patch = config->patch;
    const int64_t tokens = config->image_height / patch * (config->image_width / patch);
    const int64_t views = tokens < enough ? enough / tokens : 1;
    return (int)(views < most ? views : most);
}

static ttt_status prepare(ttt_plan *plan, bool *ready)
{
    if (!*ready)
        TRY(ttt_plan_prepare(plan));
    *ready = true;
    return TTT_OK;
}

static ttt_status prepare_reconstruct(struct view_renderer *r)
{
    if (!r->reconstruct)
        return ttt_fail(TTT_ARGUMENT, "a second scene for a renderer that was made for one");
    return prepare(r->reconstruct, &r->reconstruct_ready);
}

/* What follows a reconstruction. */
static ttt_status prepare_rest(struct view_renderer *r)
{
    if (r->add)
        TRY(prepare(r->add, &r->add_ready));
    return r->add && r->options.once ? TTT_OK : prepare(r->render, &r->render_ready);
}

ttt_status view_renderer_prepare(struct view_renderer *renderer)
{
    TRY(prepare_reconstruct(renderer));
    return renderer->options.once ? TTT_OK : prepare_rest(renderer);
}

static ttt_status show(ttt_plan *plan, const struct view_block *views)
{
    TRY(ttt_plan_write(plan, "images", views->images));
    TRY(ttt_plan_write(plan, "fxfycxcy", views->fxfycxcy));
    TRY(ttt_plan_write(plan, "c2w", views->c2w));
    return ttt_plan_run(plan);
}

/* Gives a step's memory back where it does not come again, and takes that of the next one. */
static ttt_status go_on(struct view_renderer *r, ttt_plan **done)
{
    if (!r->options.once)
        return TTT_OK;
    ttt_plan_destroy(*done);
    *done = NULL;
    return prepare_rest(r);
}

ttt_status view_renderer_reconstruct(struct view_renderer *renderer, const struct view_block *inputs)
{
    renderer->has_scene = false;
    TRY(prepare_reconstruct(renderer));
    TRY(show(renderer->reconstruct, inputs));
    renderer->has_scene = true;
    return go_on(renderer, &renderer->reconstruct);
}

ttt_status view_renderer_add(struct view_renderer *renderer, const struct view_block *views)
{
    if (!renderer->has_scene || !renderer->add)
        return ttt_fail(TTT_ARGUMENT, "%s",
                        renderer->has_scene ? "a renderer that was made for no further views"
                                            : "no scene to add views to");
    renderer->has_scene = false;
    TRY(prepare(renderer->add, &renderer->add_ready));
    TRY(show(renderer->add, views));
    renderer->has_scene = true;
    return go_on(renderer, &renderer->add);
}

static ttt_status render_pass(struct view_renderer *r, const float *fxfycxcy, const float *c2w, float *images)
{
    TRY(ttt_plan_write(r->render, "fxfycxcy", fxfycxcy));
    TRY(ttt_plan_write(r->render, "c2w", c2w));
    TRY(ttt_plan_run(r->render));
    return ttt_plan_read(r->render, "pictures", images);
}

/* The last camera stands in for those that a pass lacks: every number stays finite. */
static ttt_status render_rest(struct view_renderer *r, const float *fxfycxcy, const float *c2w, int count,
                              float *images)
{
    const int at_once = r->options.at_once;
    float *intrinsics = r->cameras, *poses = r->cameras + (ptrdiff_t)at_once * INTRINSICS;
    for (int i = 0; i < at_once; i++) {
        const ptrdiff_t from = i < count ? i : count - 1;
        memcpy(intrinsics + (ptrdiff_t)i * INTRINSICS, fxfycxcy + from * INTRINSICS,
               INTRINSICS * sizeof(float));
        memcpy(poses + (ptrdiff_t)i * POSE, c2w + from * POSE, POSE * sizeof(float));
    }
    TRY(render_pass(r, intrinsics, poses, r->pictures));
    memcpy(images, r->pictures, (size_t)count * 3 * (size_t)r->height * (size_t)r->width * sizeof *images);
    return TTT_OK;
}

ttt_status view_renderer_render(struct view_renderer *renderer, const float *fxfycxcy, const float *c2w,
                                int count, float *images)
{
    const ptrdiff_t picture = (ptrdiff_t)3 * renderer->height * renderer->width;
    const int at_once = renderer->options.at_once;
    if (count < 1 || !renderer->has_scene)
        return ttt_fail(TTT_ARGUMENT, "%s to render",
                        renderer->has_scene ? "there is no camera" : "no scene was reconstructed");
    TRY(prepare(renderer->render, &renderer->render_ready));
    for (ptrdiff_t i = 0; i < count; i += at_once) {
        const int left = count - (int)i;
        if (left < at_once)
            return render_rest(renderer, fxfycxcy + i * INTRINSICS, c2w + i * POSE, left,
                               images + i * picture);
        TRY(render_pass(renderer, fxfycxcy + i * INTRINSICS, c2w + i * POSE, images + i * picture));
    }
    return TTT_OK;
}
