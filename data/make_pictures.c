/* Rendering the embedded picture set into class folders. */
#include "data/make_pictures.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_write.h"
#include "data/made_folder.h"
#include "data/workers.h"
#include "data/world/render.h"
#include "data/world/still.h"

static const char *const PARTS[2] = {"train", "val"};

/* Rays per pixel and direction: edges are smooth, and 2,500 pictures take seconds. */
enum { SAMPLES = 2 };

/* Artefacts of compression stay invisible at 64 pixels. */
enum { JPEG_QUALITY = 92 };

struct maker {
    const char *out;
    const struct make_pictures_options *options;
    pthread_mutex_t lock; /* of what follows, and of the progress callback */
    int64_t done;
    int64_t bytes; /* written so far */
};

struct make_pictures_options make_pictures_options_default(void)
{
    return (struct make_pictures_options){.classes = 10, .train = 2000, .val = 500, .size = 64};
}

static ttt_status check_range(const char *name, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high)
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT, "%s %" PRId64 ": must be %" PRId64 " to %" PRId64, name, value, low, high);
}

static ttt_status check_options(const struct make_pictures_options *options)
{
    TRY(check_range("classes", options->classes, 2, WORLD_SOLID_COUNT));
    TRY(check_range("train", options->train, options->classes, 10000000));
    TRY(check_range("val", options->val, options->classes, 10000000));
    TRY(check_range("size", options->size, 16, 1024));
    return check_range("threads", options->threads, 0, WORKERS_MAX);
}

/* What the marker says of these options. */
static void describe(const struct make_pictures_options *options, char text[256])
{
    snprintf(text, 256,
             "Embedded picture set, made by: ttt data make pictures\n--classes %d --train %" PRId64
             " --val %" PRId64 " --size %d --seed %" PRIu64 "\n",
             options->classes, options->train, options->val, options->size, options->seed);
}

static ttt_status prepare_folders(const char *out, const struct make_pictures_options *options)
{
    char text[256], path[PATH_MAX];
    describe(options, text);
    TRY(made_folder_prepare(out, text));
    for (int part = 0; part < 2; part++)
        for (int solid = 0; solid < options->classes; solid++) {
            TRY(made_path(path, "%s/%s/%s", out, PARTS[part], world_solid_name((enum world_solid)solid)));
            TRY(made_folder_create(path));
        }
    return TTT_OK;
}

static ttt_status render_picture(const struct maker *maker, int part, int64_t number, size_t *size)
{
    const struct make_pictures_options *options = maker->options;
    enum world_solid solid = (enum world_solid)(number % options->classes);
    struct world_scene scene;
    struct world_camera camera;
    struct image image;
    uint8_t *bytes = NULL;
    char folder[PATH_MAX], name[32];
    world_still(options->seed, (uint32_t)part, (uint64_t)number, solid, options->size, &scene, &camera);
    TRY(image_new(options->size, options->size, 3, &image));
    world_render(&scene, &camera, SAMPLES, image.width, image.height, image.pixels);
    ttt_status status = jpeg_encode(&image, JPEG_QUALITY, JPEG_SAMPLING_444, &bytes, size);
    image_free(&image);
    if (!status)
        status = made_path(folder, "%s/%s/%s", maker->out, PARTS[part], world_solid_name(solid));
    snprintf(name, sizeof(name), "%07" PRId64 ".jpeg", number);
    if (!status)
        status = made_file_write(folder, name, bytes, *size);
    free(bytes);
    return status;
}

static ttt_status picture_job(void *context, int worker, size_t index)
{
    (void)worker;
    struct maker *maker = context;
    const struct make_pictures_options *options = maker->options;
    int64_t number = (int64_t)index, total = options->train + options->val;
    int part = number >= options->train;
    size_t size;
    TRY(render_picture(maker, part, part ? number - options->train : number, &size));
    pthread_mutex_lock(&maker->lock);
    maker->done++;
    maker->bytes += (int64_t)size;
    if (options->progress)
        options->progress(options->context, maker->done, total);
    pthread_mutex_unlock(&maker->lock);
    return TTT_OK;
}

ttt_status make_pictures(const char *out, const struct make_pictures_options *options)
{
    TRY(check_options(options));
    struct maker maker = {.out = out, .options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
    ttt_status status = prepare_folders(out, options);
    if (!status)
        status = workers_run(options->threads, (size_t)(options->train + options->val), picture_job, &maker);
    pthread_mutex_destroy(&maker.lock);
    /* About 3/4 byte per pixel at this quality. */
    const struct made_so_far made = {out, maker.done, options->train + options->val, maker.bytes,
                                     (int64_t)options->size * options->size * 3 / 4};
    return made_explain_full_disk(&made, status);
}
