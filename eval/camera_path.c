/* Ways through a scene: views, a circle, and between views. */
#include "eval/camera_path.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_write.h"
#include "data/scenes/view.h"

/* A matrix of summed projections whose determinant is below this share of a full one's is singular: the axes
 * are parallel to within about a tenth of a degree. */
static const double PARALLEL = 1e-6;

struct point {
    double x, y, z;
};

static double dot(struct point a, struct point b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static struct point cross(struct point a, struct point b)
{
    return (struct point){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

/* a + s b */
static struct point along(struct point a, double s, struct point b)
{
    return (struct point){a.x + s * b.x, a.y + s * b.y, a.z + s * b.z};
}

static struct point unit(struct point a)
{
    const double length = sqrt(dot(a, a));
    return (struct point){a.x / length, a.y / length, a.z / length};
}

static struct point column(const struct pose *pose, int c)
{
    return (struct point){pose->m[0][c], pose->m[1][c], pose->m[2][c]};
}

static void set_column(struct pose *pose, int c, struct point p)
{
    pose->m[0][c] = p.x;
    pose->m[1][c] = p.y;
    pose->m[2][c] = p.z;
}

static const char *const path_names[] = {"targets", "turntable", "interpolate"};

ttt_status camera_path_parse(const char *name, enum camera_path *path)
{
    for (int i = 0; i < (int)(sizeof path_names / sizeof *path_names); i++)
        if (!strcmp(name, path_names[i])) {
            *path = (enum camera_path)i;
            return TTT_OK;
        }
    return ttt_fail(TTT_ARGUMENT, "unknown path '%.40s': targets, turntable or interpolate", name);
}

const char *camera_path_name(enum camera_path path)
{
    return path_names[path];
}

ttt_status cameras_of_views(const struct scene *scene, const uint32_t *views, int count, int height,
                            int width, struct camera *cameras)
{
    for (int i = 0; i < count; i++) {
        const struct scene_view *view = &scene->views[views[i]];
        cameras[i].c2w = view->c2w;
        TRY(view_intrinsics(view, height, width, cameras[i].fxfycxcy));
    }
    return TTT_OK;
}

/* Solves the symmetric a x = b by Cramer's rule; false where a is singular beside `full`. */
static bool solve(const struct point a[3], struct point b, double full, struct point *x)
{
    const double determinant = dot(a[0], cross(a[1], a[2]));
    if (!(determinant > PARALLEL * full))
        return false;
    *x = (struct point){dot(b, cross(a[1], a[2])) / determinant, dot(a[0], cross(b, a[2])) / determinant,
                        dot(a[0], cross(a[1], b)) / determinant};
    return true;
}

/* The point with the least sum of squared distances to the viewing axes: sum (I - d d') x = sum (I - d d') o.
 */
static bool nearest_to_axes(const struct camera *cameras, int count, struct point *centre)
{
    struct point a[3] = {{0}}, b = {0};
    for (int i = 0; i < count; i++) {
        const struct point d = column(&cameras[i].c2w, 2), o = column(&cameras[i].c2w, 3);
        a[0] = along(along(a[0], 1, (struct point){1, 0, 0}), -d.x, d);
        a[1] = along(along(a[1], 1, (struct point){0, 1, 0}), -d.y, d);
        a[2] = along(along(a[2], 1, (struct point){0, 0, 1}), -d.z, d);
        b = along(along(b, 1, o), -dot(d, o), d);
    }
    return solve(a, b, pow(count, 3), centre);
}

/* Against the mean down axis; the first camera's where they cancel out. */
static struct point up_of(const struct camera *cameras, int count)
{
    struct point up = {0};
    for (int i = 0; i < count; i++)
        up = along(up, -1.0 / count, column(&cameras[i].c2w, 1));
    return dot(up, up) > PARALLEL ? unit(up) : along((struct point){0}, -1, column(&cameras[0].c2w, 1));
}

/* A circle, and the direction from its middle to the first camera. */
struct circle {
    struct point centre, up, start;
    double radius, height; /* of the cameras over the centre */
};

static ttt_status circle_of(const struct camera *cameras, int count, struct circle *circle)
{
    int in_front = 0;
    *circle = (struct circle){.up = up_of(cameras, count)};
    bool met = nearest_to_axes(cameras, count, &circle->centre);
    for (int i = 0; i < count && met; i++) {
        const struct point away = along(column(&cameras[i].c2w, 3), -1, circle->centre);
        const double height = dot(away, circle->up);
        const struct point level = along(away, -height, circle->up);
        in_front += dot(away, column(&cameras[i].c2w, 2)) < 0;
        circle->height += height / count;
        circle->radius += sqrt(dot(level, level)) / count;
        if (i == 0)
            circle->start = level;
    }
    const double least = PARALLEL * (fabs(circle->height) + circle->radius);
    if (!met || 2 * in_front <= count || !(circle->radius > least))
        return ttt_fail(TTT_UNSUPPORTED,
                        "a turntable needs a point that the input cameras look at from around it: %s; "
                        "interpolate goes from view to view",
                        !met                    ? "their axes are parallel"
                        : 2 * in_front <= count ? "their axes part in front of them"
                                                : "they stand straight over it");
    if (!(dot(circle->start, circle->start) > least * least)) {
        const struct point side = column(&cameras[0].c2w, 0);
        circle->start = along(side, -dot(side, circle->up), circle->up);
    }
    circle->start = unit(circle->start);
    return TTT_OK;
}

static struct pose look_at(struct point from, struct point to, struct point up)
{
    struct pose pose = {{{0}, {0}, {0}, {0, 0, 0, 1}}};
    const struct point forward = unit(along(to, -1, from));
    const struct point right = unit(cross(forward, up)), down = cross(forward, right);
    set_column(&pose, 0, right);
    set_column(&pose, 1, down);
    set_column(&pose, 2, forward);
    set_column(&pose, 3, from);
    return pose;
}

ttt_status camera_turntable(const struct camera *cameras, int count, int frames, struct camera *path)
{
    struct circle circle;
    double mean[4] = {0};
    TRY(circle_of(cameras, count, &circle));
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 4; k++)
            mean[k] += cameras[i].fxfycxcy[k] / count;
    const struct point side = cross(circle.up, circle.start);
    for (int i = 0; i < frames; i++) {
        const double angle = 2 * M_PI * i / frames;
        struct point from = along(circle.centre, circle.height, circle.up);
        from = along(from, circle.radius * cos(angle), circle.start);
        from = along(from, circle.radius * sin(angle), side);
        path[i].c2w = look_at(from, circle.centre, circle.up);
        memcpy(path[i].fxfycxcy, mean, sizeof mean);
    }
    return TTT_OK;
}

/* The axis and angle of a rotation; the axis may be any for an angle of 0. */
static double axis_angle(const struct pose *r, struct point *axis)
{
    const struct point twice = {r->m[2][1] - r->m[1][2], r->m[0][2] - r->m[2][0], r->m[1][0] - r->m[0][1]};
    const double trace = r->m[0][0] + r->m[1][1] + r->m[2][2], length = sqrt(dot(twice, twice));
    const double angle = atan2(length, trace - 1);
    *axis = (struct point){0, 0, 1};
    if (length > 1e-6) {
        *axis = unit(twice);
    } else if (trace < 0) {
        /* Half a turn: r + I is twice the axis times its transpose; its largest column says which. */
        int largest = 0;
        for (int c = 1; c < 3; c++)
            largest = r->m[c][c] > r->m[largest][largest] ? c : largest;
        struct point p = column(r, largest);
        *(largest == 0 ? &p.x : largest == 1 ? &p.y : &p.z) += 1;
        *axis = unit(p);
    }
    return angle;
}

/* v turned by `angle` about a unit axis (Rodrigues). */
static struct point turn(struct point v, struct point axis, double angle)
{
    const struct point turned = along(along((struct point){0}, cos(angle), v), sin(angle), cross(axis, v));
    return along(turned, (1 - cos(angle)) * dot(axis, v), axis);
}

static struct camera between(const struct camera *a, const struct camera *b, double t)
{
    struct camera camera = *a;
    const struct pose back = pose_inverse(&a->c2w);
    struct pose step = pose_product(&b->c2w, &back);
    struct point axis;
    const double angle = t * axis_angle(&step, &axis);
    for (int c = 0; c < 3; c++)
        set_column(&camera.c2w, c, turn(column(&a->c2w, c), axis, angle));
    const struct point from = column(&a->c2w, 3), way = along(column(&b->c2w, 3), -1, from);
    set_column(&camera.c2w, 3, along(from, t, way));
    for (int k = 0; k < 4; k++)
        camera.fxfycxcy[k] += t * (b->fxfycxcy[k] - a->fxfycxcy[k]);
    return camera;
}

void camera_interpolate(const struct camera *cameras, int count, int frames, struct camera *path)
{
    for (int i = 0; i < frames; i++) {
        const double at = frames > 1 ? (double)i * (count - 1) / (frames - 1) : 0;
        const int segment = (int)at < count - 1 ? (int)at : count - 1;
        const int next = segment + 1 < count ? segment + 1 : segment;
        path[i] = between(&cameras[segment], &cameras[next], at - segment);
    }
}

static json_t *entry_json(const struct camera *camera, int number, int height, int width, const char *folder)
{
    const struct pose w2c = pose_inverse(&camera->c2w);
    char file[64];
    json_t *rows = json_array();
    for (int i = 0; i < 4; i++)
        json_array_append_new(rows,
                              json_pack("[f, f, f, f]", w2c.m[i][0], w2c.m[i][1], w2c.m[i][2], w2c.m[i][3]));
    snprintf(file, sizeof file, "%s/%04d.png", folder, number);
    return json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:o, s:s}", "w", width, "h", height, "fx",
                     camera->fxfycxcy[0], "fy", camera->fxfycxcy[1], "cx", camera->fxfycxcy[2], "cy",
                     camera->fxfycxcy[3], "w2c", rows, "file_path", file);
}

ttt_status cameras_write(const char *path, const struct camera *cameras, int count, int height, int width,
                         const char *folder)
{
    json_t *list = json_array();
    bool complete = list;
    for (int i = 0; i < count && complete; i++)
        complete = !json_array_append_new(list, entry_json(&cameras[i], i, height, width, folder));
    char *text = complete ? json_dumps(list, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(list);
    if (!text)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory for %d cameras", path, count);
    ttt_status status = file_write(path, (const uint8_t *)text, strlen(text));
    free(text);
    return status;
}
