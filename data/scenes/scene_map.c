/* The cameras of a scene, seen from above. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/resample.h"
#include "data/scenes/scene_check.h"

/* Drawn larger and made smaller: smooth lines. */
enum { OVERSAMPLING = 3 };

/* World coordinates to points of the page. */
struct page {
    struct image *image;
    double right[3], up[3];  /* of the page, in world axes */
    double centre[2], scale; /* page = half + (world . axes - centre) * scale */
};

struct point {
    double x, y;
};

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross(const double a[3], const double b[3], double out[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

/* False where the vector is too short to have a direction. */
static bool normalise(double v[3])
{
    double length = sqrt(dot(v, v));
    for (int i = 0; i < 3 && length > 1e-6; i++)
        v[i] /= length;
    return length > 1e-6;
}

static void axis_of(const struct scene_view *view, int column, double sign, double out[3])
{
    for (int i = 0; i < 3; i++)
        out[i] = sign * view->c2w.m[i][column];
}

/* The page's axes: vertical is against the mean down axis, the first camera looks up the page. */
static void orient(const struct scene *scene, struct page *page)
{
    double vertical[3] = {0}, along;
    for (uint32_t i = 0; i < scene->view_count; i++)
        for (int k = 0; k < 3; k++)
            vertical[k] -= scene->views[i].c2w.m[k][1];
    if (!normalise(vertical))
        axis_of(&scene->views[0], 1, -1, vertical);
    for (int column = 2; column >= 0; column -= 2) {
        axis_of(&scene->views[0], column, 1, page->up);
        along = dot(page->up, vertical);
        for (int k = 0; k < 3; k++)
            page->up[k] -= along * vertical[k];
        if (normalise(page->up))
            break;
    }
    cross(page->up, vertical, page->right);
}

/* Fits all positions, and room around them for the triangles, into the page; the length of those. */
static double fit(const struct scene *scene, struct page *page)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (uint32_t i = 0; i < scene->view_count; i++) {
        double position[3];
        axis_of(&scene->views[i], 3, 1, position);
        const double at[2] = {dot(position, page->right), dot(position, page->up)};
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], at[k]);
            high[k] = fmax(high[k], at[k]);
        }
    }
    double side = fmax(high[0] - low[0], high[1] - low[1]);
    side = side > 0 ? side : 1;
    for (int k = 0; k < 2; k++)
        page->centre[k] = 0.5 * (low[k] + high[k]);
    page->scale = page->image->width / (1.5 * side);
    return 0.15 * side;
}

static struct point project(const struct page *page, const double world[3])
{
    double half = 0.5 * page->image->width;
    return (struct point){half + (dot(world, page->right) - page->centre[0]) * page->scale,
                          half - (dot(world, page->up) - page->centre[1]) * page->scale};
}

/* A square of `width` pixels around a point. */
static void dab(struct image *image, struct point at, int width, const uint8_t colour[3])
{
    int left = (int)floor(at.x) - width / 2, top = (int)floor(at.y) - width / 2;
    for (int y = top; y < top + width; y++)
        for (int x = left; x < left + width; x++)
            if (x >= 0 && y >= 0 && x < image->width && y < image->height)
                memcpy(image_at(image, x, y), colour, 3);
}

static void line(struct image *image, struct point a, struct point b, int width, const uint8_t colour[3])
{
    int steps = (int)fmin(ceil(fmax(fabs(b.x - a.x), fabs(b.y - a.y))), 4.0 * image->width) + 1;
    for (int i = 0; i <= steps; i++) {
        double t = (double)i / steps;
        dab(image, (struct point){a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)}, width, colour);
    }
}

/* Grid lines of a spacing that gives 4 to 10 of them; those through the world's origin are darker. */
static void draw_grid(const struct page *page)
{
    static const uint8_t grey[3] = {225, 225, 225}, dark[3] = {160, 160, 160};
    double seen = page->image->width / page->scale, spacing = pow(10, floor(log10(seen / 4)));
    static const double factors[] = {5, 2};
    for (int i = 0; i < 2; i++)
        if (seen / (spacing * factors[i]) >= 4) {
            spacing *= factors[i];
            break;
        }
    double half = 0.5 * page->image->width, end = page->image->width;
    for (int direction = 0; direction < 2; direction++)
        for (int i = -6; i <= 6; i++) {
            double number = rint(page->centre[direction] / spacing) + i;
            double at =
                half + (direction ? -1 : 1) * (number * spacing - page->centre[direction]) * page->scale;
            line(page->image, direction ? (struct point){0, at} : (struct point){at, 0},
                 direction ? (struct point){end, at} : (struct point){at, end}, OVERSAMPLING,
                 number == 0 ? dark : grey);
        }
}

/* The camera's position and the horizontal extent of its view, `length` away. */
static void draw_camera(const struct page *page, const struct scene_view *view, double length,
                        const uint8_t colour[3])
{
    double position[3], corner[3];
    struct point corners[2];
    const double *k = view->fxfycxcy;
    axis_of(view, 3, 1, position);
    for (int side = 0; side < 2; side++) {
        double across = ((side ? view->width : 0) - k[2]) / k[0];
        for (int i = 0; i < 3; i++)
            corner[i] = position[i] + length * (view->c2w.m[i][2] + across * view->c2w.m[i][0]);
        corners[side] = project(page, corner);
    }
    struct point at = project(page, position);
    line(page->image, at, corners[0], OVERSAMPLING, colour);
    line(page->image, at, corners[1], OVERSAMPLING, colour);
    line(page->image, corners[0], corners[1], OVERSAMPLING, colour);
    dab(page->image, at, 5 * OVERSAMPLING, colour);
}

ttt_status scene_map(const struct scene *scene, int size, struct image *out)
{
    struct image large;
    *out = (struct image){0};
    TRY(image_new(size * OVERSAMPLING, size * OVERSAMPLING, 3, &large));
    memset(large.pixels, 255, image_bytes(&large));
    struct page page = {.image = &large};
    orient(scene, &page);
    double length = fit(scene, &page);
    draw_grid(&page);
    for (uint32_t i = 0; i < scene->view_count; i++) {
        double late = scene->view_count > 1 ? (double)i / (scene->view_count - 1) : 0;
        const uint8_t colour[3] = {(uint8_t)(40 + 190 * late), 70, (uint8_t)(230 - 190 * late)};
        draw_camera(&page, &scene->views[i], length, colour);
    }
    ttt_status status = image_resize(&large, size, size, RESAMPLE_BILINEAR, out);
    image_free(&large);
    return status;
}
