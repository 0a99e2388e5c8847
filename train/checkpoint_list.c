/* Which checkpoints a run has, which are `latest` and `best`, and which may go. */
#include "train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/run_folder.h"

/* A folder name as checkpoint_save writes it: decimal, no sign, no leading zero. */
static bool parse_step(const char *name, int64_t *step)
{
    char *end, again[24];
    if (*name < '0' || *name > '9')
        return false;
    errno = 0;
    *step = strtoll(name, &end, 10);
    if (*end || errno)
        return false;
    snprintf(again, sizeof again, "%" PRId64, *step);
    return !strcmp(again, name);
}

static int compare_steps(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Doubles the room of steps when *count has filled it. */
static ttt_status append_step(int64_t **steps, size_t *count, int64_t step)
{
    if ((*count & (*count - 1)) == 0) {
        int64_t *more = realloc(*steps, (*count ? 2 * *count : 1) * sizeof *more);
        if (!more)
            return ttt_fail(TTT_MEMORY, "no memory for %zu steps", *count);
        *steps = more;
    }
    (*steps)[(*count)++] = step;
    return TTT_OK;
}

ttt_status checkpoint_list(const char *run, int64_t **steps, size_t *count)
{
    char *path = NULL;
    ttt_status status = TTT_OK;
    *steps = NULL;
    *count = 0;
    TRY(path_join(run, "checkpoints", &path));
    DIR *folder = opendir(path);
    if (!folder && errno != ENOENT)
        status = ttt_fail(TTT_IO, "%s: cannot read the folder: %s", path, strerror(errno));
    for (const struct dirent *entry; folder && !status && (entry = readdir(folder));) {
        int64_t step;
        if (parse_step(entry->d_name, &step))
            status = append_step(steps, count, step);
    }
    if (folder)
        closedir(folder);
    if (*count)
        qsort(*steps, *count, sizeof **steps, compare_steps);
    if (status) {
        free(*steps);
        *steps = NULL;
        *count = 0;
    }
    free(path);
    return status;
}

/* The step that the link run/name names. */
static int64_t linked_step(const char *run, const char *name)
{
    static const char prefix[] = "checkpoints/";
    char *path = NULL, target[64];
    int64_t step;
    ttt_status status = path_join(run, name, &path);
    if (status) {
        ttt_status_free(status);
        return -1;
    }
    ssize_t length = readlink(path, target, sizeof target - 1);
    const bool exists = length >= 0 && access(path, F_OK) == 0;
    free(path);
    if (!exists)
        return -1;
    target[length] = '\0';
    if (strncmp(target, prefix, strlen(prefix)) != 0 || !parse_step(target + strlen(prefix), &step))
        return -1;
    return step;
}

int64_t checkpoint_latest(const char *run)
{
    return linked_step(run, "latest");
}

int64_t checkpoint_best(const char *run)
{
    return linked_step(run, "best");
}

ttt_status checkpoint_mark_best(const char *run, int64_t step)
{
    char target[48];
    snprintf(target, sizeof target, "checkpoints/%" PRId64, step);
    return folder_link(run, "best", target);
}

/* Hides the folder first: a killed removal leaves no half of a checkpoint under its name. */
static ttt_status remove_step(const char *run, int64_t step)
{
    char *visible = NULL, *hidden = NULL;
    ttt_status status = TTT_OK;
    if (asprintf(&visible, "%s/checkpoints/%" PRId64, run, step) < 0)
        visible = NULL;
    if (asprintf(&hidden, "%s/checkpoints/.removing-%" PRId64, run, step) < 0)
        hidden = NULL;
    if (!visible || !hidden)
        status = ttt_fail(TTT_MEMORY, "no memory for a path");
    else if (rename(visible, hidden) != 0)
        status = ttt_fail(TTT_IO, "%s: cannot remove: %s", visible, strerror(errno));
    else
        status = folder_remove(hidden);
    free(hidden);
    free(visible);
    return status;
}

ttt_status checkpoint_prune(const char *run, int keep)
{
    int64_t *steps;
    size_t count;
    ttt_status status = TTT_OK;
    TRY(checkpoint_list(run, &steps, &count));
    const int64_t latest = checkpoint_latest(run), best = checkpoint_best(run);
    /* What stands beyond `latest` is of a run that went back: it is no one to fall back to. */
    while (latest >= 0 && count && steps[count - 1] > latest)
        count--;
    for (size_t i = 0; !status && i + (size_t)keep < count; i++)
        if (steps[i] != best)
            status = remove_step(run, steps[i]);
    free(steps);
    return status;
}
