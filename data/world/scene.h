/* A scene of the embedded world: solids over a ground plane at y = 0, under one sun and a sky. */
#ifndef DATA_WORLD_SCENE_H
#define DATA_WORLD_SCENE_H

#include "data/world/solid.h"
#include "data/world/texture.h"

enum { WORLD_OBJECTS_MAX = 16 };

struct world_object {
    enum world_solid solid;
    struct vec3 centre;
    struct vec3 axes[3]; /* the object's x, y and z in world coordinates; orthonormal */
    float radius;        /* of its bounding sphere: the factor on the unit solid, > 0 */
    struct world_material material;
};

struct world_light {
    struct vec3 direction; /* unit vector towards the sun */
    struct vec3 colour;    /* linear RGB */
    float softness;        /* width of a shadow's edge per distance from what casts it, > 0 */
};

/* The sky lights everything from above, and the ground fades into its horizon. */
struct world_sky {
    struct vec3 horizon, zenith; /* linear RGB */
    float fade_near, fade_far;   /* distances from the origin between which the ground fades */
};

struct world_scene {
    int object_count;
    struct world_object objects[WORLD_OBJECTS_MAX];
    struct world_material ground;
    struct world_light light;
    struct world_sky sky;
};

/* Axes of an object turned by `yaw` around the vertical after being tipped by `tilt` around its own x and
 * rolled by `roll` around its own z; radians. */
void world_object_turn(struct world_object *object, float yaw, float tilt, float roll);

/* Lowers or lifts an object until it touches the ground; its axes and radius must be set. */
void world_object_drop(struct world_object *object);

/* Signed distance from p, in world coordinates, to the object's surface. */
float world_object_distance(const struct world_object *object, struct vec3 p);

/* p in the object's own coordinates, where its solid has unit size. */
struct vec3 world_object_local(const struct world_object *object, struct vec3 p);

#endif
