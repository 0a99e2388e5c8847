/* What must hold between the values of several keys. */
#include "train/config/check.h"

#include <string.h>

ttt_status config_blame(const struct config_settings *settings, const char *const *paths, ttt_status status)
{
    int key = config_settings_latest(settings, paths);
    if (key < 0)
        return ttt_within(status, "%s", paths[0]);
    return ttt_within(status, "%s: %s", settings->of[key].where, config_keys[key].path);
}

static ttt_status check_run(const struct config_run *run, const struct config_settings *settings)
{
    if (!strchr(run->name, '/') && strcmp(run->name, ".") != 0 && strcmp(run->name, "..") != 0)
        return TTT_OK;
    return config_blame(settings, (const char *[]){"run.name", NULL},
                        ttt_fail(TTT_ARGUMENT,
                                 "'%s' cannot name a folder inside run.dir; allowed: a name without '/'",
                                 run->name));
}

/* The sizes, whose own check names the numbers; which keys to blame follows from what does not divide. */
static ttt_status check_model(const struct config_model *model, const struct config_settings *settings)
{
    struct vittt_config sizes = model->vittt;
    if (!sizes.classes)
        sizes.classes = 1; /* any number that the data may have */
    ttt_status status = vittt_config_check(&sizes);
    if (!status)
        return TTT_OK;
    if (sizes.image_height % sizes.patch || sizes.image_width % sizes.patch)
        return config_blame(settings, (const char *[]){"model.image_size", "model.patch", "model.name", NULL},
                            status);
    if (sizes.width % sizes.heads)
        return config_blame(settings, (const char *[]){"model.width", "model.heads", "model.name", NULL},
                            status);
    return config_blame(settings, (const char *[]){"model.mlp_ratio", "model.width", "model.name", NULL},
                        status);
}

static ttt_status check_ascending(const double *range, const char *path,
                                  const struct config_settings *settings)
{
    if (range[0] <= range[1])
        return TTT_OK;
    return config_blame(
        settings, (const char *[]){path, NULL},
        ttt_fail(TTT_ARGUMENT, "[%g, %g] descends; allowed: the smaller number first", range[0], range[1]));
}

static ttt_status check_rate(double rate, const char *path, const struct config_train *train,
                             const struct config_settings *settings)
{
    if (train->schedule != SCHEDULE_COSINE_TO_FLOOR || rate <= train->lr)
        return TTT_OK;
    return config_blame(settings, (const char *[]){path, "train.lr", NULL},
                        ttt_fail(TTT_ARGUMENT, "%s %g is above train.lr %g; allowed: at most train.lr", path,
                                 rate, train->lr));
}

static ttt_status check_weights(const struct run_config *config, const struct config_settings *settings)
{
    if (config->eval.weights != WEIGHTS_EMA || config->train.ema > 0)
        return TTT_OK;
    return config_blame(settings, (const char *[]){"eval.weights", "train.ema", NULL},
                        ttt_fail(TTT_ARGUMENT, "eval.weights ema needs train.ema above 0, such as 0.999"));
}

ttt_status config_check(const struct run_config *config, const struct config_settings *settings)
{
    TRY(check_run(&config->run, settings));
    if (config->task == TASK_CLASSIFY)
        TRY(check_model(&config->model, settings));
    TRY(check_ascending(config->data.crop_area, "data.crop_area", settings));
    TRY(check_ascending(config->data.crop_ratio, "data.crop_ratio", settings));
    TRY(check_rate(config->train.warmup_lr, "train.warmup_lr", &config->train, settings));
    TRY(check_rate(config->train.min_lr, "train.min_lr", &config->train, settings));
    return check_weights(config, settings);
}
