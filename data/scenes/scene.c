/* Opening scenes: which files a folder stands for, and collecting views. */
#include "data/scenes/scene.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/scenes/scene_json.h"
#include "data/scenes/scene_reader.h"

/* Files of a folder in order of preference; those of a group are one scene. */
static const struct {
    const char *file, *split;
    int group;
} KNOWN[] = {{"opencv_cameras.json", "", 0},
             {"transforms.json", "", 1},
             {"transforms_train.json", "train", 2},
             {"transforms_val.json", "val", 2},
             {"transforms_test.json", "test", 2}};

enum { KNOWN_COUNT = sizeof KNOWN / sizeof *KNOWN };

static bool is_kind(const char *path, mode_t kind)
{
    struct stat about;
    return stat(path, &about) == 0 && (about.st_mode & S_IFMT) == kind;
}

static char *join(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static int known_index(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (int i = 0; i < KNOWN_COUNT; i++)
        if (!strcmp(name, KNOWN[i].file))
            return i;
    return -1;
}

/* Also where it is no file, or a link to none: reading it says so. */
static bool folder_has(const char *folder, const char *file)
{
    struct stat about;
    char *path = join(folder, file);
    bool has = path && lstat(path, &about) == 0;
    free(path);
    return has;
}

bool scene_exists(const char *path)
{
    if (!is_kind(path, S_IFDIR))
        return known_index(path) >= 0;
    for (int i = 0; i < KNOWN_COUNT; i++)
        if (folder_has(path, KNOWN[i].file))
            return true;
    return false;
}

ttt_status scene_add_view(struct scene_reader *reader, struct scene_view *view, const char *split)
{
    struct scene *scene = reader->scene;
    view->split = strdup(split);
    bool room = view->split != NULL;
    if (room && scene->view_count == reader->capacity) {
        uint32_t capacity = 2 * reader->capacity + 16;
        struct scene_view *larger = realloc(scene->views, capacity * sizeof *larger);
        room = larger != NULL;
        if (room) {
            scene->views = larger;
            reader->capacity = capacity;
        }
    }
    if (!room) {
        free(view->split);
        free(view->path);
        return ttt_fail(TTT_MEMORY, "not enough memory for the views");
    }
    scene->views[scene->view_count++] = *view;
    return TTT_OK;
}

static ttt_status read_root(struct scene_reader *reader, const json_t *root, const char *split)
{
    if (json_is_array(root))
        return scene_read_opencv(reader, root);
    if (json_is_object(root))
        return scene_read_transforms(reader, root, split);
    return ttt_fail(TTT_FORMAT, "is neither a list of cameras nor an object with 'frames'");
}

/* Adds one file's views; pictures are looked up in its folder. */
static ttt_status read_file(struct scene_reader *reader, const char *path, const char *split)
{
    char *copy = strdup(path);
    json_t *root;
    if (!copy)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory", path);
    reader->folder = dirname(copy);
    ttt_status status = scene_json_read(path, &root);
    if (!status) {
        uint32_t before = reader->first_entry;
        status = ttt_within(read_root(reader, root, split), "%s", path);
        size_t entries =
            json_is_array(root) ? json_array_size(root) : json_array_size(json_object_get(root, "frames"));
        reader->first_entry = before + (uint32_t)entries;
        json_decref(root);
    }
    reader->folder = NULL;
    free(copy);
    return status;
}

/* Reads the preferred group of files of a folder. */
static ttt_status read_folder(struct scene_reader *reader, const char *folder)
{
    int group = -1;
    for (int i = 0; i < KNOWN_COUNT; i++) {
        if ((group >= 0 && KNOWN[i].group != group) || !folder_has(folder, KNOWN[i].file))
            continue;
        group = KNOWN[i].group;
        char *path = join(folder, KNOWN[i].file);
        if (!path)
            return ttt_fail(TTT_MEMORY, "%s: not enough memory", folder);
        ttt_status status = read_file(reader, path, KNOWN[i].split);
        free(path);
        TRY(status);
    }
    if (group >= 0)
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT,
                    "%s: holds no opencv_cameras.json, transforms.json or transforms_train.json", folder);
}

/* The folder's name where the file has one of the known names, else the file's without extension. */
static char *scene_name(const char *path)
{
    char *resolved = realpath(path, NULL);
    if (!resolved)
        return NULL;
    char *name;
    if (is_kind(resolved, S_IFREG) && known_index(path) >= 0) {
        name = strdup(basename(dirname(resolved)));
    } else {
        name = strdup(basename(resolved));
        char *dot = name && is_kind(path, S_IFREG) ? strrchr(name, '.') : NULL;
        if (dot && dot != name)
            *dot = '\0';
    }
    free(resolved);
    return name;
}

static ttt_status open_path(const char *path, const struct scene_options *options, struct scene *scene)
{
    struct scene_reader reader = {.options = options, .scene = scene};
    int known = known_index(path);
    struct stat about;
    if (stat(path, &about))
        return ttt_fail(errno == ENOENT || errno == ENOTDIR ? TTT_ARGUMENT : TTT_IO,
                        "%s: the scene cannot be opened: %s", path, strerror(errno));
    scene->path = strdup(path);
    scene->name = scene_name(path);
    if (!scene->path || !scene->name)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory", path);
    if (S_ISDIR(about.st_mode))
        TRY(read_folder(&reader, path));
    else
        TRY(read_file(&reader, path, known >= 0 ? KNOWN[known].split : ""));
    if (scene->view_count > 0)
        return TTT_OK;
    if (scene->missing > 0)
        return ttt_fail(TTT_FORMAT, "%s: none of the pictures of its %u views is there", path,
                        scene->missing);
    return ttt_fail(TTT_FORMAT, "%s: key 'frames' lists no views, in any file of the scene", path);
}

ttt_status scene_open(const char *path, const struct scene_options *options, struct scene *scene)
{
    *scene = (struct scene){0};
    ttt_status status = open_path(path, options, scene);
    if (status)
        scene_free(scene);
    return status;
}

ttt_status scene_check_sides(const struct scene *scene, int patch)
{
    for (uint32_t i = 0; i < scene->view_count; i++) {
        const struct scene_view *view = &scene->views[i];
        if (view->width < patch || view->height < patch)
            return ttt_fail(TTT_ARGUMENT, "%s: the picture has %dx%d pixels, less than a patch of %dx%d",
                            view->path, view->width, view->height, patch, patch);
    }
    return TTT_OK;
}

void scene_free(struct scene *scene)
{
    for (uint32_t i = 0; i < scene->view_count; i++) {
        free(scene->views[i].path);
        free(scene->views[i].split);
    }
    free(scene->views);
    free(scene->name);
    free(scene->path);
    *scene = (struct scene){0};
}
