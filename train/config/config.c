/* Loading a run's configuration: defaults, then what names stand for, then what was given. */
#include "train/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "train/config/check.h"
#include "train/config/text.h"

static ttt_status store_defaults(enum config_task task, struct run_config *config)
{
    for (int i = 0; i < config_key_count; i++) {
        struct config_value value;
        const char *fallback = config_key_fallback(&config_keys[i], (int)task);
        TRY(ttt_within(config_value_read_text(&config_keys[i], fallback, &value), "default of %s",
                       config_keys[i].path));
        ttt_status status = config_value_store(&config_keys[i], &value, config);
        config_value_free(&value);
        TRY(status);
    }
    return TTT_OK;
}

static ttt_status store_given(const struct config_settings *settings, const char *path,
                              struct run_config *config)
{
    int key = config_key_find(path);
    if (!settings->of[key].where)
        return TTT_OK;
    return config_value_store(&config_keys[key], &settings->of[key].value, config);
}

static ttt_status store_all_given(const struct config_settings *settings, struct run_config *config)
{
    for (int i = 0; i < config_key_count; i++)
        TRY(store_given(settings, config_keys[i].path, config));
    return TTT_OK;
}

/* The number of classes stays with the data. */
static ttt_status store_vittt(const char *name, struct vittt_config *model)
{
    struct vittt_config sizes;
    TRY(vittt_config_named(name, &sizes));
    sizes.classes = model->classes;
    sizes.recompute = model->recompute;
    *model = sizes;
    return TTT_OK;
}

static ttt_status store_lact(const char *name, struct config_model *model)
{
    TRY(lact_nvs_config_named(name, &model->lact));
    model->vittt.image_height = model->lact.image_height;
    model->vittt.image_width = model->lact.image_width;
    model->vittt.patch = model->lact.patch;
    model->vittt.width = model->lact.width;
    model->vittt.depth = model->lact.depth;
    return TTT_OK;
}

/* Keys that both models have are read into vittt: hands them on. */
static void complete_lact(struct config_model *model)
{
    const struct vittt_config *read = &model->vittt;
    struct lact_nvs_config *lact = &model->lact;
    lact->image_height = read->image_height;
    lact->image_width = read->image_width;
    lact->patch = read->patch;
    lact->width = read->width;
    lact->depth = read->depth;
    lact->recompute = read->recompute;
    lact->variant = read->variant;
}

/* Lets model.name set the sizes. */
static ttt_status store_model(const struct config_settings *settings, struct run_config *config)
{
    TRY(store_given(settings, "model.name", config));
    ttt_status status = config->task == TASK_VIEWS ? store_lact(config->model.name, &config->model)
                                                   : store_vittt(config->model.name, &config->model.vittt);
    return config_blame(settings, (const char *[]){"model.name", NULL}, status);
}

/* `status` with the variant's name that is most like `name` behind it. */
static ttt_status suggest_variant(const char *name, ttt_status status)
{
    const char *nearest = ttt_variant_name(0);
    for (int i = 1; ttt_variant_name(i); i++)
        if (config_text_distance(name, ttt_variant_name(i)) < config_text_distance(name, nearest))
            nearest = ttt_variant_name(i);
    ttt_status suggestion =
        ttt_fail(ttt_status_code(status), "%s; the nearest is %s", ttt_status_text(status), nearest);
    ttt_status_free(status);
    return suggestion;
}

static ttt_status store_variant(const struct config_settings *settings, struct run_config *config)
{
    TRY(store_given(settings, "model.ttt.variant", config));
    const char *name = config->model.variant;
    ttt_status status = ttt_variant_named(name, &config->model.vittt.variant);
    if (status)
        status = suggest_variant(name, status);
    return config_blame(settings, (const char *[]){"model.ttt.variant", NULL}, status);
}

/* Names the run after its file where nothing else does: "configs/imagenette.yaml" is "imagenette". */
static ttt_status name_run(const char *path, struct run_config *config)
{
    if (*config->run.name)
        return TTT_OK;
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path, *dot = strrchr(file, '.');
    char *name = strndup(file, dot && dot > file ? (size_t)(dot - file) : strlen(file));
    if (!name)
        return ttt_fail(TTT_MEMORY, "out of memory for the run's name");
    free(config->run.name);
    config->run.name = name;
    if (config_text_printable(name))
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT, "%s: the file's name cannot name the run; give run.name",
                    config_quote(path).text);
}

static ttt_status read_settings(const char *path, int n_overrides, char *const *overrides,
                                struct config_settings *settings)
{
    TRY(config_read_file(path, settings));
    for (int i = 0; i < n_overrides; i++)
        TRY(config_read_override(overrides[i], i, settings));
    return TTT_OK;
}

static ttt_status resolve(const char *path, const struct config_settings *settings, struct run_config *config)
{
    TRY(store_given(settings, "task", config)); /* which decides defaults; its own overwrites it */
    TRY(store_defaults(config->task, config));
    TRY(store_given(settings, "task", config));
    TRY(store_model(settings, config));
    TRY(store_variant(settings, config));
    TRY(store_all_given(settings, config));
    complete_lact(&config->model);
    TRY(name_run(path, config));
    return config_check(config, settings);
}

ttt_status run_config_load(const char *path, int n_overrides, char *const *overrides,
                           struct run_config *config)
{
    memset(config, 0,
           sizeof *config); /* padding too, so that equal configs have equal bytes but for strings */
    struct config_settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return ttt_fail(TTT_MEMORY, "%s: out of memory for a config", path);
    ttt_status status = read_settings(path, n_overrides, overrides, settings);
    if (!status)
        status = resolve(path, settings, config);
    if (status)
        run_config_free(config);
    config_settings_free(settings);
    free(settings);
    return status;
}

void run_config_free(struct run_config *config)
{
    for (int i = 0; i < config_key_count; i++)
        if (config_keys[i].type == KEY_STRING) {
            char **string = (char **)((char *)config + config_keys[i].offset);
            free(*string);
            *string = NULL;
        }
}
