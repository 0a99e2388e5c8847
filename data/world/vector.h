/* Vectors of three floats, for points, directions and linear RGB colours. */
#ifndef DATA_WORLD_VECTOR_H
#define DATA_WORLD_VECTOR_H

#include <math.h>

struct vec3 {
    float x, y, z;
};

static inline struct vec3 vec3(float x, float y, float z)
{
    return (struct vec3){x, y, z};
}

static inline struct vec3 vec3_add(struct vec3 a, struct vec3 b)
{
    return vec3(a.x + b.x, a.y + b.y, a.z + b.z);
}

static inline struct vec3 vec3_subtract(struct vec3 a, struct vec3 b)
{
    return vec3(a.x - b.x, a.y - b.y, a.z - b.z);
}

static inline struct vec3 vec3_scale(struct vec3 a, float s)
{
    return vec3(a.x * s, a.y * s, a.z * s);
}

/* Elementwise product: light times surface colour. */
static inline struct vec3 vec3_multiply(struct vec3 a, struct vec3 b)
{
    return vec3(a.x * b.x, a.y * b.y, a.z * b.z);
}

/* The point origin + t * direction of a ray. */
static inline struct vec3 vec3_along(struct vec3 origin, struct vec3 direction, float t)
{
    return vec3_add(origin, vec3_scale(direction, t));
}

static inline float vec3_dot(struct vec3 a, struct vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline struct vec3 vec3_cross(struct vec3 a, struct vec3 b)
{
    return vec3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

static inline float vec3_length(struct vec3 a)
{
    return sqrtf(vec3_dot(a, a));
}

static inline struct vec3 vec3_normalise(struct vec3 a)
{
    return vec3_scale(a, 1 / vec3_length(a));
}

/* a where t = 0, b where t = 1. */
static inline struct vec3 vec3_mix(struct vec3 a, struct vec3 b, float t)
{
    return vec3_add(a, vec3_scale(vec3_subtract(b, a), t));
}

/* fminf and fmaxf, which must heed NaN, are calls into the library. */
static inline float smaller(float a, float b)
{
    return a < b ? a : b;
}

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

static inline float clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* 0 below `low`, 1 above `high`, smooth between. */
static inline float smoothstep(float low, float high, float x)
{
    float t = clamp01((x - low) / (high - low));
    return t * t * (3 - 2 * t);
}

#endif
