/* Writing a configuration as YAML, and describing its keys. */
#include <errno.h>
#include <string.h>

#include "train/config/config.h"
#include "train/config/text.h"
#include "train/config/value.h"

/* How many groups a path is in: 2 for "model.ttt.update". */
static int depth_of(const char *path)
{
    int depth = 0;
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.'))
        depth++;
    return depth;
}

static void indent(int depth, FILE *file)
{
    fprintf(file, "%*s", 2 * depth, "");
}

/* Writes the lines that open those groups of a key that the key before it was not in, and returns the key's
 * own name. */
static const char *open_groups(const char *before, const char *path, FILE *file)
{
    const char *name = path;
    int depth = 0;
    for (const char *dot; (dot = strchr(name, '.')); name = dot + 1, depth++) {
        size_t length = (size_t)(dot + 1 - path);
        if (!strncmp(before, path, length))
            continue;
        if (!depth)
            fputc('\n', file);
        indent(depth, file);
        fprintf(file, "%.*s:\n", (int)(dot - name), name);
    }
    return name;
}

/* Writes a comment of at most about 100 columns a line. */
static void write_comment(int depth, const struct run_config_key *key, const char *fallback, FILE *file)
{
    char text[512] = "";
    config_append(text, sizeof text, "%s (%s; default: %s)", key->help, key->allowed,
                  *fallback ? fallback : "none");
    const int width = 100 - 2 * depth;
    for (const char *line = text; *line;) {
        int length = (int)strlen(line);
        if (length > width)
            for (length = width; length > 1 && line[length] != ' ';)
                length--;
        indent(depth, file);
        fprintf(file, "# %.*s\n", length, line);
        line += length;
        line += strspn(line, " ");
    }
}

ttt_status run_config_write(const struct run_config *config, FILE *file, bool with_help)
{
    const char *before = "";
    for (int i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (!config_key_applies(key, (int)config->task))
            continue;
        int depth = depth_of(key->path);
        const char *name = open_groups(before, key->path, file);
        struct run_config_key described;
        if (with_help && run_config_key(i, &described))
            write_comment(depth, &described,
                          key->preset ? key->preset : config_key_fallback(key, (int)config->task), file);
        indent(depth, file);
        fprintf(file, "%s: ", name);
        config_value_print(key, config, file);
        fputc('\n', file);
        before = key->path;
    }
    return fflush(file) || ferror(file)
               ? ttt_fail(TTT_IO, "the config cannot be written: %s", strerror(errno))
               : TTT_OK;
}

bool run_config_key(int i, struct run_config_key *described)
{
    if (i < 0 || i >= config_key_count)
        return false;
    const struct config_key *key = &config_keys[i];
    *described = (struct run_config_key){
        .path = key->path, .fallback = key->preset ? key->preset : key->fallback, .help = key->help};
    described->views = key->preset ? NULL : key->views;
    if (key->task)
        described->task = key->task == KEY_OF_VIEWS ? "views" : "classify";
    config_key_allowed(key, described->allowed, sizeof described->allowed);
    return true;
}
