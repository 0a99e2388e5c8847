/* Writing a configuration as the record of a run, which holds in any folder. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/config/config.h"
#include "train/config/key.h"
#include "train/config/text.h"

/* `path` from / on, for the caller to own.  One that a config file cannot hold stays as it is: the record
 * must be read again. */
static ttt_status from_root(const char *folder, const char *path, char **whole)
{
    int length = 0;
    if (!*path || *path == '/')
        *whole = strdup(path);
    else
        length = asprintf(whole, "%s%s%s", folder, strcmp(folder, "/") ? "/" : "", path);
    if (length >= CONFIG_STRING_MAX || (length > 0 && !config_text_printable(*whole))) {
        free(*whole);
        *whole = strdup(path);
    }
    if (length >= 0 && *whole)
        return TTT_OK;
    *whole = NULL;
    return ttt_fail(TTT_MEMORY, "%s: out of memory for a path", path);
}

ttt_status run_config_record(const struct run_config *config, FILE *file)
{
    struct run_config record = *config;
    char **const paths[] = {&record.data.root, &record.data.views.index, &record.eval.views.index};
    size_t done = 0;
    char *folder = getcwd(NULL, 0);
    ttt_status status = TTT_OK;
    if (!folder)
        return ttt_fail(TTT_IO, "the working folder cannot be found: %s", strerror(errno));
    for (; done < sizeof paths / sizeof *paths && !status; done++)
        status = from_root(folder, *paths[done], paths[done]);
    if (!status)
        status = run_config_write(&record, file, true);
    while (done)
        free(*paths[--done]);
    free(folder);
    return status;
}
