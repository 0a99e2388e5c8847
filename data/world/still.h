/* Random pictures of one solid each: the scenes of the classification set. */
#ifndef DATA_WORLD_STILL_H
#define DATA_WORLD_STILL_H

#include "data/world/camera.h"
#include "data/world/scene.h"

#include <stdint.h>

/* A scene with `solid` standing on textured ground, and a size x size camera looking at it.
 *
 * Texture, colours, pose, sun and camera are drawn from the stream (seed, TTT_RANDOM_RENDER, picture, part):
 * the same four numbers give the same scene.
 */
void world_still(uint64_t seed, uint32_t part, uint64_t picture, enum world_solid solid, int size,
                 struct world_scene *scene, struct world_camera *camera);

#endif
