/* What a camera sees of a scene. */
#ifndef DATA_WORLD_RENDER_H
#define DATA_WORLD_RENDER_H

#include "data/world/camera.h"
#include "data/world/scene.h"

#include <stdint.h>

/* Renders a width x height picture.
 *
 * samples  rays per pixel and direction, >= 1: samples^2 rays per pixel, averaged in linear light
 * pixels   (height, width, 3) 8-bit sRGB, out
 *
 * Sphere tracing with soft shadows (the narrowest gap on the way to the sun decides) and ambient occlusion;
 * a pure function of its arguments.
 */
void world_render(const struct world_scene *scene, const struct world_camera *camera, int samples, int width,
                  int height, uint8_t *pixels);

/* Distance along the ray to the nearest surface or the ground, and which object it is (-1: the ground);
 * INFINITY where there is neither.  `direction` has unit length. */
float world_trace(const struct world_scene *scene, struct vec3 origin, struct vec3 direction, int *object);

#endif
