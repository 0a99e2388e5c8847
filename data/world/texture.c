/* Procedural textures, after Perlin, "An image synthesizer", SIGGRAPH 1985. */
#include "data/world/texture.h"

#include <stdint.h>

#define TWO_PI 6.2831853f

/* A number in 0 .. 1 for every lattice point. */
static float lattice(int32_t x, int32_t y, int32_t z)
{
    uint32_t h = (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u ^ (uint32_t)z * 0xcb1ab31fu;
    h = (h ^ h >> 16) * 0x7feb352du;
    h = (h ^ h >> 15) * 0x846ca68bu;
    return (float)((h ^ h >> 16) >> 8) * 0x1p-24f;
}

static float mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

/* Lattice values, smoothly interpolated; 0 .. 1. */
static float value_noise(struct vec3 p)
{
    float fx = floorf(p.x), fy = floorf(p.y), fz = floorf(p.z);
    int32_t x = (int32_t)fx, y = (int32_t)fy, z = (int32_t)fz;
    float u = smoothstep(0, 1, p.x - fx), v = smoothstep(0, 1, p.y - fy), w = smoothstep(0, 1, p.z - fz);
    float near = mix(mix(lattice(x, y, z), lattice(x + 1, y, z), u),
                     mix(lattice(x, y + 1, z), lattice(x + 1, y + 1, z), u), v);
    float far = mix(mix(lattice(x, y, z + 1), lattice(x + 1, y, z + 1), u),
                    mix(lattice(x, y + 1, z + 1), lattice(x + 1, y + 1, z + 1), u), v);
    return mix(near, far, w);
}

/* Three octaves of noise; 0 .. 1. */
static float fractal_noise(struct vec3 p)
{
    float sum = 0, weight = 4.0f / 7;
    for (int octave = 0; octave < 3; octave++) {
        sum += weight * value_noise(p);
        weight *= 0.5f;
        p = vec3_add(vec3_scale(p, 2), vec3(3.7f, 1.9f, 7.3f));
    }
    return sum;
}

/* A wave of period 1 in x that is nearly square; 0 .. 1. */
static float band(float x)
{
    return smoothstep(-0.25f, 0.25f, sinf(TWO_PI * x));
}

static float checks(struct vec3 p)
{
    float product = sinf(TWO_PI * p.x) * sinf(TWO_PI * p.y) * sinf(TWO_PI * p.z);
    return smoothstep(-0.04f, 0.04f, product);
}

/* Balls on a cubic lattice. */
static float dots(struct vec3 p)
{
    struct vec3 cell = vec3(p.x - floorf(p.x) - 0.5f, p.y - floorf(p.y) - 0.5f, p.z - floorf(p.z) - 0.5f);
    return 1 - smoothstep(0.30f, 0.38f, vec3_length(cell));
}

/* Where between its two colours the texture lies at p; 0 .. 1. */
static float weight(enum world_texture texture, struct vec3 p)
{
    switch (texture) {
    case WORLD_STRIPES:
        return band(0.6f * p.x + 0.8f * p.y);
    case WORLD_CHECKS:
        return checks(vec3_scale(p, 0.5f));
    case WORLD_DOTS:
        return dots(p);
    case WORLD_NOISE:
        return smoothstep(0.35f, 0.65f, fractal_noise(vec3_scale(p, 1.5f)));
    case WORLD_MARBLE:
        return 0.5f + 0.5f * sinf(TWO_PI * (0.7f * p.x + 0.5f * p.y + 1.6f * fractal_noise(p)));
    case WORLD_WOOD:
        return 0.5f + 0.5f * sinf(TWO_PI * (1.5f * sqrtf(p.x * p.x + p.z * p.z) + 0.5f * value_noise(p)));
    default:
        return 0;
    }
}

struct vec3 world_texture_colour(const struct world_material *material, struct vec3 p)
{
    struct vec3 q = vec3_add(vec3_scale(p, material->scale), material->offset);
    return vec3_mix(material->colours[0], material->colours[1], weight(material->texture, q));
}
