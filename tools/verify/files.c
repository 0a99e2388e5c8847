/* Finding golden vector files. */
#include "tools/verify/files.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static ttt_status append(struct file_list *list, const char *path)
{
    if (list->count == list->room) {
        int room = list->room ? 2 * list->room : 64;
        char **paths = realloc(list->paths, (size_t)room * sizeof *paths);
        if (!paths)
            return ttt_fail(TTT_MEMORY, "out of memory for a list of files");
        list->paths = paths;
        list->room = room;
    }
    char *copy = strdup(path);
    if (!copy)
        return ttt_fail(TTT_MEMORY, "out of memory for a list of files");
    list->paths[list->count++] = copy;
    return TTT_OK;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_safetensors(const FTSENT *entry)
{
    static const char ending[] = ".safetensors";
    const size_t length = strlen(entry->fts_name), tail = sizeof ending - 1;
    struct stat target;
    if (length < tail || strcmp(entry->fts_name + length - tail, ending))
        return false;
    return entry->fts_info == FTS_F ||
           (entry->fts_info == FTS_SL && !stat(entry->fts_accpath, &target) && S_ISREG(target.st_mode));
}

static ttt_status add_entry(struct file_list *list, const FTSENT *entry)
{
    if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
        return ttt_fail(TTT_IO, "%s: the folder cannot be read: %s", entry->fts_path,
                        strerror(entry->fts_errno));
    return is_safetensors(entry) ? append(list, entry->fts_path) : TTT_OK;
}

static ttt_status add_folder(struct file_list *list, const char *path)
{
    char *root = strdup(path);
    if (!root)
        return ttt_fail(TTT_MEMORY, "out of memory for a list of files");
    ttt_status status = TTT_OK;
    FTS *walk = fts_open((char *[]){root, NULL}, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (!walk) {
        status = ttt_fail(TTT_IO, "%s: the folder cannot be read: %s", path, strerror(errno));
    } else {
        const FTSENT *entry;
        while (!status && (entry = fts_read(walk)))
            status = add_entry(list, entry);
        fts_close(walk);
    }
    free(root);
    return status;
}

ttt_status file_list_add(struct file_list *list, const char *path)
{
    struct stat about;
    if (stat(path, &about))
        return ttt_fail(errno == ENOENT || errno == ENOTDIR ? TTT_ARGUMENT : TTT_IO, "%s: %s", path,
                        strerror(errno));
    return S_ISDIR(about.st_mode) ? add_folder(list, path) : append(list, path);
}

void file_list_free(struct file_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct file_list){0};
}
