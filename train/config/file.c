/* Settings from YAML files: groups, keys, values, and the chain of files that `base` makes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "train/config/settings.h"
#include "train/config/text.h"
#include "train/config/yaml.h"

enum { PATH_ROOM = 192 };

/* One file being read, and through `child` the files that led to it. */
struct source {
    const struct source *child;
    dev_t device;
    ino_t inode;
    struct config_yaml yaml;
    int level; /* of rank */
    char *base;
    int base_line;
    int group_lines[CONFIG_KEYS_MAX]; /* line of each group, by its first key; 0: not seen */
    struct config_settings settings;
};

static ttt_status at_line(const struct source *source, int line, const char *path, ttt_status status)
{
    return config_yaml_at(&source->yaml, line, path ? ttt_within(status, "%s", path) : status);
}

static ttt_status given_twice(const struct source *source, int line, const char *path, int first)
{
    return at_line(source, line, path,
                   ttt_fail(TTT_ARGUMENT, "is given twice, first on line %d; keep one", first));
}

static const char *scalar_text(const yaml_event_t *event)
{
    return (const char *)event->data.scalar.value;
}

/* The text of a scalar event for the caller to own; a NUL byte inside, which YAML can escape, is refused. */
static ttt_status copy_scalar(const struct config_yaml *yaml, char **text)
{
    size_t n = yaml->event.data.scalar.length;
    if (memchr(scalar_text(&yaml->event), 0, n))
        return ttt_fail(TTT_ARGUMENT, "has a NUL character in its value");
    *text = strdup(scalar_text(&yaml->event));
    return *text ? TTT_OK : ttt_fail(TTT_MEMORY, "out of memory for a text of %zu bytes", n);
}

static bool is_quoted(const yaml_event_t *event)
{
    return event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

/* Reads the scalars of a list; the first ones are kept in `texts`, the others are counted. */
static ttt_status read_list(struct source *source, const char *path, char **texts,
                            struct config_written *written)
{
    struct config_yaml *yaml = &source->yaml;
    written->is_list = true;
    for (;;) {
        TRY(config_yaml_next(yaml));
        if (yaml->event.type == YAML_SEQUENCE_END_EVENT)
            return TTT_OK;
        int line = config_yaml_line(yaml);
        if (yaml->event.type != YAML_SCALAR_EVENT || is_quoted(&yaml->event))
            return at_line(source, line, path, ttt_fail(TTT_ARGUMENT, "a list holds plain numbers only"));
        if (written->count < CONFIG_LIST_MAX) {
            TRY(at_line(source, line, path, copy_scalar(yaml, &texts[written->count])));
            written->scalars[written->count] = texts[written->count];
        }
        written->count++;
    }
}

static ttt_status mapping_for_value(const struct config_key *key)
{
    char allowed[256];
    config_key_allowed(key, allowed, sizeof allowed);
    return ttt_fail(TTT_ARGUMENT, "keys stand where a value is expected; allowed: %s", allowed);
}

/* Reads what stands after a key, from the latest event on. */
static ttt_status read_value(struct source *source, int key, int line, struct config_value *value)
{
    struct config_yaml *yaml = &source->yaml;
    const struct config_key *declared = &config_keys[key];
    struct config_written written = {.count = 0};
    char *texts[CONFIG_LIST_MAX] = {NULL};
    ttt_status status = TTT_OK;

    if (yaml->event.type == YAML_MAPPING_START_EVENT)
        return at_line(source, line, declared->path, mapping_for_value(declared));
    if (yaml->event.type == YAML_SEQUENCE_START_EVENT) {
        TRY_TO(read_list(source, declared->path, texts, &written), cleanup);
    } else {
        written.is_quoted = is_quoted(&yaml->event);
        written.count = 1;
        TRY_TO(at_line(source, line, declared->path, copy_scalar(yaml, &texts[0])), cleanup);
        written.scalars[0] = texts[0];
    }
    status = at_line(source, line, declared->path, config_value_read(declared, &written, value));
cleanup:
    for (int i = 0; i < CONFIG_LIST_MAX; i++)
        free(texts[i]);
    return status;
}

static ttt_status read_key(struct source *source, int key, int line)
{
    const char *path = config_keys[key].path;
    struct config_setting *given = &source->settings.of[key];
    if (given->where)
        return given_twice(source, line, path, given->rank % CONFIG_RANK_LEVEL);

    struct config_setting setting = {.rank = source->level * CONFIG_RANK_LEVEL + line};
    TRY(read_value(source, key, line, &setting.value));
    if (asprintf(&setting.where, "%s:%d", source->yaml.path, line) < 0) {
        config_value_free(&setting.value);
        return ttt_fail(TTT_MEMORY, "%s: out of memory while reading", source->yaml.path);
    }
    config_settings_put(&source->settings, key, &setting);
    return TTT_OK;
}

static ttt_status read_base(struct source *source, int line)
{
    if (source->base)
        return given_twice(source, line, "base", source->base_line);
    if (source->yaml.event.type != YAML_SCALAR_EVENT || !*scalar_text(&source->yaml.event))
        return at_line(source, line, "base",
                       ttt_fail(TTT_ARGUMENT, "takes one file name, from this file's folder"));
    source->base_line = line;
    return at_line(source, line, "base", copy_scalar(&source->yaml, &source->base));
}

static ttt_status read_mapping(struct source *source, const char *group);

static ttt_status read_group(struct source *source, const char *path, int line)
{
    const yaml_event_t *event = &source->yaml.event;
    int *first = &source->group_lines[config_key_group(path)];
    if (*first)
        return given_twice(source, line, path, *first);
    *first = line;
    if (event->type == YAML_MAPPING_START_EVENT)
        return read_mapping(source, path);
    if (event->type == YAML_SCALAR_EVENT && !is_quoted(event) && !*scalar_text(event))
        return TTT_OK; /* every key in it is commented out */
    char names[768];
    config_key_names(path, names, sizeof names);
    return at_line(source, line, path,
                   ttt_fail(TTT_ARGUMENT, "is a group and takes no value; it has the keys %s", names));
}

/* Reads the value or group that follows the key just met. */
static ttt_status read_entry(struct source *source, const char *path, int line)
{
    int key = config_key_find(path);
    bool is_base = !strcmp(path, "base");
    if (key < 0 && !is_base && config_key_group(path) < 0)
        return at_line(source, line, NULL, config_unknown_key(path));
    TRY(config_yaml_next(&source->yaml));
    if (is_base)
        return read_base(source, line);
    return key >= 0 ? read_key(source, key, line) : read_group(source, path, line);
}

/* Reads keys up to the end of a mapping whose start was the latest event. */
static ttt_status read_mapping(struct source *source, const char *group)
{
    struct config_yaml *yaml = &source->yaml;
    for (;;) {
        TRY(config_yaml_next(yaml));
        if (yaml->event.type == YAML_MAPPING_END_EVENT)
            return TTT_OK;
        int line = config_yaml_line(yaml);
        if (yaml->event.type != YAML_SCALAR_EVENT)
            return at_line(source, line, NULL, ttt_fail(TTT_ARGUMENT, "a key must be a plain name"));
        const char *name = scalar_text(&yaml->event);
        if (strlen(name) != yaml->event.data.scalar.length || strchr(name, '.'))
            return at_line(source, line, NULL,
                           ttt_fail(TTT_ARGUMENT,
                                    "'%s': a key in a file is one name without dots, inside its group",
                                    config_quote(name).text));
        char path[PATH_ROOM] = "";
        config_append(path, sizeof path, "%s%s%s", group, *group ? "." : "", name);
        TRY(read_entry(source, path, line));
    }
}

static ttt_status read_document(struct source *source)
{
    struct config_yaml *yaml = &source->yaml;
    TRY(config_yaml_next(yaml)); /* stream start */
    TRY(config_yaml_next(yaml));
    if (yaml->event.type == YAML_STREAM_END_EVENT)
        return ttt_fail(TTT_FORMAT, "%s: holds no keys; the least config is 'task: classify'", yaml->path);
    TRY(config_yaml_next(yaml));
    if (yaml->event.type != YAML_MAPPING_START_EVENT)
        return at_line(source, config_yaml_line(yaml), NULL,
                       ttt_fail(TTT_FORMAT, "a config is 'key: value' lines, not a list or a text"));
    TRY(read_mapping(source, ""));
    TRY(config_yaml_next(yaml)); /* document end */
    TRY(config_yaml_next(yaml));
    if (yaml->event.type != YAML_STREAM_END_EVENT)
        return at_line(source, config_yaml_line(yaml), NULL,
                       ttt_fail(TTT_FORMAT, "a second document begins; a config file holds one"));
    return TTT_OK;
}

static ttt_status check_chain(const struct source *source)
{
    int depth = 1;
    for (const struct source *s = source->child; s; s = s->child, depth++)
        if (s->device == source->device && s->inode == source->inode)
            return ttt_fail(TTT_ARGUMENT, "%s: inherits from itself; take out one base of the circle",
                            source->yaml.path);
    if (depth > CONFIG_DEPTH_MAX)
        return ttt_fail(TTT_ARGUMENT, "%s: files inherit more than %d deep", source->yaml.path,
                        CONFIG_DEPTH_MAX);
    return TTT_OK;
}

static ttt_status open_source(struct source *source, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return ttt_fail(TTT_ARGUMENT, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat info;
    ttt_status status = TTT_OK;
    source->yaml.path = path;
    if (fstat(fileno(file), &info))
        TRY_TO(ttt_fail(TTT_IO, "%s: %s", path, strerror(errno)), cleanup);
    source->device = info.st_dev;
    source->inode = info.st_ino;
    TRY_TO(check_chain(source), cleanup);
    status = config_yaml_open(&source->yaml, path, file);
cleanup:
    fclose(file);
    return status;
}

static ttt_status read_source(const char *path, const struct source *child, struct config_settings *settings);

/* Reads the file that this one inherits from, found from this one's folder. */
static ttt_status read_inherited(const struct source *source, struct config_settings *settings)
{
    const char *path = source->yaml.path, *slash = strrchr(path, '/');
    int folder = slash && *source->base != '/' ? (int)(slash + 1 - path) : 0;
    char *joined;
    if (asprintf(&joined, "%.*s%s", folder, path, source->base) < 0)
        return ttt_fail(TTT_MEMORY, "%s: out of memory while reading", path);
    ttt_status status = read_source(joined, source, settings);
    free(joined);
    return status;
}

static ttt_status read_source(const char *path, const struct source *child, struct config_settings *settings)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return ttt_fail(TTT_MEMORY, "%s: out of memory while reading", path);
    ttt_status status = TTT_OK;
    source->child = child;
    source->level = child ? child->level - 1 : CONFIG_DEPTH_MAX - 1;
    status = open_source(source, path);
    if (status && child)
        status = at_line(child, child->base_line, "base", status);
    if (status)
        goto free_source;
    TRY_TO(read_document(source), close_yaml);
    if (source->base)
        TRY_TO(read_inherited(source, settings), close_yaml);
    config_settings_overlay(settings, &source->settings);
close_yaml:
    config_yaml_close(&source->yaml);
free_source:
    config_settings_free(&source->settings);
    free(source->base);
    free(source);
    return status;
}

ttt_status config_read_file(const char *path, struct config_settings *settings)
{
    return read_source(path, NULL, settings);
}
