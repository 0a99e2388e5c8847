/* Rendering the embedded world as posed scenes. */
#include "data/make_scenes.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_write.h"
#include "data/made_folder.h"
#include "data/workers.h"
#include "data/world/render.h"
#include "data/world/tabletop.h"

/* Rays per pixel and direction: edges are smooth, as a camera's are. */
enum { SAMPLES = 2 };

struct maker {
    const char *out;
    const struct make_scenes_options *options;
    pthread_mutex_t lock; /* of what follows, and of the progress callback */
    int64_t done, bytes;
};

struct make_scenes_options make_scenes_options_default(void)
{
    return (struct make_scenes_options){.count = 100, .views = 24, .size = 64};
}

int64_t make_scenes_val_count(int64_t count)
{
    return count < 20 ? 1 : count / 10;
}

static ttt_status check_range(const char *name, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high)
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT, "%s %" PRId64 ": must be %" PRId64 " to %" PRId64, name, value, low, high);
}

static ttt_status check_options(const struct make_scenes_options *options)
{
    TRY(check_range("count", options->count, 2, 100000));
    TRY(check_range("views", options->views, 2, 1000));
    TRY(check_range("size", options->size, 16, 1024));
    return check_range("threads", options->threads, 0, WORKERS_MAX);
}

/* Writes a JSON value, which it releases. */
static ttt_status write_json(const char *folder, const char *name, json_t *value)
{
    /* Nine digits hold the float that the renderer used. */
    char *text = value ? json_dumps(value, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    if (!text)
        return ttt_fail(TTT_MEMORY, "%s/%s: not enough memory", folder, name);
    ttt_status status = made_file_write(folder, name, (const uint8_t *)text, strlen(text));
    free(text);
    return status;
}

/* World-to-camera rows from the camera's axes and position. */
static json_t *w2c_json(const struct world_camera *camera)
{
    json_t *rows = json_array();
    for (int i = 0; i < 3; i++) {
        struct vec3 axis = camera->axes[i], at = camera->position;
        double x = axis.x, y = axis.y, z = axis.z;
        double shift = -(x * (double)at.x + y * (double)at.y + z * (double)at.z);
        json_array_append_new(rows, json_pack("[f, f, f, f]", x, y, z, shift));
    }
    json_array_append_new(rows, json_pack("[f, f, f, f]", 0.0, 0.0, 0.0, 1.0));
    return rows;
}

static json_t *camera_json(const struct world_camera *camera, int size, int view)
{
    char file[32];
    snprintf(file, sizeof file, "images/%03d.png", view);
    return json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:o, s:s}", "w", size, "h", size, "fx",
                     (double)camera->fx, "fy", (double)camera->fy, "cx", (double)camera->cx, "cy",
                     (double)camera->cy, "w2c", w2c_json(camera), "file_path", file);
}

static ttt_status write_cameras(const struct maker *maker, uint64_t number, const char *folder)
{
    const struct make_scenes_options *options = maker->options;
    json_t *list = json_array();
    for (int view = 0; view < options->views; view++) {
        struct world_camera camera =
            world_tabletop_camera(options->seed, number, (uint32_t)view, options->size, options->size);
        if (json_array_append_new(list, camera_json(&camera, options->size, view))) {
            json_decref(list);
            return ttt_fail(TTT_MEMORY, "%s: not enough memory", folder);
        }
    }
    return write_json(folder, "opencv_cameras.json", list);
}

static ttt_status render_view(struct maker *maker, uint64_t number, const struct world_scene *scene, int view,
                              const char *folder)
{
    const struct make_scenes_options *options = maker->options;
    struct world_camera camera =
        world_tabletop_camera(options->seed, number, (uint32_t)view, options->size, options->size);
    struct image image;
    uint8_t *bytes = NULL;
    size_t size = 0;
    char name[32];
    TRY(image_new(options->size, options->size, 3, &image));
    world_render(scene, &camera, SAMPLES, image.width, image.height, image.pixels);
    ttt_status status = png_encode(&image, &bytes, &size);
    image_free(&image);
    snprintf(name, sizeof name, "%03d.png", view);
    if (!status)
        status = made_file_write(folder, name, bytes, size);
    free(bytes);
    TRY(status);
    pthread_mutex_lock(&maker->lock);
    maker->done++;
    maker->bytes += (int64_t)size;
    if (options->progress)
        options->progress(options->context, maker->done, options->count * options->views);
    pthread_mutex_unlock(&maker->lock);
    return TTT_OK;
}

/* The cameras are written last: a folder with cameras has all its pictures. */
static ttt_status scene_job(void *context, int worker, size_t index)
{
    (void)worker;
    struct maker *maker = context;
    struct world_scene scene;
    char folder[PATH_MAX], images[PATH_MAX];
    TRY(made_path(folder, "%s/%05zu", maker->out, index));
    TRY(made_path(images, "%s/images", folder));
    TRY(made_folder_create(images));
    world_tabletop(maker->options->seed, index, &scene);
    for (int view = 0; view < maker->options->views; view++)
        TRY(render_view(maker, index, &scene, view, images));
    return write_cameras(maker, index, folder);
}

/* Paths of scenes first .. end - 1. */
static ttt_status write_list(const char *out, const char *name, int64_t first, int64_t end)
{
    json_t *list = json_array();
    for (int64_t i = first; i < end; i++) {
        char path[64];
        snprintf(path, sizeof path, "%05" PRId64 "/opencv_cameras.json", i);
        if (json_array_append_new(list, json_string(path))) {
            json_decref(list);
            return ttt_fail(TTT_MEMORY, "%s/%s: not enough memory", out, name);
        }
    }
    return write_json(out, name, list);
}

static ttt_status write_lists(const char *out, int64_t count)
{
    int64_t train = count - make_scenes_val_count(count);
    TRY(write_list(out, "train.json", 0, train));
    TRY(write_list(out, "val.json", train, count));
    return write_list(out, "scenes.json", 0, count);
}

ttt_status make_scenes(const char *out, const struct make_scenes_options *options)
{
    char text[256];
    TRY(check_options(options));
    snprintf(text, sizeof text,
             "Embedded scenes, made by: ttt data make scenes\n--count %" PRId64
             " --views %d --size %d --seed %" PRIu64 "\n",
             options->count, options->views, options->size, options->seed);
    TRY(made_folder_prepare(out, text));
    struct maker maker = {.out = out, .options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
    ttt_status status = workers_run(options->threads, (size_t)options->count, scene_job, &maker);
    if (!status)
        status = write_lists(out, options->count);
    pthread_mutex_destroy(&maker.lock);
    /* PNG takes about 1.5 bytes a pixel of these pictures. */
    const struct made_so_far made = {out, maker.done, options->count * options->views, maker.bytes,
                                     (int64_t)options->size * options->size * 3 / 2};
    return made_explain_full_disk(&made, status);
}
