/* Solids of the embedded world, by signed distance.
 *
 * Every solid stands upright (y up) around the origin of its own coordinates and fits into the unit sphere.
 */
#ifndef DATA_WORLD_SOLID_H
#define DATA_WORLD_SOLID_H

#include "data/world/vector.h"

/* In the order in which --classes takes them: the ones easiest to tell apart come first. */
enum world_solid {
    WORLD_SPHERE,
    WORLD_CUBE,
    WORLD_TORUS,
    WORLD_CYLINDER,
    WORLD_CONE,
    WORLD_OCTAHEDRON,
    WORLD_CAPSULE,
    WORLD_FRAME,
    WORLD_STAR,
    WORLD_CROSS,
    WORLD_BOWL,
    WORLD_PYRAMID,
    WORLD_GEAR,
    WORLD_LINK,
    WORLD_WEDGE,
    WORLD_HEXAGON,
    WORLD_SOLID_COUNT,
};

/* How a solid may stand so that it can be recognised, in degrees: turned by at most +-yaw around the vertical
 * (0: it faces the camera), then tipped towards the viewer by low .. high. */
struct world_pose {
    float yaw, tilt_low, tilt_high;
};

/* "sphere", "cube", ...: also the class's folder. */
const char *world_solid_name(enum world_solid solid);

struct world_pose world_solid_pose(enum world_solid solid);

/* Signed distance from p to the surface, negative inside.  Never more than the true distance, so that a
 * sphere tracer cannot step over a surface. */
float world_solid_distance(enum world_solid solid, struct vec3 p);

#endif
