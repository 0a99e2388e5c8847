/* Tables of an evaluation of view synthesis. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/views.h"

static const struct {
    const char *name, *meaning;
} definitions[] = {
    {"psnr", "-10 log10 of the mean squared error over pixels and channels of range 0..1, rendered values "
             "clamped and not rounded; mean over a scene's target views, then over scenes; dB"},
    {"ssim", "structural similarity: Gaussian window of 11 taps and sigma 1.5, windows inside the picture, "
             "sample covariance, K 0.01 and 0.03, mean over channels; means as psnr"},
    {"nearest", "of the input view whose camera centre is nearest to the target's, copied"},
    {"mean_colour", "of a picture in the mean colour of all pixels of the input views"},
};

enum { DEFINITIONS = sizeof definitions / sizeof *definitions };

static ttt_status open_table(const struct views_result *result, const char *path, FILE **file)
{
    *file = fopen(path, "w");
    if (!*file)
        return ttt_fail(TTT_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < DEFINITIONS; i++)
        fprintf(*file, "# %s: %s\n", definitions[i].name, definitions[i].meaning);
    fprintf(*file, "# skipped: %u (scenes that cannot be used, and are in none of the means)\n",
            result->skipped);
    return TTT_OK;
}

static ttt_status close_table(const char *path, FILE *file)
{
    const bool failed = ferror(file);
    if (!fclose(file) && !failed)
        return TTT_OK;
    return ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(errno));
}

/* Quoted as CSV has it. */
static void put_text(const char *text, FILE *file)
{
    putc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', file);
        putc(*text, file);
    }
    putc('"', file);
}

/* "inf" for equal pictures; nothing where there is no number. */
static void put_number(double number, FILE *file)
{
    if (isnan(number))
        putc(',', file);
    else
        fprintf(file, ",%.6f", number);
}

static void put_likeness(const struct views_likeness *x, FILE *file)
{
    put_number(x->psnr, file);
    put_number(x->ssim, file);
    put_number(x->nearest_psnr, file);
    put_number(x->nearest_ssim, file);
    put_number(x->mean_colour_psnr, file);
    putc('\n', file);
}

static const char *file_of(const struct scene_view *view)
{
    const char *slash = strrchr(view->path, '/');
    return slash ? slash + 1 : view->path;
}

ttt_status views_write_targets(const struct views_result *result, const char *path)
{
    FILE *file;
    TRY(open_table(result, path, &file));
    fprintf(file, "scene,entry,file,nearest_entry,psnr,ssim,nearest_psnr,nearest_ssim,mean_colour_psnr\n");
    for (uint32_t i = 0; i < result->target_count; i++) {
        const struct views_target *target = &result->targets[i];
        const struct scene *scene = result->scenes[target->scene].scene;
        const struct scene_view *view = &scene->views[target->view];
        put_text(scene->name, file);
        fprintf(file, ",%u,", view->entry);
        put_text(file_of(view), file);
        fprintf(file, ",%u", scene->views[target->nearest].entry);
        put_likeness(&target->likeness, file);
    }
    return close_table(path, file);
}

ttt_status views_write_scenes(const struct views_result *result, const char *path)
{
    FILE *file;
    TRY(open_table(result, path, &file));
    fprintf(file, "scene,inputs,targets,psnr,ssim,nearest_psnr,nearest_ssim,mean_colour_psnr\n");
    for (uint32_t i = 0; i < result->scene_count; i++) {
        const struct views_scene *scene = &result->scenes[i];
        put_text(scene->scene->name, file);
        fprintf(file, ",%d,%u", scene->inputs, scene->count);
        put_likeness(&scene->likeness, file);
    }
    fprintf(file, "all,,%u", result->target_count);
    put_likeness(&result->likeness, file);
    return close_table(path, file);
}

/* JSON has neither NaN nor infinity. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *likeness_json(const struct views_likeness *x)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "psnr", number(x->psnr), "ssim", number(x->ssim),
                     "nearest_psnr", number(x->nearest_psnr), "nearest_ssim", number(x->nearest_ssim),
                     "mean_colour_psnr", number(x->mean_colour_psnr));
}

static json_t *target_json(const struct views_result *result, const struct views_target *target)
{
    const struct scene *scene = result->scenes[target->scene].scene;
    return json_pack("{s:i, s:s, s:i, s:o}", "entry", (int)scene->views[target->view].entry, "file",
                     file_of(&scene->views[target->view]), "nearest_entry",
                     (int)scene->views[target->nearest].entry, "likeness", likeness_json(&target->likeness));
}

static json_t *scene_json(const struct views_result *result, const struct views_scene *scene)
{
    json_t *views = json_array();
    for (uint32_t i = 0; i < scene->count; i++)
        json_array_append_new(views, target_json(result, &result->targets[scene->first + i]));
    return json_pack("{s:s, s:s, s:i, s:o, s:o}", "scene", scene->scene->name, "path", scene->scene->path,
                     "inputs", scene->inputs, "likeness", likeness_json(&scene->likeness), "views", views);
}

ttt_status views_write_json(const struct views_result *result, const char *path)
{
    json_t *meanings = json_object(), *scenes = json_array();
    for (int i = 0; i < DEFINITIONS; i++)
        json_object_set_new(meanings, definitions[i].name, json_string(definitions[i].meaning));
    for (uint32_t i = 0; i < result->scene_count; i++)
        json_array_append_new(scenes, scene_json(result, &result->scenes[i]));
    json_t *all =
        json_pack("{s:o, s:i, s:i, s:i, s:o, s:o}", "definitions", meanings, "scene_count",
                  (int)result->scene_count, "skipped_scenes", (int)result->skipped, "view_count",
                  (int)result->target_count, "likeness", likeness_json(&result->likeness), "scenes", scenes);
    if (!all)
        return ttt_fail(TTT_MEMORY, "%s: no memory for the numbers", path);
    ttt_status status = TTT_OK;
    if (json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(9)))
        status = ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(errno));
    json_decref(all);
    return status;
}
