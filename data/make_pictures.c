/* Rendering the embedded picture set into class folders. */
#include "data/make_pictures.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "data/decode.h"
#include "data/image_write.h"
#include "data/workers.h"
#include "data/world/render.h"
#include "data/world/still.h"

static const char MARKER[] = "made-by-ttt.txt";
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

static ttt_status join(char path[PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

static ttt_status join(char path[PATH_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, PATH_MAX, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= PATH_MAX)
        return ttt_fail(TTT_ARGUMENT, "%.64s...: the path is too long", path);
    return TTT_OK;
}

/* Creates a folder and those above it. */
static ttt_status make_folder(const char *path)
{
    char prefix[PATH_MAX];
    TRY(join(prefix, "%s", path));
    for (char *slash = prefix + 1;; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        char end = *slash;
        *slash = '\0';
        if (mkdir(prefix, 0777) && errno != EEXIST)
            return ttt_fail(TTT_IO, "%s: cannot create the folder: %s", prefix, strerror(errno));
        *slash = end;
        if (end == '\0')
            return TTT_OK;
    }
}

/* Writes under a hidden name and renames, so that a file is whole or absent. */
static ttt_status write_whole(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
    char hidden[PATH_MAX], path[PATH_MAX];
    TRY(join(hidden, "%s/.%s.part", folder, name));
    TRY(join(path, "%s/%s", folder, name));
    TRY(file_write(hidden, bytes, size));
    if (rename(hidden, path) == 0)
        return TTT_OK;
    int reason = errno;
    unlink(hidden);
    return ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(reason));
}

/* What the marker says of these options. */
static void describe(const struct make_pictures_options *options, char text[256])
{
    snprintf(text, 256,
             "Embedded picture set, made by: ttt data make pictures\n--classes %d --train %" PRId64
             " --val %" PRId64 " --size %d --seed %" PRIu64 "\n",
             options->classes, options->train, options->val, options->size, options->seed);
}

static ttt_status check_marker(const char *out, const char *expected)
{
    char path[PATH_MAX];
    uint8_t *bytes;
    size_t size;
    TRY(join(path, "%s/%s", out, MARKER));
    TRY(file_read(path, 4096, &bytes, &size));
    bool same = size == strlen(expected) && memcmp(bytes, expected, size) == 0;
    free(bytes);
    if (same)
        return TTT_OK;
    return ttt_fail(
        TTT_ARGUMENT,
        "%s: holds pictures made with other options, named in %s; delete the folder or name another", out,
        MARKER);
}

/* Refuses a folder with things in it that are not ours; *marked becomes true where the marker stands. */
static ttt_status check_out(const char *out, const char *expected, bool *marked)
{
    DIR *folder = opendir(out);
    if (!folder)
        return ttt_fail(TTT_IO, "%s: cannot be opened as a folder: %s", out, strerror(errno));
    bool other = false;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const char *name = entry->d_name;
        if (strcmp(name, MARKER) == 0)
            *marked = true;
        else if (strcmp(name, ".") && strcmp(name, "..") && strcmp(name, ".made-by-ttt.txt.part"))
            other = true;
    }
    closedir(folder);
    if (*marked)
        return check_marker(out, expected);
    if (other)
        return ttt_fail(TTT_ARGUMENT,
                        "%s: the folder is not empty and was not made by this command; name a new one", out);
    return TTT_OK;
}

static ttt_status prepare_folders(const char *out, const struct make_pictures_options *options)
{
    char text[256], path[PATH_MAX];
    bool marked = false;
    describe(options, text);
    TRY(make_folder(out));
    TRY(check_out(out, text, &marked));
    if (!marked)
        TRY(write_whole(out, MARKER, (const uint8_t *)text, strlen(text)));
    for (int part = 0; part < 2; part++)
        for (int solid = 0; solid < options->classes; solid++) {
            TRY(join(path, "%s/%s/%s", out, PARTS[part], world_solid_name((enum world_solid)solid)));
            TRY(make_folder(path));
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
        status = join(folder, "%s/%s/%s", maker->out, PARTS[part], world_solid_name(solid));
    snprintf(name, sizeof(name), "%07" PRId64 ".jpeg", number);
    if (!status)
        status = write_whole(folder, name, bytes, *size);
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

/* Adds to a failed write what the rest of the set needs, where the disk has less than that. */
static ttt_status explain_full_disk(const struct maker *maker, ttt_status status)
{
    struct statvfs disk;
    if (!status || ttt_status_code(status) != TTT_IO || statvfs(maker->out, &disk))
        return status;
    int64_t total = maker->options->train + maker->options->val;
    int64_t block = (int64_t)(disk.f_frsize ? disk.f_frsize : 4096);
    /* About 3/4 byte per pixel at this quality, and half a block lost at the end of every file. */
    int64_t pixels = (int64_t)maker->options->size * maker->options->size;
    int64_t each = maker->done ? maker->bytes / maker->done : pixels * 3 / 4;
    int64_t needed = (total - maker->done) * (each + block / 2);
    int64_t free_bytes = (int64_t)disk.f_bavail * block;
    if (free_bytes >= needed)
        return status;
    return ttt_within(
        status, "%" PRId64 " of %" PRId64 " pictures made, the rest needs about %.1f MB, %.1f MB are free",
        maker->done, total, (double)needed / 1e6, (double)free_bytes / 1e6);
}

ttt_status make_pictures(const char *out, const struct make_pictures_options *options)
{
    TRY(check_options(options));
    if (!*out)
        return ttt_fail(TTT_ARGUMENT, "the output folder has an empty name");
    struct maker maker = {.out = out, .options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
    ttt_status status = prepare_folders(out, options);
    if (!status)
        status = workers_run(options->threads, (size_t)(options->train + options->val), picture_job, &maker);
    pthread_mutex_destroy(&maker.lock);
    return explain_full_disk(&maker, status);
}
