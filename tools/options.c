/* Reading a subcommand's arguments. */
#include "tools/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/config/text.h"

enum { OPTIONS_MAX = 32 };

static ttt_status unknown_option(const char *name, const struct option *options, int count)
{
    if (!count)
        return ttt_fail(TTT_ARGUMENT, "unknown option '%s': there are none but --help",
                        config_quote(name).text);
    const char *nearest = "--help";
    for (int i = 0; i < count; i++)
        if (config_text_distance(name, options[i].name) < config_text_distance(name, nearest))
            nearest = options[i].name;
    return ttt_fail(TTT_ARGUMENT, "unknown option '%s'; the nearest is %s", config_quote(name).text, nearest);
}

/* The option that `argument` names up to its end or its '='; -1: none. */
static int find_option(const char *argument, const struct option *options, int count)
{
    size_t length = strcspn(argument, "=");
    for (int i = 0; i < count; i++)
        if (strlen(options[i].name) == length && !memcmp(argument, options[i].name, length))
            return i;
    return -1;
}

static ttt_status store_whole(const struct option *option, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || (double)value < option->min || (double)value > option->max)
        return ttt_fail(TTT_ARGUMENT, "%s takes a whole number from %.0f to %.0f, not '%s'", option->name,
                        option->min, option->max, config_quote(text).text);
    *(int64_t *)option->value = value;
    return TTT_OK;
}

static ttt_status store_number(const struct option *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < option->min || value > option->max)
        return ttt_fail(TTT_ARGUMENT, "%s takes a number from %g to %g, not '%s'", option->name, option->min,
                        option->max, config_quote(text).text);
    *(double *)option->value = value;
    return TTT_OK;
}

static ttt_status store_value(const struct option *option, const char *text)
{
    switch (option->type) {
    case OPTION_WHOLE:
        return store_whole(option, text);
    case OPTION_NUMBER:
        return store_number(option, text);
    case OPTION_TEXT:
        *(const char **)option->value = text;
        return TTT_OK;
    case OPTION_FLAG:
        break;
    }
    *(bool *)option->value = true;
    return TTT_OK;
}

/* Stores the option at argv[*i] and moves *i to its last argument. */
static ttt_status read_option(int argc, char **argv, int *i, const struct option *option)
{
    char *equals = strchr(argv[*i], '=');
    if (option->type == OPTION_FLAG) {
        if (equals)
            return ttt_fail(TTT_ARGUMENT, "%s takes no value", option->name);
        return store_value(option, NULL);
    }
    if (!equals && *i + 1 >= argc)
        return ttt_fail(TTT_ARGUMENT, "%s needs a value", option->name);
    return store_value(option, equals ? equals + 1 : argv[++*i]);
}

ttt_status options_read(int argc, char **argv, const struct option *options, int count, int *rest)
{
    bool given[OPTIONS_MAX] = {false}, ended = false;
    *rest = 0;
    for (int i = 0; i < argc; i++) {
        if (ended || argv[i][0] != '-' || !argv[i][1]) {
            argv[(*rest)++] = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--")) {
            ended = true;
            continue;
        }
        int found = find_option(argv[i], options, count);
        if (found < 0)
            return unknown_option(argv[i], options, count);
        if (given[found])
            return ttt_fail(TTT_ARGUMENT, "%s is given twice", options[found].name);
        given[found] = true;
        TRY(read_option(argc, argv, &i, &options[found]));
    }
    return TTT_OK;
}
