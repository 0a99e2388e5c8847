/* Drawing the scenes of the classification set. */
#include "data/world/still.h"

#include "data/world/draw.h"

/* What makes the set easy or hard; angles in degrees.  With these numbers a ViT^3 of width 96, depth 4 and
 * patch 8 learns the default set (2,000 pictures of 64 pixels) to 94-96% top-1 in 20 epochs of batches of 32
 * with AdamW at 0.002 to 0.003, crops of 0.5-1 of the area. */
static const struct {
    float elevation_low, elevation_high; /* of the camera over the horizon */
    float filling_low, filling_high;     /* diameter of the solid's bounding sphere / side of the picture */
    float off_centre;                    /* largest shift of the solid, as a share of the side */
    float view_low, view_high;           /* the camera's angle of view */
    float sun_low, sun_high, sun_aside;  /* height of the sun; how far it may stand from behind the camera */
    float solid_value_low, solid_contrast; /* darkest solid; difference in value of its two colours */
    float ground_saturation, ground_contrast;
} difficulty = {
    .elevation_low = 18,
    .elevation_high = 45,
    .filling_low = 0.8f,
    .filling_high = 0.98f,
    .off_centre = 0.05f,
    .view_low = 25,
    .view_high = 45,
    .sun_low = 30,
    .sun_high = 65,
    .sun_aside = 70,
    .solid_value_low = 0.6f,
    .solid_contrast = 0.28f,
    .ground_saturation = 0.3f,
    .ground_contrast = 0.08f,
};

static struct world_material draw_solid_material(ttt_random *random)
{
    struct world_material material = {.texture = (int)ttt_random_below(random, WORLD_TEXTURE_COUNT)};
    float hue = world_between(random, 0, 1), saturation = world_between(random, 0.35f, 0.8f);
    float value = world_between(random, difficulty.solid_value_low, 0.95f);
    material.colours[0] = world_colour(hue, saturation, value);
    float other_value = larger(value - world_between(random, 0.3f, 1) * difficulty.solid_contrast, 0.1f);
    hue += world_between(random, -0.12f, 0.12f);
    material.colours[1] = world_colour(hue, saturation * world_between(random, 0.3f, 1), other_value);
    material.scale = world_between(random, 1.2f, 2.6f);
    material.offset = world_anywhere(random);
    material.shine = world_between(random, 0, 0.9f);
    return material;
}

static struct world_material draw_ground(ttt_random *random)
{
    static const enum world_texture textures[] = {WORLD_PLAIN, WORLD_CHECKS, WORLD_NOISE, WORLD_STRIPES,
                                                  WORLD_MARBLE};
    struct world_material material = {.texture = textures[ttt_random_below(random, 5)]};
    float hue = world_between(random, 0, 1),
          saturation = world_between(random, 0, difficulty.ground_saturation);
    float value = world_between(random, 0.5f, 0.85f);
    material.colours[0] = world_colour(hue, saturation, value);
    material.colours[1] = world_colour(hue, saturation, value - difficulty.ground_contrast);
    material.scale = world_between(random, 0.5f, 1.2f);
    material.offset = world_anywhere(random);
    /* Checks change sides where y is a whole number; the ground is one layer of them. */
    material.offset.y = 0.5f;
    material.shine = world_between(random, 0, 0.15f);
    return material;
}

static struct world_sky draw_sky(ttt_random *random)
{
    float hue = world_between(random, 0, 1), saturation = world_between(random, 0.05f, 0.3f);
    struct world_sky sky = {.fade_near = 3, .fade_far = 9};
    sky.horizon = world_colour(hue, 0.5f * saturation, world_between(random, 0.75f, 0.95f));
    sky.zenith = world_colour(hue, saturation, world_between(random, 0.6f, 0.85f));
    return sky;
}

/* The sun stands behind or beside the camera, so that the sides in view are lit. */
static struct world_light draw_light(ttt_random *random, float camera_azimuth)
{
    float azimuth =
        camera_azimuth + world_radians(world_between(random, -difficulty.sun_aside, difficulty.sun_aside));
    float height = world_radians(world_between(random, difficulty.sun_low, difficulty.sun_high));
    float strength = world_between(random, 0.9f, 1.3f), warmth = world_between(random, 0, 0.15f);
    return (struct world_light){
        .direction = vec3(cosf(height) * sinf(azimuth), sinf(height), cosf(height) * cosf(azimuth)),
        .colour = vec3(strength, strength * (1 - 0.5f * warmth), strength * (1 - warmth)),
        .softness = world_between(random, 0.08f, 0.3f)};
}

static struct world_object draw_object(ttt_random *random, enum world_solid solid, float camera_azimuth)
{
    struct world_object object = {.solid = solid, .radius = 1, .material = draw_solid_material(random)};
    struct world_pose pose = world_solid_pose(solid);
    float yaw = camera_azimuth + world_radians(world_between(random, -pose.yaw, pose.yaw));
    float tilt = world_radians(world_between(random, pose.tilt_low, pose.tilt_high));
    world_object_turn(&object, yaw, tilt, 0);
    world_object_drop(&object);
    return object;
}

void world_still(uint64_t seed, uint32_t part, uint64_t picture, enum world_solid solid, int size,
                 struct world_scene *scene, struct world_camera *camera)
{
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_RENDER, picture, part);
    float azimuth = world_radians(world_between(&random, -180, 180));
    *scene = (struct world_scene){.object_count = 1};
    scene->objects[0] = draw_object(&random, solid, azimuth);
    scene->ground = draw_ground(&random);
    scene->sky = draw_sky(&random);
    scene->light = draw_light(&random, azimuth);

    float elevation =
        world_radians(world_between(&random, difficulty.elevation_low, difficulty.elevation_high));
    float view = world_radians(world_between(&random, difficulty.view_low, difficulty.view_high));
    float filling = world_between(&random, difficulty.filling_low, difficulty.filling_high);
    float distance = 1 / (filling * tanf(0.5f * view));
    struct vec3 back =
        vec3(cosf(elevation) * sinf(azimuth), sinf(elevation), cosf(elevation) * cosf(azimuth));
    struct vec3 target = scene->objects[0].centre;
    *camera = world_camera_look_at(vec3_along(target, back, distance), target, view, size, size);
    camera->cx += (float)size * world_between(&random, -difficulty.off_centre, difficulty.off_centre);
    camera->cy += (float)size * world_between(&random, -difficulty.off_centre, difficulty.off_centre);
}
