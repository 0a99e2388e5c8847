/* What must hold between the values of several keys. */
#include "train/config/check.h"

#include <string.h>

#include "train/config/text.h"
#include "ttt/ops/operators.h"

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

static ttt_status check_lact(const struct lact_nvs_config *c, const struct config_settings *settings)
{
    ttt_status status = lact_nvs_config_check(c);
    if (!status)
        return TTT_OK;
    if (c->image_height % c->patch || c->image_width % c->patch)
        return config_blame(settings, (const char *[]){"model.image_size", "model.patch", "model.name", NULL},
                            status);
    if (c->width % c->head_dim)
        return config_blame(settings, (const char *[]){"model.width", "model.head_dim", "model.name", NULL},
                            status);
    if (c->width % c->fast_head_dim)
        return config_blame(
            settings, (const char *[]){"model.width", "model.fast_head_dim", "model.name", NULL}, status);
    return config_blame(
        settings,
        (const char *[]){"model.inter_multi", "model.ttt.kernel", "model.ttt.variant", "model.name", NULL},
        status);
}

/* Rules can be read, and views come from an index when and only when there is one. */
static ttt_status check_views(const struct config_views *views, const char *const paths[4],
                              const struct config_settings *settings)
{
    struct view_rule rule;
    TRY(config_blame(settings, (const char *[]){paths[0], NULL}, view_rule_parse(views->inputs, &rule)));
    TRY(config_blame(settings, (const char *[]){paths[1], NULL}, view_rule_parse(views->targets, &rule)));
    if ((views->order == VIEWS_INDEXED) == (*views->index != 0))
        return TTT_OK;
    return config_blame(settings, (const char *[]){paths[2], paths[3], NULL},
                        *views->index
                            ? ttt_fail(TTT_ARGUMENT, "%s is given, but %s is not index", paths[3], paths[2])
                            : ttt_fail(TTT_ARGUMENT, "%s index needs a file in %s", paths[2], paths[3]));
}

static ttt_status check_folder(const char *folder, const char *path, const struct config_settings *settings)
{
    if (*folder)
        return TTT_OK;
    return config_blame(settings, (const char *[]){path, NULL},
                        ttt_fail(TTT_ARGUMENT, "the text is empty; allowed: text, not empty"));
}

static ttt_status check_task_classify(const struct run_config *config, const struct config_settings *settings)
{
    TRY(check_model(&config->model, settings));
    TRY(check_folder(config->data.train, "data.train", settings));
    return check_folder(config->data.val, "data.val", settings);
}

static ttt_status check_task_views(const struct run_config *config, const struct config_settings *settings)
{
    static const char *const training[] = {"data.input_views", "data.target_views", "data.view_order",
                                           "data.view_index"};
    static const char *const evaluation[] = {"eval.input_views", "eval.target_views", "eval.view_order",
                                             "eval.view_index"};
    TRY(check_lact(&config->model.lact, settings));
    TRY(check_views(&config->data.views, training, settings));
    return check_views(&config->eval.views, evaluation, settings);
}

/* A key of the other task was given by mistake, or the task was. */
static ttt_status check_keys(enum config_task task, const struct config_settings *settings)
{
    for (int i = 0; i < config_key_count; i++)
        if (settings->of[i].where && !config_key_applies(&config_keys[i], (int)task))
            return config_blame(settings, (const char *[]){config_keys[i].path, NULL},
                                ttt_fail(TTT_ARGUMENT, "a key of task: %s, but this is task: %s",
                                         task == TASK_VIEWS ? "classify" : "views",
                                         task == TASK_VIEWS ? "views" : "classify"));
    return TTT_OK;
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

/* "cpu", "cuda", or "cuda:" and a number; which of them are there shows when one is opened. */
static bool names_device(const char *name)
{
    const char *number = strncmp(name, "cuda:", 5) ? "" : name + 5;
    return !strcmp(name, "cpu") || !strcmp(name, "cuda") ||
           (*number && strspn(number, "0123456789") == strlen(number));
}

static ttt_status check_device(const struct config_device *device, const struct config_settings *settings)
{
    if (!names_device(device->name))
        return config_blame(settings, (const char *[]){"device.name", NULL},
                            ttt_fail(TTT_ARGUMENT,
                                     "'%s' is no device; allowed: cpu, cuda, or cuda:1 and so on",
                                     config_quote(device->name).text));
    ttt_status status = ttt_implementations_check(device->implementations);
    return status ? config_blame(settings, (const char *[]){"device.implementations", NULL}, status) : TTT_OK;
}

ttt_status config_check(const struct run_config *config, const struct config_settings *settings)
{
    TRY(check_run(&config->run, settings));
    TRY(check_device(&config->device, settings));
    TRY(check_keys(config->task, settings));
    TRY((config->task == TASK_VIEWS ? check_task_views : check_task_classify)(config, settings));
    TRY(check_ascending(config->data.crop_area, "data.crop_area", settings));
    TRY(check_ascending(config->data.crop_ratio, "data.crop_ratio", settings));
    TRY(check_rate(config->train.warmup_lr, "train.warmup_lr", &config->train, settings));
    TRY(check_rate(config->train.min_lr, "train.min_lr", &config->train, settings));
    return check_weights(config, settings);
}
