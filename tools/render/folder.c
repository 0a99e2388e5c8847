/* The folder of a rendering: never a scene's own, nor one with other things in it; a former rendering makes
 * way for the new one. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/made_folder.h"
#include "tools/render/job.h"

static const char marker[] = "Made by ttt render; the next rendering into this folder replaces it.\n";

/* By what they are, not by their names: a link leads to the same folder. */
static bool same_folder(const char *a, const char *b)
{
    struct stat about[2];
    return !stat(a, &about[0]) && !stat(b, &about[1]) && about[0].st_dev == about[1].st_dev &&
           about[0].st_ino == about[1].st_ino;
}

/* Whether a file lies in a folder, not in one below it. */
static bool lies_in(const char *file, const char *folder)
{
    char copy[PATH_MAX];
    struct stat about;
    return strlen(file) < sizeof copy && !stat(file, &about) && S_ISREG(about.st_mode) &&
           same_folder(dirname(strcpy(copy, file)), folder);
}

/* A scene may be a former rendering, whose folder is marked. */
static ttt_status check_apart(const struct scene *scene, const char *out, const char *frames)
{
    bool own = same_folder(scene->path, out) || lies_in(scene->path, out);
    for (uint32_t i = 0; i < scene->view_count && !own; i++)
        own = lies_in(scene->views[i].path, frames);
    if (!own)
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT,
                    "--out %s: holds the scene %s, which would be overwritten; name another folder", out,
                    scene->path);
}

static ttt_status remove_file(const char *folder, const char *name)
{
    char path[PATH_MAX];
    TRY(made_path(path, "%s/%s", folder, name));
    if (!unlink(path) || errno == ENOENT)
        return TTT_OK;
    return ttt_fail(TTT_IO, "%s: a former rendering's file cannot be removed: %s", path, strerror(errno));
}

/* Whether a name is 0000.png or the like, as frames are called. */
static bool is_frame(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    return digits >= 4 && !strcmp(name + digits, ".png");
}

static ttt_status remove_frames(const char *frames)
{
    DIR *folder = opendir(frames);
    ttt_status status = TTT_OK;
    if (!folder)
        return ttt_fail(TTT_IO, "%s: cannot be opened as a folder: %s", frames, strerror(errno));
    for (const struct dirent *entry; !status && (entry = readdir(folder));)
        if (is_frame(entry->d_name))
            status = remove_file(frames, entry->d_name);
    closedir(folder);
    return status;
}

ttt_status render_prepare_folder(const struct render_job *job)
{
    const char *out = job->request->out;
    char frames[PATH_MAX];
    TRY(made_path(frames, "%s/frames", out));
    TRY(check_apart(&job->scene, out, frames));
    TRY(made_folder_prepare(out, marker));
    TRY(made_folder_create(frames));
    /* The cameras go first: they never stand beside frames of which they know nothing. */
    TRY(remove_file(out, "opencv_cameras.json"));
    TRY(remove_file(out, "sheet.png"));
    return remove_frames(frames);
}
