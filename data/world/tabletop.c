/* Drawing scenes for view synthesis. */
#include "data/world/tabletop.h"

#include <stdbool.h>

#include "data/world/draw.h"

/* Streams of this file; the classification set has 0 and 1 for its two parts. */
enum { STREAM_SCENE = 2, STREAM_CAMERA = 3 };

/* The solids stand within this distance of the origin. */
static const float TABLE = 1.4f;

static struct world_material draw_material(ttt_random *random)
{
    struct world_material material = {.texture = (int)ttt_random_below(random, WORLD_TEXTURE_COUNT)};
    float hue = world_between(random, 0, 1), saturation = world_between(random, 0.45f, 0.85f);
    float value = world_between(random, 0.55f, 0.95f),
          other_value = value * world_between(random, 0.35f, 0.75f);
    material.colours[0] = world_colour(hue, saturation, value);
    hue += world_between(random, -0.2f, 0.2f);
    material.colours[1] = world_colour(hue, saturation * world_between(random, 0.3f, 1), other_value);
    material.scale = world_between(random, 0.9f, 1.8f);
    material.offset = world_anywhere(random);
    /* Highlights move with the camera: a little of that is enough for pictures this small. */
    material.shine = world_between(random, 0, 0.4f);
    return material;
}

static struct world_material draw_ground(ttt_random *random)
{
    static const enum world_texture textures[] = {WORLD_CHECKS, WORLD_NOISE, WORLD_STRIPES, WORLD_MARBLE};
    struct world_material material = {.texture = textures[ttt_random_below(random, 4)]};
    float hue = world_between(random, 0, 1), saturation = world_between(random, 0, 0.35f);
    float value = world_between(random, 0.55f, 0.9f), contrast = world_between(random, 0.12f, 0.3f);
    material.colours[0] = world_colour(hue, saturation, value);
    material.colours[1] = world_colour(hue, saturation, value - contrast);
    material.scale = world_between(random, 0.4f, 0.8f);
    material.offset = world_anywhere(random);
    /* Checks change sides where y is a whole number; the ground is one layer of them. */
    material.offset.y = 0.5f;
    material.shine = world_between(random, 0, 0.1f);
    return material;
}

static void draw_light(ttt_random *random, struct world_scene *scene)
{
    float hue = world_between(random, 0, 1), saturation = world_between(random, 0.05f, 0.3f);
    scene->sky = (struct world_sky){.fade_near = 4, .fade_far = 12};
    scene->sky.horizon = world_colour(hue, 0.5f * saturation, world_between(random, 0.75f, 0.95f));
    scene->sky.zenith = world_colour(hue, saturation, world_between(random, 0.6f, 0.85f));
    float azimuth = world_radians(world_between(random, -180, 180));
    float height = world_radians(world_between(random, 45, 75)), strength = world_between(random, 0.9f, 1.3f);
    scene->light = (struct world_light){
        .direction = vec3(cosf(height) * sinf(azimuth), sinf(height), cosf(height) * cosf(azimuth)),
        .colour = vec3(strength, strength, strength),
        .softness = world_between(random, 0.1f, 0.3f)};
}

/* Whether a solid at this place would come near one that is there. */
static bool is_taken(const struct world_scene *scene, float x, float z, float radius)
{
    for (int i = 0; i < scene->object_count; i++) {
        const struct world_object *other = &scene->objects[i];
        float dx = other->centre.x - x, dz = other->centre.z - z, apart = other->radius + radius;
        if (dx * dx + dz * dz < 0.8f * apart * apart)
            return true;
    }
    return false;
}

/* Adds a solid where there is room; after some tries there is none, and the scene stays as it is. */
static void add_object(ttt_random *random, enum world_solid solid, struct world_scene *scene)
{
    struct world_object object = {.solid = solid, .radius = world_between(random, 0.36f, 0.58f)};
    object.material = draw_material(random);
    world_object_turn(&object, world_radians(world_between(random, -180, 180)), 0, 0);
    for (int tries = 0; tries < 100; tries++) {
        float azimuth = world_radians(world_between(random, -180, 180));
        float distance = (TABLE - object.radius) * sqrtf(world_between(random, 0, 1));
        float x = distance * sinf(azimuth), z = distance * cosf(azimuth);
        if (is_taken(scene, x, z, object.radius))
            continue;
        object.centre = vec3(x, 0, z);
        world_object_drop(&object);
        scene->objects[scene->object_count++] = object;
        return;
    }
}

void world_tabletop(uint64_t seed, uint64_t scene, struct world_scene *out)
{
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_RENDER, scene, STREAM_SCENE);
    uint32_t solids[WORLD_SOLID_COUNT], count = 3 + ttt_random_below(&random, 3);
    *out = (struct world_scene){0};
    out->ground = draw_ground(&random);
    draw_light(&random, out);
    ttt_random_permutation(&random, WORLD_SOLID_COUNT, solids);
    for (uint32_t i = 0; i < count; i++)
        add_object(&random, (enum world_solid)solids[i], out);
}

struct world_camera world_tabletop_camera(uint64_t seed, uint64_t scene, uint32_t view, int width, int height)
{
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_RENDER, (scene << 20) + view, STREAM_CAMERA);
    static const float golden_angle = 137.50776f;
    float azimuth = world_radians(fmodf(golden_angle * (float)view, 360) + world_between(&random, -20, 20));
    float elevation = world_radians(world_between(&random, 18, 55)),
          distance = world_between(&random, 3.6f, 4.2f);
    float x = world_between(&random, -0.1f, 0.1f), y = world_between(&random, 0.25f, 0.45f);
    struct vec3 target = vec3(x, y, world_between(&random, -0.1f, 0.1f));
    struct vec3 back =
        vec3(cosf(elevation) * sinf(azimuth), sinf(elevation), cosf(elevation) * cosf(azimuth));
    return world_camera_look_at(vec3_along(target, back, distance), target, world_radians(40), width, height);
}
