/* Lists of scenes: JSON arrays of paths, text files, folders of scene folders. */
#include "data/scenes/scene_list.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/decode.h"
#include "data/scenes/scene.h"
#include "data/scenes/scene_json.h"

/* Text lists up to this size. */
enum { LIST_BYTES = 64 << 20 };

/* Adds FOLDER/name, or name itself where it is absolute or folder is NULL. */
static ttt_status add(struct scene_list *list, const char *folder, const char *name)
{
    char *path;
    if (list->count >= SCENE_LIST_MAX)
        return ttt_fail(TTT_FORMAT, "lists more than %d scenes", SCENE_LIST_MAX);
    if ((list->count & (list->count - 1)) == 0) {
        char **larger = realloc(list->paths, (2 * list->count + 1) * sizeof *larger);
        if (!larger)
            return ttt_fail(TTT_MEMORY, "not enough memory for the list");
        list->paths = larger;
    }
    bool as_is = !folder || *name == '/';
    if (asprintf(&path, "%s%s%s", as_is ? "" : folder, as_is ? "" : "/", name) < 0)
        return ttt_fail(TTT_MEMORY, "not enough memory for the list");
    list->paths[list->count++] = path;
    return TTT_OK;
}

static ttt_status read_array(struct scene_list *list, const char *folder, const json_t *root)
{
    if (json_array_size(root) == 0)
        return ttt_fail(TTT_FORMAT, "lists no scenes");
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *value = json_array_get(root, i);
        if (!json_is_string(value) || !*json_string_value(value))
            return ttt_fail(TTT_FORMAT, "entry %zu: is not the path of a scene", i);
        TRY(add(list, folder, json_string_value(value)));
    }
    return TTT_OK;
}

/* One path a line, without comments and surrounding blanks. */
static ttt_status read_lines(struct scene_list *list, const char *folder, char *text)
{
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\r\n"));) {
        line += strspn(line, " \t");
        line[strcspn(line, "#")] = '\0';
        for (size_t n = strlen(line); n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--)
            line[n - 1] = '\0';
        if (*line)
            TRY(add(list, folder, line));
    }
    return list->count ? TTT_OK : ttt_fail(TTT_FORMAT, "lists no scenes");
}

/* A JSON array of texts is a list; every other JSON, and what has a known name, is a scene. */
static ttt_status read_json(const char *path, const char *folder, struct scene_list *list)
{
    json_t *root;
    TRY(scene_json_read(path, &root));
    const json_t *first = json_array_get(root, 0);
    ttt_status status = TTT_OK;
    if (json_is_array(root) && (!first || json_is_string(first)))
        status = read_array(list, folder, root);
    else
        list->single = true;
    json_decref(root);
    return ttt_within(status, "%s", path);
}

static ttt_status read_text(const char *path, const char *folder, struct scene_list *list)
{
    uint8_t *bytes;
    size_t size;
    TRY(file_read(path, LIST_BYTES, &bytes, &size));
    char *text = memchr(bytes, 0, size) ? NULL : strndup((char *)bytes, size);
    bool binary = memchr(bytes, 0, size) != NULL;
    free(bytes);
    if (!text)
        return binary ? ttt_fail(TTT_FORMAT, "%s: is neither JSON nor a text file with paths", path)
                      : ttt_fail(TTT_MEMORY, "%s: not enough memory", path);
    ttt_status status = ttt_within(read_lines(list, folder, text), "%s", path);
    free(text);
    return status;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static ttt_status read_folder(const char *path, struct scene_list *list)
{
    DIR *folder = opendir(path);
    ttt_status status = TTT_OK;
    if (!folder)
        return ttt_fail(TTT_IO, "%s: the folder cannot be read: %s", path, strerror(errno));
    for (const struct dirent *entry; !status && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') {
            size_t before = list->count;
            status = add(list, path, entry->d_name);
            struct stat about;
            bool scene = !status && stat(list->paths[before], &about) == 0 && S_ISDIR(about.st_mode) &&
                         scene_exists(list->paths[before]);
            if (!status && !scene)
                free(list->paths[--list->count]);
        }
    closedir(folder);
    if (!status && list->count == 0)
        return ttt_fail(
            TTT_ARGUMENT,
            "%s: holds no scene: no opencv_cameras.json or transforms.json, here or one folder below", path);
    if (!status)
        qsort(list->paths, list->count, sizeof *list->paths, compare);
    return ttt_within(status, "%s", path);
}

/* Whether the first byte that is no blank opens JSON. */
static bool looks_like_json(const char *path)
{
    FILE *file = fopen(path, "rbe");
    int byte = file ? fgetc(file) : EOF;
    while (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t')
        byte = fgetc(file);
    if (file)
        fclose(file);
    return byte == '[' || byte == '{';
}

static bool named_json(const char *path)
{
    size_t length = strlen(path);
    return length > 5 && !strcmp(path + length - 5, ".json");
}

static ttt_status read_path(const char *path, struct scene_list *list)
{
    struct stat about;
    if (stat(path, &about))
        return ttt_fail(errno == ENOENT || errno == ENOTDIR ? TTT_ARGUMENT : TTT_IO,
                        "%s: cannot be opened: %s", path, strerror(errno));
    list->single = scene_exists(path);
    if (list->single)
        return TTT_OK;
    if (S_ISDIR(about.st_mode))
        return read_folder(path, list);
    char *copy = strdup(path);
    if (!copy)
        return ttt_fail(TTT_MEMORY, "%s: not enough memory", path);
    const char *folder = dirname(copy);
    bool json = S_ISREG(about.st_mode) && (named_json(path) || looks_like_json(path));
    ttt_status status = json ? read_json(path, folder, list) : read_text(path, folder, list);
    free(copy);
    return status;
}

ttt_status scene_list_read(const char *path, struct scene_list *list)
{
    *list = (struct scene_list){0};
    ttt_status status = read_path(path, list);
    if (!status && list->single)
        status = add(list, NULL, path);
    if (status)
        scene_list_free(list);
    return status;
}

void scene_list_free(struct scene_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct scene_list){0};
}
