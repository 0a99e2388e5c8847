/* The embedded world: honest distances, true cameras, and scenes that show their solid. */
#include "tests/support/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/world/render.h"
#include "data/world/still.h"
#include "ttt/base/random.h"

static struct vec3 random_point(ttt_random *random, float half)
{
    float x = half * (2 * ttt_random_uniform_f32(random) - 1);
    float y = half * (2 * ttt_random_uniform_f32(random) - 1);
    return vec3(x, y, half * (2 * ttt_random_uniform_f32(random) - 1));
}

static void solids_have_distinct_names(void **state)
{
    (void)state;
    assert_true(WORLD_SOLID_COUNT >= 16);
    for (int i = 0; i < WORLD_SOLID_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(world_solid_name((enum world_solid)i),
                                    world_solid_name((enum world_solid)k));
}

/* A distance that changes faster than the point moves overestimates somewhere: a ray could pass through. */
static void distances_never_change_faster_than_the_point(void **state)
{
    (void)state;
    for (int i = 0; i < WORLD_SOLID_COUNT; i++) {
        enum world_solid solid = (enum world_solid)i;
        ttt_random random = ttt_random_start(1, TTT_RANDOM_TEST, (uint64_t)i, 0);
        for (int k = 0; k < 20000; k++) {
            struct vec3 p = random_point(&random, 1.5f);
            struct vec3 q = vec3_add(p, random_point(&random, k % 2 ? 0.05f : 1));
            float change = fabsf(world_solid_distance(solid, p) - world_solid_distance(solid, q));
            assert_true(change <= vec3_length(vec3_subtract(p, q)) * 1.001f + 1e-5f);
        }
    }
}

static void solids_fill_their_unit_sphere(void **state)
{
    (void)state;
    for (int i = 0; i < WORLD_SOLID_COUNT; i++) {
        ttt_random random = ttt_random_start(2, TTT_RANDOM_TEST, (uint64_t)i, 0);
        float furthest = 0;
        for (int k = 0; k < 200000; k++) {
            struct vec3 p = random_point(&random, 1.2f);
            if (world_solid_distance((enum world_solid)i, p) < 0)
                furthest = fmaxf(furthest, vec3_length(p));
        }
        assert_true(furthest > 0.75f);
        assert_true(furthest <= 1.01f);
    }
}

static void dropped_objects_touch_the_ground(void **state)
{
    (void)state;
    for (int i = 0; i < WORLD_SOLID_COUNT; i++) {
        ttt_random random = ttt_random_start(3, TTT_RANDOM_TEST, (uint64_t)i, 0);
        struct world_object object = {.solid = (enum world_solid)i, .centre = {2, 5, -1}, .radius = 0.7f};
        world_object_turn(&object, 1 + 0.3f * (float)i, 0.2f * (float)i, 0.1f * (float)i);
        world_object_drop(&object);
        float lowest = 1e9f;
        for (int k = 0; k < 200000; k++) {
            struct vec3 p = vec3_add(object.centre, random_point(&random, object.radius));
            if (world_object_distance(&object, p) < 0)
                lowest = fminf(lowest, p.y);
        }
        assert_true(lowest > -0.03f);
        assert_true(lowest < 0.06f);
    }
}

static void cameras_use_opencv_axes(void **state)
{
    (void)state;
    struct vec3 position = vec3(3, 2, -1), target = vec3(0.5f, 0.25f, 0);
    struct world_camera camera = world_camera_look_at(position, target, 0.7f, 40, 30);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            assert_float_equal(vec3_dot(camera.axes[i], camera.axes[k]), i == k, 1e-6);
    struct vec3 z = vec3_cross(camera.axes[0], camera.axes[1]);
    assert_float_equal(vec3_dot(z, camera.axes[2]), 1, 1e-6);
    assert_true(camera.axes[1].y < 0);
    assert_float_equal(camera.axes[0].y, 0, 1e-6);

    struct vec3 centre = world_camera_ray(&camera, 20, 15);
    struct vec3 to_target = vec3_normalise(vec3_subtract(target, position));
    assert_float_equal(vec3_dot(centre, to_target), 1, 1e-6);
    struct vec3 top = world_camera_ray(&camera, 20, 0), bottom = world_camera_ray(&camera, 20, 30);
    assert_float_equal(acosf(vec3_dot(top, bottom)), 0.7, 1e-4);
    assert_true(top.y > bottom.y);
}

/* One matt white ball of radius 0.84 on white ground. */
static struct world_scene ball_scene(void)
{
    struct world_material white = {.colours = {{0.8f, 0.8f, 0.8f}, {0.8f, 0.8f, 0.8f}}, .scale = 1};
    struct world_scene scene = {.object_count = 1,
                                .ground = white,
                                .light = {vec3_normalise(vec3(0.1f, 1, 0)), {1, 1, 1}, 0.1f},
                                .sky = {{0.5f, 0.5f, 0.5f}, {0.4f, 0.4f, 0.4f}, 50, 60}};
    scene.objects[0] = (struct world_object){.solid = WORLD_SPHERE, .radius = 1, .material = white};
    world_object_turn(&scene.objects[0], 0, 0, 0);
    world_object_drop(&scene.objects[0]);
    return scene;
}

static void rays_end_where_the_surface_is(void **state)
{
    (void)state;
    struct world_scene scene = ball_scene();
    int object;
    assert_float_equal(scene.objects[0].centre.y, 0.84, 2e-3);
    struct vec3 centre = scene.objects[0].centre;
    float t = world_trace(&scene, vec3_add(centre, vec3(0, 0, 5)), vec3(0, 0, -1), &object);
    assert_int_equal(object, 0);
    assert_float_equal(t, 5 - 0.84, 2e-3);
    t = world_trace(&scene, vec3(4, 3, 0), vec3(0, -1, 0), &object);
    assert_int_equal(object, -1);
    assert_float_equal(t, 3, 1e-5);
    assert_true(isinf(world_trace(&scene, vec3(4, 3, 0), vec3(0, 1, 0), &object)));
}

static void objects_cast_shadows(void **state)
{
    (void)state;
    struct world_scene scene = ball_scene();
    struct world_camera camera = world_camera_look_at(vec3(0, 6, 6), vec3(0, 0, 0), 0.9f, 64, 64);
    uint8_t with[64 * 64 * 3], without[64 * 64 * 3];
    /* The sun stands to the left: the shadow falls to the right of the ball. */
    scene.light.direction = vec3_normalise(vec3(-1, 1, 0));
    world_render(&scene, &camera, 1, 64, 64, with);
    scene.object_count = 0;
    world_render(&scene, &camera, 1, 64, 64, without);
    int darker = 0;
    for (int x = 40; x < 64; x++)
        darker += with[(32 * 64 + x) * 3] + 40 < without[(32 * 64 + x) * 3];
    assert_true(darker >= 3);
    assert_int_equal(with[(60 * 64 + 2) * 3], without[(60 * 64 + 2) * 3]);
}

/* Share of the picture that the solid covers. */
static float coverage(const struct world_scene *scene, const struct world_camera *camera, int size)
{
    int hits = 0, object;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            struct vec3 ray = world_camera_ray(camera, (float)x + 0.5f, (float)y + 0.5f);
            world_trace(scene, camera->position, ray, &object);
            hits += object == 0;
        }
    return (float)hits / (float)(size * size);
}

static void stills_show_their_solid(void **state)
{
    (void)state;
    for (int i = 0; i < WORLD_SOLID_COUNT; i++)
        for (uint64_t picture = 0; picture < 12; picture++) {
            struct world_scene scene;
            struct world_camera camera;
            world_still(7, 0, picture, (enum world_solid)i, 32, &scene, &camera);
            float covered = coverage(&scene, &camera, 32);
            assert_true(covered > 0.08f);
            assert_true(covered < 0.75f);
        }
}

static void draw(uint64_t seed, uint32_t part, uint64_t picture, enum world_solid solid, uint8_t *pixels)
{
    struct world_scene scene;
    struct world_camera camera;
    world_still(seed, part, picture, solid, 24, &scene, &camera);
    world_render(&scene, &camera, 2, 24, 24, pixels);
}

static void stills_are_functions_of_their_numbers(void **state)
{
    (void)state;
    enum { BYTES = 24 * 24 * 3 };
    uint8_t first[BYTES], other[BYTES];
    draw(5, 0, 3, WORLD_TORUS, first);
    draw(5, 0, 3, WORLD_TORUS, other);
    assert_memory_equal(first, other, BYTES);
    draw(6, 0, 3, WORLD_TORUS, other);
    assert_memory_not_equal(first, other, BYTES);
    draw(5, 1, 3, WORLD_TORUS, other);
    assert_memory_not_equal(first, other, BYTES);
    draw(5, 0, 4, WORLD_TORUS, other);
    assert_memory_not_equal(first, other, BYTES);
    draw(5, 0, 3, WORLD_LINK, other);
    assert_memory_not_equal(first, other, BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solids_have_distinct_names),
        cmocka_unit_test(distances_never_change_faster_than_the_point),
        cmocka_unit_test(solids_fill_their_unit_sphere),
        cmocka_unit_test(dropped_objects_touch_the_ground),
        cmocka_unit_test(cameras_use_opencv_axes),
        cmocka_unit_test(rays_end_where_the_surface_is),
        cmocka_unit_test(objects_cast_shadows),
        cmocka_unit_test(stills_show_their_solid),
        cmocka_unit_test(stills_are_functions_of_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
