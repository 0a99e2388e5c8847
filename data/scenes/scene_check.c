/* Statistics of a scene, and its bad pictures. */
#include "data/scenes/scene_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode.h"
#include "data/scenes/view.h"
#include "data/workers.h"

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values; the median of an even number is the lower one. */
static struct scene_range range_of(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (struct scene_range){values[0], values[(count - 1) / 2], values[count - 1]};
}

static double distance(const struct scene_view *a, const struct scene_view *b)
{
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += (a->c2w.m[i][3] - b->c2w.m[i][3]) * (a->c2w.m[i][3] - b->c2w.m[i][3]);
    return sqrt(sum);
}

/* Distances between cameras; `values` has room for one number a view.  Beyond some thousand views a sample of
 * them stands for all. */
static void measure_positions(const struct scene *scene, double *values, struct scene_check *check)
{
    uint32_t stride = scene->view_count / 4000 + 1;
    for (uint32_t i = 0; i < scene->view_count; i++) {
        double nearest = INFINITY;
        for (uint32_t k = i % stride; k < scene->view_count; k += stride) {
            if (k == i)
                continue;
            double apart = distance(&scene->views[i], &scene->views[k]);
            nearest = fmin(nearest, apart);
            check->extent = fmax(check->extent, apart);
        }
        values[i] = isfinite(nearest) ? nearest : 0;
    }
    check->nearest = range_of(values, scene->view_count);
    for (int c = 0; c < 3; c++) {
        double low = INFINITY, high = -INFINITY;
        for (uint32_t i = 0; i < scene->view_count; i++) {
            low = fmin(low, scene->views[i].c2w.m[c][3]);
            high = fmax(high, scene->views[i].c2w.m[c][3]);
        }
        check->box[c] = high - low;
    }
}

/* The horizontal field of view in degrees, after undistortion; 0 where that is not possible. */
static double field_of_view(const struct scene_view *view)
{
    double k[4];
    ttt_status status = view_intrinsics(view, view->height, view->width, k);
    bool known = !status;
    ttt_status_free(status);
    return known ? (atan(k[2] / k[0]) + atan((view->width - k[2]) / k[0])) * 180 / M_PI : 0;
}

static double width_of(const struct scene_view *view)
{
    return view->width;
}

static double height_of(const struct scene_view *view)
{
    return view->height;
}

static double fx_of(const struct scene_view *view)
{
    return view->fxfycxcy[0];
}

static double fy_of(const struct scene_view *view)
{
    return view->fxfycxcy[1];
}

static ttt_status measure(const struct scene *scene, struct scene_check *check)
{
    const struct {
        double (*of)(const struct scene_view *view);
        struct scene_range *range;
    } quantities[] = {{width_of, &check->width},
                      {height_of, &check->height},
                      {fx_of, &check->fx},
                      {fy_of, &check->fy},
                      {field_of_view, &check->field_of_view}};
    double *values = malloc(scene->view_count * sizeof *values);
    if (!values)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory", scene->path);
    for (size_t q = 0; q < sizeof quantities / sizeof *quantities; q++) {
        for (uint32_t i = 0; i < scene->view_count; i++)
            values[i] = quantities[q].of(&scene->views[i]);
        *quantities[q].range = range_of(values, scene->view_count);
    }
    measure_positions(scene, values, check);
    for (uint32_t i = 0; i < scene->view_count; i++)
        check->distorted += !distortion_is_none(&scene->views[i].distortion);
    free(values);
    return TTT_OK;
}

struct decoding {
    const struct scene *scene;
    ttt_status *statuses; /* (scene->view_count) */
};

static ttt_status decode_job(void *context, int worker, size_t index)
{
    (void)worker;
    const struct decoding *decoding = context;
    const struct scene_view *view = &decoding->scene->views[index];
    const struct decode_options options = decode_options_default();
    struct image image;
    double k[4];
    ttt_status status = image_decode_file(view->path, &options, &image, NULL);
    if (!status) {
        image_free(&image);
        status = view_intrinsics(view, view->height, view->width, k);
    }
    decoding->statuses[index] = status;
    return TTT_OK;
}

static ttt_status decode_all(const struct scene *scene, int threads, struct scene_check *check)
{
    struct decoding decoding = {scene, calloc(scene->view_count, sizeof(ttt_status))};
    if (!decoding.statuses)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory", scene->path);
    ttt_status status = workers_run(threads, scene->view_count, decode_job, &decoding);
    for (uint32_t i = 0; i < scene->view_count; i++) {
        if (decoding.statuses[i] && !check->bad++)
            check->first_bad = strdup(ttt_status_text(decoding.statuses[i]));
        ttt_status_free(decoding.statuses[i]);
    }
    free(decoding.statuses);
    return status;
}

ttt_status scene_check(const struct scene *scene, int threads, struct scene_check *check)
{
    *check = (struct scene_check){0};
    ttt_status status = measure(scene, check);
    if (!status)
        status = decode_all(scene, threads, check);
    if (!status && !check->bad)
        status = scene_axes_judge(scene, &check->axes);
    if (status)
        scene_check_free(check);
    return status;
}

void scene_check_free(struct scene_check *check)
{
    free(check->first_bad);
    *check = (struct scene_check){0};
}
