/* Signed distance functions of the solids.
 *
 * Boxes, tori and their kin are the usual exact forms; intersections take the maximum of distances, which is
 * exact inside and a lower bound outside.  Hart, "Sphere tracing", The Visual Computer, 1996.
 */
#include "data/world/solid.h"

#define PI 3.14159265f

/* Distance in the plane to the profile of a prism, and along its axis to its end. */
static float extrude(float profile, float axis)
{
    float x = larger(profile, 0), y = larger(axis, 0);
    return smaller(larger(profile, axis), 0) + sqrtf(x * x + y * y);
}

static float box(struct vec3 p, float x, float y, float z)
{
    struct vec3 q = vec3(fabsf(p.x) - x, fabsf(p.y) - y, fabsf(p.z) - z);
    struct vec3 outside = vec3(larger(q.x, 0), larger(q.y, 0), larger(q.z, 0));
    return vec3_length(outside) + smaller(larger(q.x, larger(q.y, q.z)), 0);
}

static float sphere(struct vec3 p)
{
    return vec3_length(p) - 0.84f;
}

static float cube(struct vec3 p)
{
    return box(p, 0.54f, 0.54f, 0.54f) - 0.03f;
}

static float torus(struct vec3 p)
{
    float ring = sqrtf(p.x * p.x + p.y * p.y) - 0.68f;
    return sqrtf(ring * ring + p.z * p.z) - 0.25f;
}

static float cylinder(struct vec3 p)
{
    return extrude(sqrtf(p.x * p.x + p.z * p.z) - 0.48f, fabsf(p.y) - 0.74f) - 0.02f;
}

static float cone(struct vec3 p)
{
    const float radius = 0.68f, half = 0.72f;
    const float slant = sqrtf(radius * radius + 4 * half * half);
    float side = (sqrtf(p.x * p.x + p.z * p.z) * 2 * half + (p.y - half) * radius) / slant;
    return larger(side, -half - p.y);
}

static float octahedron(struct vec3 p)
{
    return (fabsf(p.x) + fabsf(p.y) + fabsf(p.z) - 0.97f) * 0.57735027f;
}

static float capsule(struct vec3 p)
{
    p.y -= smaller(larger(p.y, -0.6f), 0.6f);
    return vec3_length(p) - 0.36f;
}

/* The twelve edges of a cube: the nearest of three families of bars, folded into one octant. */
static float frame(struct vec3 p)
{
    const float half = 0.46f, bar = 0.1f;
    struct vec3 a = vec3(fabsf(p.x), fabsf(p.y), fabsf(p.z));
    struct vec3 b = vec3(fabsf(a.x - half), fabsf(a.y - half), fabsf(a.z - half));
    float along_x = box(vec3(a.x, b.y, b.z), half + bar, bar, bar);
    float along_y = box(vec3(b.x, a.y, b.z), bar, half + bar, bar);
    float along_z = box(vec3(b.x, b.y, a.z), bar, bar, half + bar);
    return smaller(along_x, smaller(along_y, along_z));
}

/* Five points: the plane is folded into half a point, whose edge is one line from tip to notch. */
static float star(struct vec3 p)
{
    const float outer = 0.95f, inner = 0.42f, sector = PI / 5;
    const float radius = sqrtf(p.x * p.x + p.y * p.y);
    float angle = fabsf(remainderf(atan2f(p.x, p.y), 2 * sector));
    float x = radius * cosf(angle), y = radius * sinf(angle);
    float notch_x = inner * cosf(sector), notch_y = inner * sinf(sector);
    float edge_x = notch_x - outer, edge_y = notch_y;
    float length = sqrtf(edge_x * edge_x + edge_y * edge_y);
    float along = clamp01(((x - outer) * edge_x + y * edge_y) / (length * length));
    float off_x = x - outer - along * edge_x, off_y = y - along * edge_y;
    float side = edge_x * y - edge_y * (x - outer);
    float distance = sqrtf(off_x * off_x + off_y * off_y);
    return extrude(side > 0 ? -distance : distance, fabsf(p.z) - 0.2f);
}

static float cross(struct vec3 p)
{
    const float length = 0.88f, bar = 0.22f;
    return smaller(box(p, length, bar, bar), smaller(box(p, bar, length, bar), box(p, bar, bar, length)));
}

/* The lower half of a thick shell. */
static float bowl(struct vec3 p)
{
    p.y -= 0.4f;
    return larger(fabsf(vec3_length(p) - 0.78f) - 0.07f, p.y - 0.06f);
}

static float pyramid(struct vec3 p)
{
    const float half_base = 0.54f, half_height = 0.62f;
    const float slant = sqrtf(half_base * half_base + 4 * half_height * half_height);
    float side = (larger(fabsf(p.x), fabsf(p.z)) * 2 * half_height + (p.y - half_height) * half_base) / slant;
    return larger(side, -half_height - p.y);
}

/* Nine teeth around a disc with a hole; each tooth is a bar in the folded plane. */
static float gear(struct vec3 p)
{
    const float sector = PI / 9;
    float radius = sqrtf(p.x * p.x + p.y * p.y);
    float angle = remainderf(atan2f(p.x, p.y), 2 * sector);
    float x = fabsf(radius * cosf(angle) - 0.72f) - 0.2f, y = fabsf(radius * sinf(angle)) - 0.13f;
    float tooth = extrude(x, y);
    float profile = larger(smaller(tooth, radius - 0.68f), 0.3f - radius);
    return extrude(profile, fabsf(p.z) - 0.2f);
}

/* One link of a chain: a torus pulled apart. */
static float link(struct vec3 p)
{
    p.y -= smaller(larger(p.y, -0.42f), 0.42f);
    float ring = sqrtf(p.x * p.x + p.y * p.y) - 0.4f;
    return sqrtf(ring * ring + p.z * p.z) - 0.13f;
}

/* A triangular prism lying on one of its sides. */
static float wedge(struct vec3 p)
{
    float roof = (fabsf(p.x) * 2 + (p.y - 0.68f)) * 0.4472136f;
    return larger(larger(roof, -0.58f - p.y), fabsf(p.z) - 0.5f);
}

static float hexagon(struct vec3 p)
{
    float x = fabsf(p.x), y = fabsf(p.y);
    return extrude(larger(y, 0.8660254f * x + 0.5f * y) - 0.72f, fabsf(p.z) - 0.32f);
}

/* Flat solids are kept from turning their edge to the camera. */
static const struct {
    const char *name;
    float (*distance)(struct vec3 p);
    struct world_pose pose;
} solids[WORLD_SOLID_COUNT] = {
    [WORLD_SPHERE] = {"sphere", sphere, {180, 0, 0}},
    [WORLD_CUBE] = {"cube", cube, {180, 0, 0}},
    [WORLD_TORUS] = {"torus", torus, {45, -75, 0}},
    [WORLD_CYLINDER] = {"cylinder", cylinder, {180, 0, 0}},
    [WORLD_CONE] = {"cone", cone, {180, 0, 0}},
    [WORLD_OCTAHEDRON] = {"octahedron", octahedron, {180, 0, 0}},
    [WORLD_CAPSULE] = {"capsule", capsule, {180, -15, 15}},
    [WORLD_FRAME] = {"frame", frame, {180, 0, 0}},
    [WORLD_STAR] = {"star", star, {50, -40, 0}},
    [WORLD_CROSS] = {"cross", cross, {180, -15, 15}},
    [WORLD_BOWL] = {"bowl", bowl, {180, 0, 15}},
    [WORLD_PYRAMID] = {"pyramid", pyramid, {180, 0, 0}},
    [WORLD_GEAR] = {"gear", gear, {45, -60, 0}},
    [WORLD_LINK] = {"link", link, {50, -30, 0}},
    [WORLD_WEDGE] = {"wedge", wedge, {55, 0, 0}},
    [WORLD_HEXAGON] = {"hexagon", hexagon, {50, -50, 0}},
};

const char *world_solid_name(enum world_solid solid)
{
    return solids[solid].name;
}

struct world_pose world_solid_pose(enum world_solid solid)
{
    return solids[solid].pose;
}

float world_solid_distance(enum world_solid solid, struct vec3 p)
{
    return solids[solid].distance(p);
}
