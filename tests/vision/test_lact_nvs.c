/* LaCT-NVS scenes whose views come in two portions: added where the variant's algebra allows it, refused
 * elsewhere. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/base/random.h"
#include "ttt/graph/plan.h"
#include "vision/lact_nvs.h"

enum { VIEWS = 4, SIDE = 16, PIXELS = 3 * SIDE * SIDE };

struct cameras {
    float fxfycxcy[VIEWS][4], c2w[VIEWS][16], images[VIEWS][PIXELS];
};

static struct lact_nvs_config small_config(void)
{
    struct lact_nvs_config config;
    check_ok(lact_nvs_config_named("lact_nvs_nano", &config));
    config.image_height = config.image_width = SIDE;
    config.width = 32;
    config.head_dim = 16;
    config.fast_head_dim = 16;
    config.depth = 1;
    config.num_input_views = VIEWS;
    return config;
}

static struct cameras random_cameras(void)
{
    struct cameras cameras = {0};
    ttt_random random = ttt_random_start(1, TTT_RANDOM_TEST, 0, 0);
    for (int v = 0; v < VIEWS; v++) {
        const float intrinsics[4] = {SIDE, SIDE, SIDE / 2.0f, SIDE / 2.0f};
        memcpy(cameras.fxfycxcy[v], intrinsics, sizeof intrinsics);
        for (int i = 0; i < 4; i++)
            cameras.c2w[v][5 * i] = 1;
        for (int i = 0; i < 3; i++)
            cameras.c2w[v][4 * i + 3] = (float)ttt_random_normal(&random);
        for (int i = 0; i < PIXELS; i++)
            cameras.images[v][i] = ttt_random_uniform_f32(&random);
    }
    return cameras;
}

/* A graph that reconstructs from `count` views; its inputs are "k", "c2w" and "images". */
static ttt_graph *reconstruction(const struct lact_nvs_config *config, int count, bool add)
{
    ttt_graph *g;
    check_ok(ttt_graph_create(&g));
    struct lact_nvs_views views = {
        .fxfycxcy = ttt_input(g, "k", TTT_F32, ttt_dims(1, count, 4)),
        .c2w = ttt_input(g, "c2w", TTT_F32, ttt_dims(1, count, 4, 4)),
        .images = ttt_input(g, "images", TTT_F32, ttt_dims(1, count, 3, SIDE, SIDE)),
    };
    lact_nvs_reconstruct(g, config, "", &views, 0, add);
    return g;
}

static void reconstruct(const struct lact_nvs_config *config, ttt_store *store, const struct cameras *cameras,
                        int first, int count, bool add)
{
    ttt_graph *g = reconstruction(config, count, add);
    ttt_plan *plan;
    check_ok(ttt_plan_create(g, store, NULL, &plan));
    check_ok(ttt_plan_prepare(plan));
    check_ok(ttt_plan_write(plan, "k", cameras->fxfycxcy[first]));
    check_ok(ttt_plan_write(plan, "c2w", cameras->c2w[first]));
    check_ok(ttt_plan_write(plan, "images", cameras->images[first]));
    check_ok(ttt_plan_run(plan));
    ttt_plan_destroy(plan);
    ttt_graph_destroy(g);
}

static void initialise(const struct lact_nvs_config *config, ttt_store *store)
{
    struct parameter *parameters;
    int count;
    check_ok(lact_nvs_parameters(config, &parameters, &count));
    check_ok(parameters_initialise(parameters, count, store, 3));
    free(parameters);
}

/* All states of `store`, compared with those of `other`, are alike but for rounding, and none is zero. */
static void check_same_state(ttt_store *store, ttt_store *other)
{
    int compared = 0;
    for (int i = 0; i < ttt_store_count(store); i++) {
        const ttt_stored *a = ttt_store_at(store, i);
        if (strncmp(a->name, "state.", 6))
            continue;
        const float *x = a->data, *y = ttt_store_find(other, a->name)->data;
        double difference = 0, size = 0;
        for (int64_t k = 0; k < ttt_shape_elements(a->shape); k++) {
            difference += pow((double)x[k] - (double)y[k], 2);
            size += pow((double)x[k], 2);
        }
        assert_true(size > 0);
        assert_true(sqrt(difference / size) < 1e-6);
        compared++;
    }
    assert_true(compared > 0);
}

static void compare_portions(struct lact_nvs_config config)
{
    const struct cameras cameras = random_cameras();
    ttt_device *device;
    ttt_store *whole, *portions;
    check_ok(ttt_device_open("cpu", 1, &device));
    check_ok(ttt_store_create(device, &whole));
    check_ok(ttt_store_create(device, &portions));
    initialise(&config, whole);
    initialise(&config, portions);

    reconstruct(&config, whole, &cameras, 0, VIEWS, false);
    reconstruct(&config, portions, &cameras, 0, VIEWS - 1, false);
    reconstruct(&config, portions, &cameras, VIEWS - 1, 1, true);
    check_same_state(whole, portions);

    ttt_store_destroy(whole);
    ttt_store_destroy(portions);
    ttt_device_close(device);
}

static void a_view_is_added_to_a_plain_sum(void **state)
{
    (void)state;
    struct lact_nvs_config config = small_config();
    check_ok(ttt_variant_named("variant6", &config.variant));
    compare_portions(config);
}

static void a_view_is_added_behind_fixed_features(void **state)
{
    (void)state;
    struct lact_nvs_config config = small_config();
    check_ok(ttt_variant_named("variant2", &config.variant));
    config.variant.condition_gradient = false;
    compare_portions(config);
}

static void check_refused(const struct lact_nvs_config *config, const char *because)
{
    ttt_graph *g = reconstruction(config, 1, true);
    ttt_status status = ttt_graph_status(g);
    assert_non_null(status);
    assert_int_equal(ttt_status_code(status), TTT_UNSUPPORTED);
    assert_non_null(strstr(ttt_status_text(status), because));
    ttt_status_free(status);
    ttt_graph_destroy(g);
}

static void elsewhere_the_reason_is_named(void **state)
{
    (void)state;
    struct lact_nvs_config config = small_config();
    check_refused(&config, "weight_norm");
    config.variant.weight_norm = false;
    check_refused(&config, "condition_gradient");
    config.variant.condition_gradient = false;
    check_refused(&config, "update: all");
    config.variant.update = TTT_UPDATE_LAST;
    config.variant.loss = TTT_LOSS_MSE;
    check_refused(&config, "loss: mse");
    config.variant.loss = TTT_LOSS_DOT;
    config.variant.inner_steps = 2;
    check_refused(&config, "inner_steps");
    config.variant.inner_steps = 1;
    config.depth = 2;
    check_refused(&config, "depth");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_added_to_a_plain_sum),
        cmocka_unit_test(a_view_is_added_behind_fixed_features),
        cmocka_unit_test(elsewhere_the_reason_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
