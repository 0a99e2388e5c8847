/* Random scenes for view synthesis: several solids on textured ground, and cameras around them. */
#ifndef DATA_WORLD_TABLETOP_H
#define DATA_WORLD_TABLETOP_H

#include <stdint.h>

#include "data/world/camera.h"
#include "data/world/scene.h"

/* Three to five solids of different kinds around the origin, which do not touch; drawn, like sun, sky and
 * ground, from the stream (seed, TTT_RANDOM_RENDER, scene, 2). */
void world_tabletop(uint64_t seed, uint64_t scene, struct world_scene *out);

/* Camera `view` of a scene: on a dome around the solids, looking at their middle; both vary a little.  Views
 * that follow each other stand apart by the golden angle, so that any run of them goes all around.  Drawn
 * from (seed, TTT_RANDOM_RENDER, scene * 2^20 + view, 3). */
struct world_camera world_tabletop_camera(uint64_t seed, uint64_t scene, uint32_t view, int width,
                                          int height);

#endif
