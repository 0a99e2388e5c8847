/* Pinhole cameras. */
#include "data/world/camera.h"

struct world_camera world_camera_look_at(struct vec3 position, struct vec3 target, float view, int width,
                                         int height)
{
    struct vec3 forward = vec3_normalise(vec3_subtract(target, position));
    struct vec3 right = vec3_normalise(vec3_cross(forward, vec3(0, 1, 0)));
    struct vec3 down = vec3_cross(forward, right);
    float shorter = (float)(width < height ? width : height);
    float focal = 0.5f * shorter / tanf(0.5f * view);
    return (struct world_camera){.fx = focal,
                                 .fy = focal,
                                 .cx = 0.5f * (float)width,
                                 .cy = 0.5f * (float)height,
                                 .axes = {right, down, forward},
                                 .position = position};
}

struct vec3 world_camera_ray(const struct world_camera *camera, float x, float y)
{
    float u = (x - camera->cx) / camera->fx, v = (y - camera->cy) / camera->fy;
    struct vec3 across = vec3_add(vec3_scale(camera->axes[0], u), vec3_scale(camera->axes[1], v));
    return vec3_normalise(vec3_add(across, camera->axes[2]));
}
