/* Writing and loading checkpoints, each as a whole or not at all. */
#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "train/checkpoint_file.h"
#include "train/run_folder.h"

__attribute__((format(printf, 2, 3))) static ttt_status format_path(char **path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(path, format, arguments);
    va_end(arguments);
    if (length >= 0)
        return TTT_OK;
    *path = NULL;
    return ttt_fail(TTT_MEMORY, "no memory for a path");
}

ttt_status checkpoint_model_path(const char *run, int64_t step, char **path)
{
    return format_path(path, "%s/checkpoints/%" PRId64 "/model.safetensors", run, step);
}

static ttt_status write_files(const char *folder, const checkpoint *contents)
{
    char *model = NULL, *state = NULL;
    ttt_status status;
    TRY_TO(path_join(folder, "model.safetensors", &model), cleanup);
    TRY_TO(path_join(folder, "state.safetensors", &state), cleanup);
    TRY_TO(checkpoint_file_write(model, contents->model, contents->model_count, NULL), cleanup);
    TRY_TO(checkpoint_file_write(state, contents->state, contents->state_count, &contents->scalars), cleanup);
    TRY_TO(folder_sync(folder), cleanup);
cleanup:
    free(state);
    free(model);
    return status;
}

/* Gives a finished folder its name.  One that stands there already, from a run that went back, changes
 * places with it in one step, so that at no moment is there none. */
static ttt_status put_in_place(const char *hidden, const char *visible)
{
    if (rename(hidden, visible) == 0)
        return TTT_OK;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return ttt_fail(TTT_IO, "%s: cannot rename to it: %s", visible, strerror(errno));
    if (renameat2(AT_FDCWD, hidden, AT_FDCWD, visible, RENAME_EXCHANGE) == 0)
        return folder_remove(hidden);
    /* A file system that cannot exchange. */
    TRY(folder_remove(visible));
    if (rename(hidden, visible) != 0)
        return ttt_fail(TTT_IO, "%s: cannot rename to it: %s", visible, strerror(errno));
    return TTT_OK;
}

static ttt_status link_step(const char *run, const char *name, int64_t step)
{
    char target[48];
    snprintf(target, sizeof target, "checkpoints/%" PRId64, step);
    return folder_link(run, name, target);
}

ttt_status checkpoint_save(const char *run, int64_t step, const checkpoint *contents)
{
    char *folder = NULL, *hidden = NULL, *visible = NULL;
    ttt_status status;
    TRY_TO(path_join(run, "checkpoints", &folder), cleanup);
    TRY_TO(format_path(&hidden, "%s/.writing-%" PRId64, folder, step), cleanup);
    TRY_TO(format_path(&visible, "%s/%" PRId64, folder, step), cleanup);
    TRY_TO(folder_remove(hidden), cleanup);
    if (mkdir(hidden, 0777) != 0) {
        status = ttt_fail(TTT_IO, "%s: cannot create the folder: %s", hidden, strerror(errno));
        goto cleanup;
    }
    status = write_files(hidden, contents);
    if (!status)
        status = put_in_place(hidden, visible);
    if (status) {
        ttt_status_free(folder_remove(hidden));
        goto cleanup;
    }
    TRY_TO(folder_sync(folder), cleanup);
    TRY_TO(link_step(run, "latest", step), cleanup);
cleanup:
    free(visible);
    free(hidden);
    free(folder);
    return ttt_within(status, "checkpoint of step %" PRId64 " not saved", step);
}

static ttt_status load_files(const char *model_path, const char *state_path, checkpoint *contents)
{
    safetensors_file *model = NULL, *state = NULL;
    checkpoint_scalars scalars;
    ttt_status status;
    TRY_TO(checkpoint_file_open(model_path, false, &model), cleanup);
    TRY_TO(checkpoint_file_match(model, false, contents->model, contents->model_count), cleanup);
    TRY_TO(checkpoint_file_open(state_path, false, &state), cleanup);
    TRY_TO(checkpoint_file_match(state, false, contents->state, contents->state_count), cleanup);
    TRY_TO(checkpoint_file_scalars(state, &scalars), cleanup);
    checkpoint_file_read(model, contents->model, contents->model_count);
    checkpoint_file_read(state, contents->state, contents->state_count);
    contents->scalars = scalars;
cleanup:
    safetensors_close(state);
    safetensors_close(model);
    return status;
}

ttt_status checkpoint_load(const char *run, int64_t step, checkpoint *contents)
{
    char *model = NULL, *state = NULL;
    ttt_status status;
    TRY_TO(checkpoint_model_path(run, step, &model), cleanup);
    TRY_TO(format_path(&state, "%s/checkpoints/%" PRId64 "/state.safetensors", run, step), cleanup);
    TRY_TO(load_files(model, state, contents), cleanup);
cleanup:
    free(state);
    free(model);
    return status;
}

ttt_status weights_load(const char *path, const checkpoint_tensor *tensors, size_t n)
{
    safetensors_file *file = NULL;
    ttt_status status;
    TRY_TO(checkpoint_file_open(path, true, &file), cleanup);
    TRY_TO(checkpoint_file_match(file, true, tensors, n), cleanup);
    checkpoint_file_read(file, tensors, n);
cleanup:
    safetensors_close(file);
    return status;
}

__attribute__((format(printf, 2, 3))) static void report(checkpoint_reporter reporter, const char *format,
                                                         ...)
{
    va_list arguments;
    char *line = NULL;
    va_start(arguments, format);
    if (reporter.say && vasprintf(&line, format, arguments) >= 0)
        reporter.say(reporter.context, line);
    va_end(arguments);
    free(line);
}

/* Tries steps[i] for i from `count` - 1 down to 0; keeps the first error in case none can be used. */
static ttt_status load_newest(const char *run, const int64_t *steps, size_t count, checkpoint *contents,
                              checkpoint_reporter reporter, int64_t *step)
{
    ttt_status first = TTT_OK;
    for (size_t i = count; i-- > 0;) {
        ttt_status status = checkpoint_load(run, steps[i], contents);
        if (!status) {
            if (first)
                report(reporter, "resuming from the checkpoint of step %" PRId64 " instead", steps[i]);
            ttt_status_free(first);
            *step = steps[i];
            return TTT_OK;
        }
        report(reporter, "checkpoint of step %" PRId64 " cannot be used: %s", steps[i],
               ttt_status_text(status));
        if (first)
            ttt_status_free(status);
        else
            first = status;
    }
    return ttt_within(first, "no checkpoint of the run can be used");
}

ttt_status checkpoint_load_latest(const char *run, checkpoint *contents, checkpoint_reporter reporter,
                                  int64_t *step)
{
    int64_t *steps = NULL;
    size_t count = 0;
    *step = -1;
    TRY(checkpoint_list(run, &steps, &count));
    const int64_t latest = checkpoint_latest(run);
    size_t usable = count;
    /* Beyond `latest` stands only what a killed writer had not yet declared good. */
    while (latest >= 0 && usable && steps[usable - 1] > latest)
        usable--;
    if (count && (latest < 0 || !usable || steps[usable - 1] != latest))
        report(reporter, "%s/latest names no checkpoint; trying the newest of %zu", run,
               usable ? usable : count);
    ttt_status status = TTT_OK;
    if (count)
        status = load_newest(run, steps, usable ? usable : count, contents, reporter, step);
    free(steps);
    return status;
}
