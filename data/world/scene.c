/* Placing objects in a scene. */
#include "data/world/scene.h"

void world_object_turn(struct world_object *object, float yaw, float tilt, float roll)
{
    float cy = cosf(yaw), sy = sinf(yaw), ct = cosf(tilt), st = sinf(tilt), cr = cosf(roll), sr = sinf(roll);
    struct vec3 x = vec3(cy, 0, -sy);
    struct vec3 y = vec3(sy * st, ct, cy * st);
    object->axes[0] = vec3_add(vec3_scale(x, cr), vec3_scale(y, sr));
    object->axes[1] = vec3_subtract(vec3_scale(y, cr), vec3_scale(x, sr));
    object->axes[2] = vec3_cross(object->axes[0], object->axes[1]);
}

struct vec3 world_object_local(const struct world_object *object, struct vec3 p)
{
    struct vec3 q = vec3_scale(vec3_subtract(p, object->centre), 1 / object->radius);
    return vec3(vec3_dot(q, object->axes[0]), vec3_dot(q, object->axes[1]), vec3_dot(q, object->axes[2]));
}

float world_object_distance(const struct world_object *object, struct vec3 p)
{
    return world_solid_distance(object->solid, world_object_local(object, p)) * object->radius;
}

/* Height of the surface above (x, z), found from below; 1e9 where nothing stands. */
static float underside(const struct world_object *object, float x, float z)
{
    float y = object->centre.y - object->radius;
    while (y < object->centre.y + object->radius) {
        float distance = world_object_distance(object, vec3(x, y, z));
        if (distance < 1e-3f * object->radius)
            return y;
        y += distance;
    }
    return 1e9f;
}

/* The lowest point lies on a grid over the object's shadow, refined around the best of its points. */
void world_object_drop(struct world_object *object)
{
    enum { steps = 12, refinements = 3 };
    float best = 1e9f, best_x = object->centre.x, best_z = object->centre.z, half = object->radius;
    for (int level = 0; level < refinements; level++) {
        float middle_x = best_x, middle_z = best_z;
        for (int i = 0; i <= steps * 2; i++)
            for (int k = 0; k <= steps * 2; k++) {
                float x = middle_x + half * ((float)i / steps - 1);
                float z = middle_z + half * ((float)k / steps - 1);
                float y = underside(object, x, z);
                if (y < best) {
                    best = y;
                    best_x = x;
                    best_z = z;
                }
            }
        half /= steps / 2;
    }
    if (best < 1e9f)
        object->centre.y -= best;
}
