/* Expanding arguments into files. */
#include "tools/predict/paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static ttt_status add(struct path_list *list, char *path)
{
    int count = list->count;
    if (path && !(count & (count - 1))) {
        char **more = realloc(list->paths, (count ? 2 * (size_t)count : 1) * sizeof *more);
        if (more)
            list->paths = more;
        else {
            free(path);
            path = NULL;
        }
    }
    if (!path)
        return ttt_fail(TTT_MEMORY, "no memory for %d paths", count + 1);
    list->paths[list->count++] = path;
    return TTT_OK;
}

static int is_picture(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot != entry->d_name &&
           (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") || !strcasecmp(dot, ".png"));
}

static int in_byte_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static ttt_status add_folder(struct path_list *list, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_picture, in_byte_order);
    if (count < 0)
        return ttt_fail(TTT_IO, "%s: the folder cannot be read: %s", folder, strerror(errno));
    ttt_status status = TTT_OK;
    if (!count)
        status = ttt_fail(TTT_ARGUMENT, "%s: the folder has no pictures (.jpg, .jpeg, .png)", folder);
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (!status && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0)
            path = NULL;
        if (!status)
            status = add(list, path);
        free(entries[i]);
    }
    free(entries);
    return status;
}

ttt_status path_list_find(int count, char *const *arguments, struct path_list *list)
{
    int missing = 0;
    for (int i = 0; i < count; i++) {
        struct stat information;
        bool exists = stat(arguments[i], &information) == 0;
        missing += !exists;
        if (exists && S_ISDIR(information.st_mode))
            TRY(add_folder(list, arguments[i]));
        else
            TRY(add(list, strdup(arguments[i])));
    }
    if (!count)
        return ttt_fail(TTT_ARGUMENT, "which pictures? usage: ttt predict RUN IMAGE ...");
    if (missing < count)
        return TTT_OK;
    return count == 1
               ? ttt_fail(TTT_ARGUMENT, "%s: no such picture or folder", arguments[0])
               : ttt_fail(TTT_ARGUMENT, "none of the %d pictures exists, such as %s", count, arguments[0]);
}

void path_list_free(struct path_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct path_list){0};
}
