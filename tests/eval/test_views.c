/* Evaluation of view synthesis against plain computations: other loops, and the model's training pass. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/make_scenes.h"
#include "data/scenes/view.h"
#include "eval/views.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"

enum { SIDE = 16, VALUES = 3 * SIDE * SIDE, INPUTS = 3, SCENES = 2 };

struct world {
    char *folder;
    struct scene_set set;
    struct view_index *index;
    struct lact_nvs_config config;
    ttt_device *device;
    ttt_store *store;
    struct views_options options;
};

/* The second scene has fewer targets: a mean over views is not the mean over scenes. */
static const char index_text[] = "{\"00000\": {\"inputs\": [0, 2, 4], \"targets\": [1, 3, 5, 6]},"
                                 " \"00001\": {\"inputs\": [6, 1, 3], \"targets\": [0]}}";

static int enter(void **state)
{
    struct world *w = check_alloc(1, sizeof *w);
    struct make_scenes_options make = make_scenes_options_default();
    struct parameter *parameters;
    int count;
    w->folder = temporary_folder();
    char *scenes = temporary_path(w->folder, "scenes"),
         *list = temporary_path(w->folder, "scenes/scenes.json"),
         *index = temporary_path(w->folder, "index.json");
    make.count = SCENES;
    make.views = 7;
    make.size = SIDE;
    check_ok(make_scenes(scenes, &make));
    temporary_file(w->folder, "index.json", index_text, strlen(index_text));
    check_ok(view_index_open(index, &w->index));
    check_ok(scene_set_open(list, &(struct scene_set_options){0}, &w->set));
    check_ok(lact_nvs_config_named("lact_nvs_nano", &w->config));
    w->config.image_height = w->config.image_width = SIDE;
    w->config.patch = 4;
    w->config.width = w->config.fast_head_dim = 16;
    w->config.head_dim = 8;
    w->config.depth = 2;
    check_ok(ttt_device_open("cpu", 2, &w->device));
    check_ok(ttt_store_create(w->device, &w->store));
    check_ok(lact_nvs_parameters(&w->config, &parameters, &count));
    for (int i = 0; i < count; i++)
        parameters[i].scale *= 10; /* far from a constant picture */
    check_ok(parameters_initialise(parameters, count, w->store, 3));
    free(parameters);
    w->options = (struct views_options){
        .prefix = "",
        .sample = {.height = SIDE,
                   .width = SIDE,
                   .normalisation = POSES_MEAN,
                   .factor = 1,
                   .scope = POSES_OF_INPUTS,
                   .choice = {.order = VIEWS_INDEXED, .inputs = INPUTS, .index = w->index}},
    };
    free(scenes);
    free(list);
    free(index);
    *state = w;
    return 0;
}

static int leave(void **state)
{
    struct world *w = *state;
    ttt_store_destroy(w->store);
    ttt_device_close(w->device);
    scene_set_free(&w->set);
    view_index_free(w->index);
    temporary_remove(w->folder);
    free(w);
    return 0;
}

static double plain_psnr(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < VALUES; i++)
        sum += pow((double)a[i] - (double)b[i], 2);
    return 10 * log10(VALUES / sum);
}

static void load_picture(const struct world *w, uint32_t scene, uint32_t view, float *picture)
{
    struct image image;
    check_ok(view_load(&w->set.scenes[scene].views[view], SIDE, SIDE, &image));
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < SIDE * SIDE; i++)
            picture[c * SIDE * SIDE + i] = (float)image.pixels[3 * i + c] / 255;
    image_free(&image);
}

/* One target's picture by the pass that training uses. */
static void forward(struct world *w, const struct view_block *inputs, const struct view_block *target,
                    float *picture)
{
    ttt_graph *g;
    ttt_plan *plan;
    check_ok(ttt_graph_create(&g));
    const struct lact_nvs_views in = {ttt_input(g, "k", TTT_F32, ttt_dims(1, INPUTS, 4)),
                                      ttt_input(g, "p", TTT_F32, ttt_dims(1, INPUTS, 4, 4)),
                                      ttt_input(g, "i", TTT_F32, ttt_dims(1, INPUTS, 3, SIDE, SIDE))};
    const struct lact_nvs_views out = {ttt_input(g, "tk", TTT_F32, ttt_dims(1, 1, 4)),
                                       ttt_input(g, "tp", TTT_F32, ttt_dims(1, 1, 4, 4)), TTT_NONE};
    ttt_output(g, "y", lact_nvs_forward(g, &w->config, "", &in, &out));
    check_ok(ttt_plan_create(g, w->store, NULL, &plan));
    check_ok(ttt_plan_prepare(plan));
    check_ok(ttt_plan_write(plan, "k", inputs->fxfycxcy));
    check_ok(ttt_plan_write(plan, "p", inputs->c2w));
    check_ok(ttt_plan_write(plan, "i", inputs->images));
    check_ok(ttt_plan_write(plan, "tk", target->fxfycxcy));
    check_ok(ttt_plan_write(plan, "tp", target->c2w));
    check_ok(ttt_plan_run(plan));
    check_ok(ttt_plan_read(plan, "y", picture));
    ttt_plan_destroy(plan);
    ttt_graph_destroy(g);
}

static uint32_t plain_nearest(const struct scene *scene, const uint32_t *inputs, uint32_t view)
{
    uint32_t best = inputs[0];
    double least = INFINITY;
    for (int i = 0; i < INPUTS; i++) {
        double away = 0;
        for (int k = 0; k < 3; k++)
            away += pow(scene->views[inputs[i]].c2w.m[k][3] - scene->views[view].c2w.m[k][3], 2);
        if (away < least)
            best = inputs[i];
        least = fmin(away, least);
    }
    return best;
}

static double plain_mean_colour_psnr(const struct world *w, uint32_t scene, const uint32_t *inputs,
                                     const float *truth)
{
    static float picture[VALUES], flat[VALUES];
    double colour[3] = {0, 0, 0};
    for (int v = 0; v < INPUTS; v++) {
        load_picture(w, scene, inputs[v], picture);
        for (int i = 0; i < VALUES; i++)
            colour[i / (SIDE * SIDE)] += picture[i] / (INPUTS * SIDE * SIDE);
    }
    for (int i = 0; i < VALUES; i++)
        flat[i] = (float)colour[i / (SIDE * SIDE)];
    return plain_psnr(flat, truth);
}

static void every_number_is_the_plain_one(void **state)
{
    struct world *w = *state;
    struct views_result r;
    static float truth[VALUES], copied[VALUES], rendered[VALUES];
    double sum = 0, nearest_sum = 0, colour_sum = 0;
    check_ok(views_run(&w->config, w->store, &w->set, &w->options, &r));
    assert_int_equal(r.scene_count, SCENES);
    assert_int_equal(r.target_count, 5);
    for (uint32_t s = 0; s < SCENES; s++) {
        struct scene_sample sample;
        ttt_random random = ttt_random_start(0, TTT_RANDOM_VIEWS, 0, s);
        check_ok(scene_sample_load(&w->options.sample, &w->set.scenes[s], &random, NULL, &sample));
        assert_int_equal(r.scenes[s].count, sample.target_count);
        for (int i = 0; i < sample.target_count; i++) {
            const struct views_target *target = &r.targets[r.scenes[s].first + (uint32_t)i];
            const uint32_t view = sample.target_views[i];
            const struct view_block one = {NULL, sample.targets.fxfycxcy + 4 * i,
                                           sample.targets.c2w + 16 * i};
            load_picture(w, s, view, truth);
            forward(w, &sample.inputs, &one, rendered);
            load_picture(w, s, plain_nearest(&w->set.scenes[s], sample.input_views, view), copied);
            const double psnr = plain_psnr(rendered, truth), nearest = plain_psnr(copied, truth),
                         colour = plain_mean_colour_psnr(w, s, sample.input_views, truth);
            assert_int_equal(target->view, view);
            assert_int_equal(target->scene, s);
            assert_true(fabs(target->likeness.psnr - psnr) < 1e-3);
            assert_true(fabs(target->likeness.nearest_psnr - nearest) < 1e-4);
            assert_true(fabs(target->likeness.mean_colour_psnr - colour) < 1e-4);
            assert_true(fabs(target->likeness.ssim) <= 1 && target->likeness.nearest_ssim <= 1);
            sum += psnr / sample.target_count / SCENES;
            nearest_sum += nearest / sample.target_count / SCENES;
            colour_sum += colour / sample.target_count / SCENES;
        }
        scene_sample_free(&sample);
    }
    assert_true(fabs(r.likeness.psnr - sum) < 1e-3);
    assert_true(fabs(r.likeness.nearest_psnr - nearest_sum) < 1e-4);
    assert_true(fabs(r.likeness.mean_colour_psnr - colour_sum) < 1e-4);
    views_result_free(&r);
}

static void passes_do_not_matter(void **state)
{
    struct world *w = *state;
    struct views_options one_by_one = w->options;
    struct views_result r, again;
    one_by_one.tokens_per_pass = 1;
    check_ok(views_run(&w->config, w->store, &w->set, &w->options, &r));
    check_ok(views_run(&w->config, w->store, &w->set, &one_by_one, &again));
    assert_true(fabs(r.likeness.psnr - again.likeness.psnr) < 1e-3);
    views_result_free(&r);
    views_result_free(&again);
}

/* A picture of view 0 after a reconstruction from views 1 to 1 + inputs, and one more of each call of add. */
static void render_later(const struct world *w, const struct lact_nvs_config *config, int inputs, int added,
                         float *picture)
{
    const uint32_t views[] = {1, 2, 3, 4, 0};
    const struct scene *scene = &w->set.scenes[0];
    const struct view_renderer_options options = {
        .prefix = "", .inputs = inputs, .added = added ? 1 : 0, .at_once = 1};
    static float images[5][VALUES], k[5][4], c2w[5][16];
    const struct view_block all = {images[0], k[0], c2w[0]};
    const struct pose_frame frame = pose_frame_of(POSES_NONE, 1, &scene->views[0].c2w, 1);
    struct view_renderer renderer;
    check_ok(view_block_load(scene, views, 5, &frame, SIDE, SIDE, NULL, &all));
    check_ok(view_renderer_create(config, w->store, &options, &renderer));
    check_ok(view_renderer_reconstruct(&renderer, &all));
    for (int i = inputs; i < inputs + added; i++)
        check_ok(view_renderer_add(&renderer, &(struct view_block){images[i], k[i], c2w[i]}));
    check_ok(view_renderer_render(&renderer, k[4], c2w[4], 1, picture));
    view_renderer_destroy(&renderer);
}

static void views_may_come_later(void **state)
{
    const struct world *w = *state;
    struct lact_nvs_config config = w->config;
    static float whole[VALUES], later[VALUES], fewer[VALUES];
    check_ok(ttt_variant_named("variant6", &config.variant));
    config.depth = 1;
    render_later(w, &config, 4, 0, whole);
    render_later(w, &config, 2, 2, later);
    render_later(w, &config, 2, 0, fewer);
    double rounding = 0, change = 0;
    for (int i = 0; i < VALUES; i++) {
        rounding = fmax(rounding, fabs((double)later[i] - (double)whole[i]));
        change = fmax(change, fabs((double)fewer[i] - (double)whole[i]));
    }
    assert_true(rounding < 1e-5);
    assert_true(change > 1e-3);
}

/* From the fourth pass on a further view adds its tokens, its picture and its camera: to alignment where the
 * views double, as the benchmark has it, and to one activation of a pass where passes do not come in pairs.
 */
static void memory_grows_by_tokens_and_pictures(void **state)
{
    enum { PER_PASS = 2, ALIGNMENT = 256 };
    static const int counts[] = {4 * PER_PASS, 11, 16, 27, 32, 64};
    struct world *w = *state;
    struct lact_nvs_config config;
    ttt_store *store;
    check_ok(ttt_store_create(w->device, &store));
    check_ok(lact_nvs_config_named("lact_nvs_nano", &config));
    config.image_height = config.image_width = 64;
    const int64_t tokens = 64 / config.patch * (64 / config.patch);
    const int64_t view = tokens * config.width * 4, due = view + (3 * 64 * 64 + 20) * 4;
    int64_t first = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const int views = counts[i];
        const struct view_renderer_options options = {
            .prefix = "", .inputs = views, .at_once = 1, .tokens_per_pass = PER_PASS * tokens};
        struct view_renderer renderer;
        check_ok(view_renderer_create(&config, store, &options, &renderer));
        const int64_t bytes = renderer.memory.reconstruct;
        const bool doubled = (views & (views - 1)) == 0;
        view_renderer_destroy(&renderer);
        first = i ? first : bytes;
        const int64_t rest = bytes - first - (views - counts[0]) * due;
        if (rest > 3 * ALIGNMENT + (doubled ? 0 : PER_PASS * view))
            fail_msg("%d views take %lld bytes, %lld beside their tokens and pictures", views,
                     (long long)bytes, (long long)rest);
    }
    ttt_store_destroy(store);
}

static void some_models_take_no_later_views(void **state)
{
    const struct world *w = *state;
    const struct view_renderer_options options = {.prefix = "", .inputs = 2, .added = 1, .at_once = 1},
                                       none = {.prefix = "", .inputs = 2, .at_once = 1};
    struct view_renderer renderer;
    check_error(view_renderer_create(&w->config, w->store, &options, &renderer), TTT_UNSUPPORTED,
                "weight_norm");
    check_ok(view_renderer_create(&w->config, w->store, &none, &renderer));
    check_error(view_renderer_add(&renderer, &(struct view_block){0}), TTT_ARGUMENT, "no scene");
    view_renderer_destroy(&renderer);
}

static int count_lines(const char *text, char first)
{
    int count = 0;
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        count += *line == first;
    return count;
}

static char *read_text(const char *path)
{
    size_t size;
    uint8_t *bytes = temporary_read(path, &size);
    char *text = check_alloc(size + 1, 1);
    memcpy(text, bytes, size);
    free(bytes);
    return text;
}

static void tables_hold_every_view_and_scene(void **state)
{
    struct world *w = *state;
    struct views_result r;
    char *views = temporary_path(w->folder, "views.csv"), *scenes = temporary_path(w->folder, "scenes.csv"),
         *json = temporary_path(w->folder, "views.json");
    check_ok(views_run(&w->config, w->store, &w->set, &w->options, &r));
    check_ok(views_write_targets(&r, views));
    check_ok(views_write_scenes(&r, scenes));
    check_ok(views_write_json(&r, json));
    char *text = read_text(views);
    assert_int_equal(count_lines(text, '#'), 5);
    assert_int_equal(count_lines(text, '"'), 5); /* scene names are quoted */
    assert_non_null(strstr(text, "\n\"00000\",5,\"005.png\","));
    free(text);
    text = read_text(scenes);
    assert_int_equal(count_lines(text, '"'), SCENES);
    assert_int_equal(count_lines(text, 'a'), 1);
    free(text);
    json_t *root = json_load_file(json, 0, NULL);
    assert_non_null(root);
    const json_t *all = json_object_get(json_object_get(root, "likeness"), "psnr");
    assert_true(fabs(json_real_value(all) - r.likeness.psnr) < 1e-6);
    assert_int_equal(json_array_size(json_object_get(root, "scenes")), SCENES);
    assert_non_null(json_object_get(json_object_get(root, "definitions"), "nearest"));
    json_decref(root);
    check_error(views_write_scenes(&r, w->folder), TTT_IO, w->folder);
    views_result_free(&r);
    free(views);
    free(scenes);
    free(json);
}

static void keep_line(void *context, const char *line)
{
    snprintf(context, 500, "%s", line);
}

/* What is left when a scene is skipped: the other one with its own numbers, and the count. */
static void check_skipped(const struct world *w, uint32_t bad, const char *part)
{
    struct views_options options = w->options;
    struct views_result r;
    char said[500] = "";
    options.report = keep_line;
    options.context = said;
    check_ok(views_run(&w->config, w->store, &w->set, &options, &r));
    if (!strstr(said, part))
        fail_msg("no '%s' in '%s'", part, said);
    assert_int_equal(r.skipped, 1);
    assert_int_equal(r.scene_count, 1);
    assert_int_equal(r.target_count, bad ? 4 : 1);
    assert_ptr_equal(r.scenes[0].scene, &w->set.scenes[1 - bad]);
    for (uint32_t i = 0; i < r.target_count; i++)
        assert_int_equal(r.targets[i].scene, 0);
    assert_true(r.likeness.psnr == r.scenes[0].likeness.psnr);

    char *json = temporary_path(w->folder, "skipped.json"), *csv = temporary_path(w->folder, "skipped.csv");
    check_ok(views_write_json(&r, json));
    check_ok(views_write_scenes(&r, csv));
    json_t *root = json_load_file(json, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "skipped_scenes")), 1);
    char *text = read_text(csv);
    assert_non_null(strstr(text, "\n# skipped: 1 "));
    json_decref(root);
    views_result_free(&r);
    free(text), free(json), free(csv);
}

/* A target of scene 1 and an input of scene 0, so late and early. */
static void a_scene_that_cannot_be_read_is_skipped(void **state)
{
    struct world *w = *state;
    struct scene_view *views[2] = {&w->set.scenes[0].views[2], &w->set.scenes[1].views[0]};
    struct views_result r;
    char *kept[2] = {views[0]->path, views[1]->path};
    for (uint32_t bad = 0; bad < 2; bad++) {
        views[bad]->path = "missing.png";
        check_skipped(w, bad, "missing.png");
        views[bad]->path = kept[bad];
        views[bad]->distortion.k1 = 1e4;
        check_skipped(w, bad, "too strong to be taken out");
        views[bad]->distortion.k1 = 0;
    }
    for (int i = 0; i < 2; i++)
        views[i]->path = "missing.png";
    check_error(views_run(&w->config, w->store, &w->set, &w->options, &r), TTT_IO,
                "none of the 2 scenes can be read; the last: missing.png");
    assert_null(r.targets);
    w->set.count = 1;
    check_error(views_run(&w->config, w->store, &w->set, &w->options, &r), TTT_IO, "missing.png");
    w->set.count = 2;
    for (int i = 0; i < 2; i++)
        views[i]->path = kept[i];
}

/* The memory foreseen is that of a run with the most input views. */
static void memory_is_foreseen(void **state)
{
    const struct world *w = *state;
    const struct view_renderer_options options = {.prefix = "", .inputs = INPUTS, .at_once = 1};
    struct view_renderer renderer;
    ttt_plan_memory memory;
    check_ok(view_renderer_create(&w->config, w->store, &options, &renderer));
    check_ok(views_memory(&w->config, w->store, &w->set, &w->options, &memory));
    assert_int_equal(memory.total, renderer.memory.total);
    assert_int_equal(memory.variables, renderer.memory.variables);
    view_renderer_destroy(&renderer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_the_plain_one),
        cmocka_unit_test(passes_do_not_matter),
        cmocka_unit_test(views_may_come_later),
        cmocka_unit_test(memory_grows_by_tokens_and_pictures),
        cmocka_unit_test(some_models_take_no_later_views),
        cmocka_unit_test(tables_hold_every_view_and_scene),
        cmocka_unit_test(a_scene_that_cannot_be_read_is_skipped),
        cmocka_unit_test(memory_is_foreseen),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
