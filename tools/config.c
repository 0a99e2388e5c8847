/* ttt config: prints a run's configuration, or every key there is. */
#include <stdio.h>
#include <string.h>

#include "tools/command.h"
#include "tools/options.h"
#include "tools/output.h"
#include "train/config/config.h"

static const char help[] =
    "usage: ttt config FILE [key=value ...]\n"
    "       ttt config --keys [--json]\n\n"
    "Prints the configuration that a run of FILE would have, as YAML that can be used in its place: what\n"
    "the file says, what it inherits through 'base:', what key=value changes, and every other key's "
    "default,\n"
    "each with its meaning above it.\n\n"
    "  --keys  list every key with its meaning, what it takes and its default\n"
    "  --json  the list as JSON\n\n"
    "examples:\n"
    "  ttt config configs/imagenette.yaml\n"
    "  ttt config configs/imagenette.yaml train.lr=3e-4 model.ttt.variant=variant6 > mine.yaml\n"
    "  ttt config --keys\n";

static void print_keys(void)
{
    struct run_config_key key;
    for (int i = 0; run_config_key(i, &key); i++)
        printf("%s%s%s\n    %s\n    takes %s; default: %s%s%s\n", key.path, key.task ? "  of task: " : "",
               key.task ? key.task : "", key.help, key.allowed, *key.fallback ? key.fallback : "none",
               key.views ? "; for views: " : "",
               !key.views   ? ""
               : *key.views ? key.views
                            : "none");
}

static ttt_status print_keys_json(void)
{
    struct run_config_key key;
    json_t *keys = json_array();
    ttt_status status = TTT_OK;
    for (int i = 0; !status && run_config_key(i, &key); i++)
        status = output_json_append(keys, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?}", "key", key.path,
                                                    "meaning", key.help, "takes", key.allowed, "default",
                                                    key.fallback, "default_of_views",
                                                    key.views ? key.views : key.fallback, "task", key.task));
    if (!status)
        return output_json(keys);
    json_decref(keys);
    return status;
}

static ttt_status print_config(const char *path, int n_overrides, char **overrides)
{
    struct run_config config;
    TRY(run_config_load(path, n_overrides, overrides, &config));
    ttt_status status = run_config_write(&config, stdout, true);
    run_config_free(&config);
    return status;
}

static ttt_status run(int argc, char **argv)
{
    bool keys = false, json = false;
    const struct option options[] = {
        {"--keys", OPTION_FLAG, &keys, 0, 0},
        {"--json", OPTION_FLAG, &json, 0, 0},
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (keys && rest)
        return ttt_fail(TTT_ARGUMENT, "--keys lists the keys of every config: it takes no file");
    if (!keys && json)
        return ttt_fail(TTT_ARGUMENT, "--json goes with --keys; a config is printed as YAML");
    if (!keys && !rest)
        return ttt_fail(TTT_ARGUMENT, "which config? 'ttt config FILE'; 'ttt config --help' says more");
    if (!keys)
        return print_config(argv[0], rest - 1, argv + 1);
    if (json)
        return print_keys_json();
    print_keys();
    return TTT_OK;
}

const struct command command_config = {
    .name = "config",
    .summary = "print a run's configuration, or every key there is",
    .help = help,
    .run = run,
};
