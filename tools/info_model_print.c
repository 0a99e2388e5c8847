/* Showing the table of a model. */
#include <stdio.h>
#include <string.h>

#include "tools/info_model.h"
#include "tools/output.h"

static bool groups_alike(const struct info_group *a, const struct info_group *b)
{
    return ttt_shape_equal(a->output, b->output) && a->parameters == b->parameters && a->flops == b->flops;
}

static void print_group(const char *name, const struct info_group *group)
{
    char shape[TTT_SHAPE_TEXT];
    printf("  %-20s %18s %14s %16s\n", name, ttt_shape_text(group->output, shape),
           output_count(group->parameters).text, output_si(group->flops, "FLOP").text);
}

/* Equal blocks that follow one another take one line. */
static void print_groups(const struct info_model *model)
{
    printf("  %-20s %18s %14s %16s\n", "layer", "output", "parameters", "forward");
    for (int i = 0, next; i < model->count; i = next) {
        const struct info_group *group = &model->groups[i];
        char name[96];
        for (next = i + 1; next < model->count && groups_alike(group, &model->groups[next]);)
            next++;
        snprintf(name, sizeof name, "%s", group->name);
        if (next - i > 1)
            snprintf(name, sizeof name, "%s-%d, each", group->name, next - 2);
        print_group(name, group);
    }
    printf("  %-20s %18s %14s %16s\n", "total", "", output_count(model->parameters).text,
           output_si(model->flops, "FLOP").text);
}

static void print_use(const char *name, const char *what, const char *unit, const struct info_use *use)
{
    if (*use->refused) {
        printf("  %-11s %s %d: %s\n", name, what, use->batch, use->refused);
        return;
    }
    printf("  %-11s %s %d: %s (weights and state %s, activations %s), %s a %s\n", name, what, use->batch,
           output_bytes(use->memory.total).text, output_bytes(use->memory.variables).text,
           output_bytes(use->memory.arena).text, output_si(use->flops, "FLOP").text, unit);
}

static void print_classifier(const struct run_config *config, const struct info_model *model)
{
    const struct vittt_config *vittt = &config->model.vittt;
    printf("\nmodel %s: pictures of %dx%d (height x width), patch %d, width %d, depth %d, heads %d, "
           "%d classes\n",
           config->model.name, vittt->image_height, vittt->image_width, vittt->patch, vittt->width,
           vittt->depth, vittt->heads, vittt->classes);
    if (*model->classes_note)
        printf("  classes are %s\n", model->classes_note);
}

static void print_views(const struct run_config *config)
{
    const struct lact_nvs_config *lact = &config->model.lact;
    printf(
        "\nmodel %s: %d input and %d target views of %dx%d (height x width), patch %d, width %d, depth %d, "
        "attention heads of %d, fast heads of %d x %g\n",
        config->model.name, lact->num_input_views, lact->num_target_views, lact->image_height,
        lact->image_width, lact->patch, lact->width, lact->depth, lact->head_dim, lact->fast_head_dim,
        lact->inter_multi);
}

void info_model_print(const struct run_config *config, const struct info_model *model)
{
    const bool views = config->task == TASK_VIEWS;
    if (views)
        print_views(config);
    else
        print_classifier(config, model);
    print_groups(model);
    printf("\npredicted memory\n");
    print_use("training", "batch", "step", &model->training);
    if (views) {
        print_use("reconstruct", "views", "scene", &model->reconstruct);
        print_use("render", "views", "pass", &model->render);
    } else {
        print_use("inference", "batch", "pass", &model->inference);
    }
}

static json_t *group_json(const struct info_group *group)
{
    json_t *shape = json_array();
    for (int i = 0; i < group->output.rank; i++)
        json_array_append_new(shape, json_integer(group->output.size[i]));
    return json_pack("{s:s, s:o, s:I, s:f}", "name", group->name, "output", shape, "parameters",
                     (json_int_t)group->parameters, "flops", group->flops);
}

static json_t *use_json(const struct info_use *use)
{
    if (*use->refused)
        return json_pack("{s:i, s:s}", "batch", use->batch, "refused", use->refused);
    return json_pack("{s:i, s:f, s:I, s:I, s:I}", "batch", use->batch, "flops", use->flops,
                     "predicted_peak_bytes", (json_int_t)use->memory.total, "variable_bytes",
                     (json_int_t)use->memory.variables, "arena_bytes", (json_int_t)use->memory.arena);
}

/* The keys that both tasks share. */
static json_t *common_json(const struct run_config *config, const struct info_model *model)
{
    json_t *groups = json_array();
    for (int i = 0; i < model->count; i++)
        json_array_append_new(groups, group_json(&model->groups[i]));
    return json_pack("{s:s, s:I, s:f, s:o, s:o}", "name", config->model.name, "parameters",
                     (json_int_t)model->parameters, "flops", model->flops, "layers", groups, "training",
                     use_json(&model->training));
}

json_t *info_model_json(const struct run_config *config, const struct info_model *model)
{
    json_t *object = common_json(config, model);
    json_t *more = config->task == TASK_VIEWS
                       ? json_pack("{s:o, s:o}", "reconstruct", use_json(&model->reconstruct), "render",
                                   use_json(&model->render))
                       : json_pack("{s:i, s:s, s:o}", "classes", config->model.vittt.classes, "classes_note",
                                   model->classes_note, "inference", use_json(&model->inference));
    const bool complete = object && more && !json_object_update(object, more);
    json_decref(more);
    if (complete)
        return object;
    json_decref(object);
    return NULL;
}
