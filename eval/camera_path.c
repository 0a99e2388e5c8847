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

/* Mean squares of right axes, 1 in all: along their second direction, 10 degrees of spread; and along their
 * third beside it.  That is roll, and tilts up by about the root of the ratio, in radians, over the root of
 * the number of cameras. */
static const double LEAST_SPREAD = 0.03, MOST_ROLL = 0.03;

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

/* Makes a[p][q] of a symmetric matrix 0 by turning its axes p and q, and those of v with them. */
static void turn_axes(double a[3][3], double v[3][3], int p, int q)
{
    if (a[p][q] == 0)
        return;
    const double angle = atan(2 * a[p][q] / (a[q][q] - a[p][p])) / 2, c = cos(angle), s = sin(angle);
    for (int k = 0; k < 3; k++) {
        const double ap = a[k][p], aq = a[k][q], vp = v[k][p], vq = v[k][q];
        a[k][p] = c * ap - s * aq, a[k][q] = s * ap + c * aq;
        v[k][p] = c * vp - s * vq, v[k][q] = s * vp + c * vq;
    }
    for (int k = 0; k < 3; k++) {
        const double pa = a[p][k], qa = a[q][k];
        a[p][k] = c * pa - s * qa, a[q][k] = s * pa + c * qa;
    }
}

/* The eigenvector of a symmetric matrix's least eigenvalue, by Jacobi's method, which overwrites it; and the
 * two lower eigenvalues. */
static struct point least_eigenvector(double a[3][3], double *least, double *middle)
{
    enum { SWEEPS = 12 }; /* digits double with each: twice what doubles need */
    double v[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    for (int i = 0; i < SWEEPS; i++)
        for (int p = 0; p < 2; p++)
            for (int q = p + 1; q < 3; q++)
                turn_axes(a, v, p, q);
    int low = 0, high = 0;
    for (int k = 1; k < 3; k++) {
        low = a[k][k] < a[low][low] ? k : low;
        high = a[k][k] > a[high][high] ? k : high;
    }
    *least = a[low][low];
    *middle = a[0][0] + a[1][1] + a[2][2] - a[low][low] - a[high][high];
    return (struct point){v[0][low], v[1][low], v[2][low]};
}

/* Cameras without roll have right axes perpendicular to up, however unevenly they stand; false where these
 * axes lie in no one plane, or are too nearly parallel to tell which. */
static bool normal_to_rights(const struct camera *cameras, int count, struct point *normal)
{
    double sum[3][3] = {{0}}, roll, spread;
    for (int i = 0; i < count; i++)
        for (int row = 0; row < 3; row++)
            for (int k = 0; k < 3; k++)
                sum[row][k] += cameras[i].c2w.m[row][0] * cameras[i].c2w.m[k][0] / count;
    *normal = least_eigenvector(sum, &roll, &spread);
    return spread > LEAST_SPREAD && roll < MOST_ROLL * spread;
}

/* Up where the right axes say it, on the side of the mean up axis; else that mean itself, or the first
 * camera's where it cancels out. */
static struct point up_of(const struct camera *cameras, int count)
{
    struct point mean = {0}, normal;
    for (int i = 0; i < count; i++)
        mean = along(mean, -1.0 / count, column(&cameras[i].c2w, 1));
    if (!(dot(mean, mean) > PARALLEL))
        mean = along((struct point){0}, -1, column(&cameras[0].c2w, 1));
    if (!normal_to_rights(cameras, count, &normal))
        return unit(mean);
    return dot(normal, mean) < 0 ? along((struct point){0}, -1, normal) : normal;
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
