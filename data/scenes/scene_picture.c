/* Pictures of a scene's entries: where they may lie, and how large they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/decode.h"
#include "data/scenes/scene_json.h"
#include "data/scenes/scene_reader.h"

/* Whether a path stays below the folder that it starts in. */
static bool stays_inside(const char *path)
{
    int depth = 0;
    if (*path == '/')
        return false;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.')
            depth--;
        else if (length > 0 && !(length == 1 && path[0] == '.'))
            depth++;
        if (depth < 0)
            return false;
        path += length + (path[length] == '/');
    }
    return depth > 0;
}

static bool is_file(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

/* FOLDER/NAME, with the first extension that makes it a file; *path NULL where there is none. */
static ttt_status find_file(const char *folder, const char *name, char **path)
{
    static const char *const extensions[] = {"", ".png", ".jpg", ".jpeg"};
    size_t room = strlen(folder) + strlen(name) + 16;
    char *found = malloc(room);
    *path = NULL;
    if (!found)
        return ttt_fail(TTT_MEMORY, "not enough memory for a path");
    /* file_path of Blender's files starts with "./". */
    while (!strncmp(name, "./", 2))
        name += 2;
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        snprintf(found, room, "%s/%s%s", folder, name, extensions[i]);
        if (is_file(found)) {
            *path = found;
            return TTT_OK;
        }
    }
    free(found);
    return TTT_OK;
}

/* Reads the header alone where the first bytes hold it, else the file. */
static ttt_status picture_size(const char *path, int *width, int *height)
{
    enum { FIRST = 16384 };
    uint8_t first[FIRST], *bytes;
    size_t size;
    const struct decode_options options = decode_options_default();
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = file < 0 ? -1 : read(file, first, sizeof first);
    if (file >= 0)
        close(file);
    if (got > 0) {
        ttt_status status = image_size(first, (size_t)got, &options, width, height);
        if (!status)
            return TTT_OK;
        ttt_status_free(status);
    }
    TRY(file_read(path, options.max_bytes, &bytes, &size));
    ttt_status status = image_size(bytes, size, &options, width, height);
    free(bytes);
    return ttt_within(status, "%s", path);
}

ttt_status scene_find_picture(const struct scene_reader *reader, const json_t *entry, char **path, int *width,
                              int *height)
{
    const char *name;
    *path = NULL;
    TRY(scene_json_text(entry, "file_path", &name, NULL));
    if (strlen(name) > 4096 || !stays_inside(name))
        return ttt_fail(TTT_FORMAT, "key 'file_path': '%s' is not a picture below the scene's folder",
                        scene_quote(name).text);
    TRY(find_file(reader->folder, name, path));
    if (!*path && reader->options->leave_out_missing)
        return TTT_OK;
    if (!*path)
        return ttt_fail(TTT_FORMAT, "key 'file_path': there is no picture '%s'", scene_quote(name).text);
    ttt_status status = picture_size(*path, width, height);
    if (status) {
        free(*path);
        *path = NULL;
    }
    return ttt_within(status, "key 'file_path'");
}

ttt_status scene_check_size(const struct scene_view *view, int width, int height)
{
    const char *keys = !width ? "key 'h'" : !height ? "key 'w'" : "keys 'w' and 'h'";
    width = width ? width : view->width;
    height = height ? height : view->height;
    if (width == view->width && height == view->height)
        return TTT_OK;
    return ttt_fail(TTT_FORMAT, "%s: %dx%d in the file, %dx%d in the picture %s", keys, width, height,
                    view->width, view->height, view->path);
}
