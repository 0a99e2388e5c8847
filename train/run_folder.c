/* Creating, locking and cleaning the folder of a run; folder operations that survive a power cut. */
#include "train/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

ttt_status path_join(const char *folder, const char *name, char **path)
{
    if (asprintf(path, "%s/%s", folder, name) < 0) {
        *path = NULL;
        return ttt_fail(TTT_MEMORY, "%s/%s: no memory", folder, name);
    }
    return TTT_OK;
}

ttt_status folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ttt_fail(TTT_IO, "%s: cannot open: %s", path, strerror(errno));
    /* EINVAL: a file system that has nothing to sync for a folder. */
    int code = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return code ? ttt_fail(TTT_IO, "%s: cannot sync: %s", path, strerror(code)) : TTT_OK;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

ttt_status folder_remove(const char *path)
{
    int code = nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    if (code < 0)
        code = errno == ENOENT ? 0 : errno;
    return code ? ttt_fail(TTT_IO, "%s: cannot remove: %s", path, strerror(code)) : TTT_OK;
}

ttt_status folder_link(const char *folder, const char *name, const char *target)
{
    char *link = NULL, *hidden = NULL;
    ttt_status status;
    TRY_TO(path_join(folder, name, &link), cleanup);
    if (asprintf(&hidden, "%s/.link-%s", folder, name) < 0) {
        hidden = NULL;
        status = ttt_fail(TTT_MEMORY, "%s: no memory", link);
        goto cleanup;
    }
    unlink(hidden);
    if (symlink(target, hidden) != 0 || rename(hidden, link) != 0) {
        status = ttt_fail(TTT_IO, "%s: cannot link to %s: %s", link, target, strerror(errno));
        unlink(hidden);
        goto cleanup;
    }
    TRY_TO(folder_sync(folder), cleanup);
cleanup:
    free(hidden);
    free(link);
    return status;
}

/* mkdir -p. */
static ttt_status make_folders(const char *path)
{
    char *part = strdup(path);
    if (!part)
        return ttt_fail(TTT_MEMORY, "%s: no memory", path);
    int code = 0;
    for (char *at = part + 1; !code; at++) {
        const char separator = *at;
        if (separator != '/' && separator != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            code = errno;
        *at = separator;
        if (separator == '\0')
            break;
    }
    free(part);
    return code ? ttt_fail(TTT_IO, "%s: cannot create the folder: %s", path, strerror(code)) : TTT_OK;
}

/* Our hidden names; any other hidden file is the user's. */
static bool is_leftover(const char *name)
{
    static const char *const prefixes[] = {".writing-", ".removing-", ".link-"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

static ttt_status remove_leftovers(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return ttt_fail(TTT_IO, "%s: cannot read the folder: %s", path, strerror(errno));
    ttt_status status = TTT_OK;
    for (const struct dirent *entry; !status && (entry = readdir(folder));) {
        char *full;
        if (!is_leftover(entry->d_name))
            continue;
        status = path_join(path, entry->d_name, &full);
        if (!status)
            status = folder_remove(full);
        free(full);
    }
    closedir(folder);
    return status;
}

static ttt_status lock_folder(run_folder *run)
{
    run->lock = open(run->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->lock < 0)
        return ttt_fail(TTT_IO, "%s: cannot open: %s", run->path, strerror(errno));
    if (flock(run->lock, LOCK_EX | LOCK_NB) == 0)
        return TTT_OK;
    if (errno == EWOULDBLOCK)
        return ttt_fail(TTT_ARGUMENT,
                        "%s: another process is training in this folder; choose another run.name", run->path);
    /* A file system without locks: two writers are then the user's to avoid. */
    return TTT_OK;
}

ttt_status run_folder_open(const char *path, run_folder *run)
{
    char *checkpoints = NULL;
    ttt_status status;
    *run = (run_folder){.path = strdup(path), .lock = -1};
    if (!run->path)
        return ttt_fail(TTT_MEMORY, "%s: no memory", path);
    TRY_TO(path_join(path, "checkpoints", &checkpoints), cleanup);
    TRY_TO(make_folders(checkpoints), cleanup);
    TRY_TO(lock_folder(run), cleanup);
    if (access(path, W_OK | X_OK) != 0 || access(checkpoints, W_OK | X_OK) != 0) {
        status = ttt_fail(TTT_IO, "%s: cannot write into the folder: %s", path, strerror(errno));
        goto cleanup;
    }
    TRY_TO(remove_leftovers(path), cleanup);
    TRY_TO(remove_leftovers(checkpoints), cleanup);
cleanup:
    free(checkpoints);
    if (status)
        run_folder_close(run);
    return status;
}

void run_folder_close(run_folder *run)
{
    if (run->lock >= 0)
        close(run->lock);
    free(run->path);
    *run = (run_folder){.lock = -1};
}
