/* Procedural solid textures: a colour for every point in space. */
#ifndef DATA_WORLD_TEXTURE_H
#define DATA_WORLD_TEXTURE_H

#include "data/world/vector.h"

enum world_texture {
    WORLD_PLAIN,
    WORLD_STRIPES,
    WORLD_CHECKS,
    WORLD_DOTS,
    WORLD_NOISE,
    WORLD_MARBLE,
    WORLD_WOOD,
    WORLD_TEXTURE_COUNT,
};

struct world_material {
    enum world_texture texture;
    struct vec3 colours[2]; /* linear RGB; the texture mixes them */
    struct vec3 offset;     /* where in the endless texture the origin lies */
    float scale;            /* periods of the texture per unit of length, > 0 */
    float shine;            /* strength of highlight and mirrored sky, 0 .. 1 */
};

/* Linear RGB colour at p, in the coordinates of the object. */
struct vec3 world_texture_colour(const struct world_material *material, struct vec3 p);

#endif
