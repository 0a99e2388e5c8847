/* Keys that were given explicitly: keeping them, and reading those of the command line. */
#include "train/config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "train/config/text.h"

static void free_setting(struct config_setting *setting)
{
    free(setting->where);
    config_value_free(&setting->value);
    *setting = (struct config_setting){.where = NULL};
}

void config_settings_put(struct config_settings *settings, int key, struct config_setting *setting)
{
    free_setting(&settings->of[key]);
    settings->of[key] = *setting;
    *setting = (struct config_setting){.where = NULL};
}

void config_settings_overlay(struct config_settings *settings, struct config_settings *over)
{
    for (int i = 0; i < config_key_count; i++)
        if (over->of[i].where)
            config_settings_put(settings, i, &over->of[i]);
}

void config_settings_free(struct config_settings *settings)
{
    for (int i = 0; i < config_key_count; i++)
        free_setting(&settings->of[i]);
}

int config_settings_latest(const struct config_settings *settings, const char *const *paths)
{
    int latest = -1;
    for (; *paths; paths++) {
        int key = config_key_find(*paths);
        const struct config_setting *setting = &settings->of[key];
        if (setting->where && (latest < 0 || setting->rank > settings->of[latest].rank))
            latest = key;
    }
    return latest;
}

/* The part of a path that names a group, such as "model" of "model.widht"; "" when no part does. */
static void known_group(const char *path, char *group, size_t size)
{
    group[0] = 0;
    config_append(group, size, "%s", path);
    while (*group && config_key_group(group) < 0) {
        char *dot = strrchr(group, '.');
        *(dot ? dot : group) = 0;
    }
}

ttt_status config_unknown_key(const char *path)
{
    char group[CONFIG_QUOTE_MAX], nearest[64], names[768];
    struct config_quote quote = config_quote(path);
    known_group(path, group, sizeof group);
    config_key_names(group, names, sizeof names);
    return ttt_fail(TTT_ARGUMENT, "%s: no such key; the nearest name is %s; allowed %s%s: %s", quote.text,
                    config_key_nearest(path, nearest, sizeof nearest), *group ? "in " : "at the top level",
                    group, names);
}

static ttt_status read_override(const char *text, int index, struct config_settings *settings)
{
    const char *equals = strchr(text, '=');
    char path[CONFIG_QUOTE_MAX] = "", names[768];
    config_append(path, sizeof path, "%.*s", equals ? (int)(equals - text) : 0, text);
    if (!equals || !*path)
        return ttt_fail(TTT_ARGUMENT, "'%s' is not of the form key=value, such as train.lr=0.001",
                        config_quote(text).text);
    if (config_key_group(path) >= 0) {
        config_key_names(path, names, sizeof names);
        return ttt_fail(TTT_ARGUMENT, "%s: is a group and takes no value; it has the keys %s", path, names);
    }
    int key = config_key_find(path);
    if (key < 0)
        return config_unknown_key(path);

    struct config_setting setting = {.rank = CONFIG_DEPTH_MAX * CONFIG_RANK_LEVEL + index};
    ttt_status status = config_value_read_text(&config_keys[key], equals + 1, &setting.value);
    if (status)
        return ttt_within(status, "%s", path);
    setting.where = strdup("command line");
    if (!setting.where) {
        free_setting(&setting);
        return ttt_fail(TTT_MEMORY, "out of memory for an override");
    }
    config_settings_put(settings, key, &setting);
    return TTT_OK;
}

ttt_status config_read_override(const char *text, int index, struct config_settings *settings)
{
    return ttt_within(read_override(text, index, settings), "command line");
}
