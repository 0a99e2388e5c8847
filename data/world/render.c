/* Sphere tracing and shading.  Hart, "Sphere tracing", The Visual Computer, 1996. */
#include "data/world/render.h"

#include <stdbool.h>
#include <stddef.h>

/* Steps after which a grazing ray is taken to have hit; solids are smooth enough for far fewer. */
enum { STEPS_MAX = 96 };

/* A surface is met at this share of the object's radius: far below a pixel. */
static const float HIT = 5e-4f;

/* Part of a ray inside an object's bounding sphere, widened by `margin` radii; false where it misses. */
static bool bounds(const struct world_object *object, struct vec3 origin, struct vec3 direction, float margin,
                   float *near, float *far)
{
    struct vec3 to_centre = vec3_subtract(object->centre, origin);
    float closest = vec3_dot(to_centre, direction), radius = object->radius * (1.01f + margin);
    float square = radius * radius - (vec3_dot(to_centre, to_centre) - closest * closest);
    if (square <= 0)
        return false;
    *near = larger(closest - sqrtf(square), 0);
    *far = closest + sqrtf(square);
    return *far > 0;
}

/* Distance to an object's surface, or INFINITY. */
static float trace_object(const struct world_object *object, struct vec3 origin, struct vec3 direction)
{
    float t, far;
    if (!bounds(object, origin, direction, 0, &t, &far))
        return INFINITY;
    for (int step = 0; step < STEPS_MAX; step++) {
        float distance = world_object_distance(object, vec3_along(origin, direction, t));
        if (distance < HIT * object->radius)
            return t;
        t += distance;
        if (t > far)
            return INFINITY;
    }
    return t;
}

float world_trace(const struct world_scene *scene, struct vec3 origin, struct vec3 direction, int *object)
{
    float nearest = direction.y < -1e-6f && origin.y > 0 ? -origin.y / direction.y : INFINITY;
    *object = -1;
    for (int i = 0; i < scene->object_count; i++) {
        float t = trace_object(&scene->objects[i], origin, direction);
        if (t < nearest) {
            nearest = t;
            *object = i;
        }
    }
    return nearest;
}

/* Share of the sun that one object lets through to p, 0 .. 1. */
static float light_past(const struct world_object *object, const struct world_light *light, struct vec3 p)
{
    float t, far, share = 1;
    if (!bounds(object, p, light->direction, 0.5f, &t, &far))
        return 1;
    for (int step = 0; step < STEPS_MAX && t < far; step++) {
        float distance = world_object_distance(object, vec3_along(p, light->direction, t));
        if (distance < HIT * object->radius)
            return 0;
        share = smaller(share, distance / (light->softness * larger(t, 1e-3f)));
        t += larger(distance, 0.02f * object->radius);
    }
    return smoothstep(0, 1, share);
}

static float sunlight(const struct world_scene *scene, struct vec3 p)
{
    float share = 1;
    for (int i = 0; i < scene->object_count && share > 0; i++)
        share = smaller(share, light_past(&scene->objects[i], &scene->light, p));
    return share;
}

/* How much of the sky is open above p: distances along the normal, against those of a free surface. */
static float openness(const struct world_scene *scene, struct vec3 p, struct vec3 normal)
{
    float hidden = 0, weight = 0.55f;
    for (float step = 0.12f; step < 0.6f; step *= 2) {
        struct vec3 q = vec3_along(p, normal, step);
        float distance = q.y;
        for (int i = 0; i < scene->object_count; i++) {
            const struct world_object *object = &scene->objects[i];
            float reach = step + object->radius;
            struct vec3 between = vec3_subtract(q, object->centre);
            if (vec3_dot(between, between) < reach * reach)
                distance = smaller(distance, world_object_distance(object, q));
        }
        hidden += weight * clamp01(1 - distance / step);
        weight *= 0.6f;
    }
    return clamp01(1 - hidden);
}

static struct vec3 surface_normal(const struct world_object *object, struct vec3 p)
{
    const float e = 1e-3f * object->radius;
    static const struct vec3 corners[4] = {{1, -1, -1}, {-1, -1, 1}, {-1, 1, -1}, {1, 1, 1}};
    struct vec3 gradient = vec3(0, 0, 0);
    for (int i = 0; i < 4; i++) {
        float distance = world_object_distance(object, vec3_along(p, corners[i], e));
        gradient = vec3_add(gradient, vec3_scale(corners[i], distance));
    }
    float length = vec3_length(gradient);
    return length > 0 ? vec3_scale(gradient, 1 / length) : vec3(0, 1, 0);
}

static struct vec3 sky_colour(const struct world_sky *sky, struct vec3 direction)
{
    return vec3_mix(sky->horizon, sky->zenith, smoothstep(0, 0.9f, direction.y));
}

/* x^40, the width of a highlight. */
static float power40(float x)
{
    float x2 = x * x, x8 = x2 * x2 * x2 * x2, x16 = x8 * x8;
    return x16 * x16 * x8;
}

/* Light that a surface of this colour sends back along the ray. */
static struct vec3 shade(const struct world_scene *scene, struct vec3 p, struct vec3 normal,
                         struct vec3 direction, struct vec3 colour, float shine)
{
    const struct world_light *light = &scene->light;
    float facing = vec3_dot(normal, light->direction);
    struct vec3 start = vec3_along(p, normal, 4e-3f);
    float sun = facing > 0 ? sunlight(scene, start) : 0;
    float open = openness(scene, p, normal);

    struct vec3 bounce = vec3_multiply(scene->ground.colours[0], vec3(0.5f, 0.5f, 0.5f));
    struct vec3 ambient = vec3_mix(bounce, scene->sky.zenith, 0.5f + 0.5f * normal.y);
    struct vec3 arriving =
        vec3_add(vec3_scale(light->colour, larger(facing, 0) * sun), vec3_scale(ambient, 0.7f * open));
    struct vec3 result = vec3_multiply(colour, arriving);

    struct vec3 half = vec3_normalise(vec3_subtract(light->direction, direction));
    float highlight = power40(larger(vec3_dot(normal, half), 0)) * sun * shine;
    float grazing = clamp01(1 + vec3_dot(normal, direction));
    float mirror = shine * open * (0.05f + 0.5f * grazing * grazing * grazing * grazing);
    result = vec3_add(result, vec3_scale(light->colour, 0.5f * highlight));
    struct vec3 reflected = vec3_along(direction, normal, -2 * vec3_dot(normal, direction));
    return vec3_mix(result, sky_colour(&scene->sky, reflected), mirror);
}

static struct vec3 ray_colour(const struct world_scene *scene, struct vec3 origin, struct vec3 direction)
{
    int hit;
    float t = world_trace(scene, origin, direction, &hit);
    struct vec3 background = sky_colour(&scene->sky, direction);
    if (isinf(t))
        return background;
    struct vec3 p = vec3_along(origin, direction, t);
    if (hit >= 0) {
        const struct world_object *object = &scene->objects[hit];
        struct vec3 colour = world_texture_colour(&object->material, world_object_local(object, p));
        return shade(scene, p, surface_normal(object, p), direction, colour, object->material.shine);
    }
    float fade = smoothstep(scene->sky.fade_near, scene->sky.fade_far, vec3_length(p));
    if (fade >= 1)
        return scene->sky.horizon;
    p.y = 0;
    struct vec3 colour = world_texture_colour(&scene->ground, p);
    struct vec3 ground = shade(scene, p, vec3(0, 1, 0), direction, colour, scene->ground.shine);
    return vec3_mix(ground, scene->sky.horizon, fade);
}

/* Linear light to 8-bit sRGB; a soft shoulder keeps highlights from clipping. */
static uint8_t encode(float linear)
{
    float x = linear < 0.6f ? linear : 1 - 0.4f * expf((0.6f - linear) / 0.4f);
    float s = x <= 0.0031308f ? 12.92f * x : 1.055f * powf(x, 1 / 2.4f) - 0.055f;
    return (uint8_t)(255 * clamp01(s) + 0.5f);
}

void world_render(const struct world_scene *scene, const struct world_camera *camera, int samples, int width,
                  int height, uint8_t *pixels)
{
    const float step = 1.0f / (float)samples, share = step * step;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            struct vec3 sum = vec3(0, 0, 0);
            for (int i = 0; i < samples * samples; i++) {
                float u = (float)x + ((float)(i % samples) + 0.5f) * step;
                float v = (float)y + ((float)(i / samples) + 0.5f) * step;
                struct vec3 direction = world_camera_ray(camera, u, v);
                sum = vec3_add(sum, ray_colour(scene, camera->position, direction));
            }
            uint8_t *pixel = pixels + 3 * ((size_t)y * (size_t)width + (size_t)x);
            pixel[0] = encode(sum.x * share);
            pixel[1] = encode(sum.y * share);
            pixel[2] = encode(sum.z * share);
        }
}
