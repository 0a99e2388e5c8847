/* Judging view synthesis from the command line. */
#include "tools/eval/views.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/eval/progress.h"
#include "tools/output.h"
#include "train/run_folder.h"
#include "train/views.h"

struct judgement {
    struct trained *trained;
    const struct eval_views_request *request;
    struct views_sample sample;
    struct scene_set set;
    struct views_result result;
    char *tables[3]; /* paths that were written: views.csv, scenes.csv, views.json */
};

static ttt_status judge(struct judgement *j)
{
    const struct run_config *config = &j->trained->config;
    struct eval_progress progress = eval_progress_start("scenes");
    TRY(views_sample_create(config, VIEWS_TO_EVALUATE, &j->sample));
    TRY(views_set_open(config, VIEWS_TO_EVALUATE, j->request->scenes, &j->sample, &j->set));
    scene_set_report(&j->set, eval_progress_line, &progress);
    struct views_options options = views_evaluation_options(config, &j->sample);
    options.progress = j->request->json ? NULL : eval_progress_show;
    options.report = eval_progress_line;
    options.context = &progress;
    ttt_status status = views_run(&config->model.lact, j->trained->store, &j->set, &options, &j->result);
    eval_progress_clear(&progress);
    return status;
}

static ttt_status write_tables(struct judgement *j)
{
    char *own = NULL;
    const char *folder = j->request->out;
    if (!folder && j->trained->step >= 0) {
        TRY(path_join(j->trained->run, "eval", &own));
        folder = own;
    }
    if (!folder)
        return TTT_OK;
    static const char *const names[] = {"views.csv", "scenes.csv", "views.json"};
    ttt_status status = TTT_OK;
    if (mkdir(folder, 0777) && errno != EEXIST)
        status = ttt_fail(TTT_IO, "%s: cannot create the folder: %s", folder, strerror(errno));
    for (int i = 0; i < 3 && !status; i++)
        status = path_join(folder, names[i], &j->tables[i]);
    free(own);
    TRY(status);
    TRY(views_write_targets(&j->result, j->tables[0]));
    TRY(views_write_scenes(&j->result, j->tables[1]));
    return views_write_json(&j->result, j->tables[2]);
}

static double per(double seconds, uint32_t count)
{
    return 1000 * seconds / count;
}

static void print_result(const struct judgement *j)
{
    const struct views_result *r = &j->result;
    const struct views_likeness *all = &r->likeness;
    printf("weights   %s%s\n", j->trained->weights, j->trained->averaged ? " (averages)" : "");
    printf("scenes    %u, %u views rendered", r->scene_count, r->target_count);
    if (r->skipped)
        printf("; %u scenes skipped", r->skipped);
    printf("\n            PSNR     SSIM\n");
    printf("model       %.2f dB %.4f\n", all->psnr, all->ssim);
    printf("nearest     %.2f dB %.4f  the nearest input view, copied\n", all->nearest_psnr,
           all->nearest_ssim);
    printf("colour      %.2f dB         the mean colour of the input views\n", all->mean_colour_psnr);
    printf("speed     %.1f ms a reconstruction, %.1f ms a rendered view\n",
           per(r->reconstruct_seconds, r->scene_count), per(r->render_seconds, r->target_count));
    if (j->tables[2])
        printf("tables    %s, %s, %s\n", j->tables[0], j->tables[1], j->tables[2]);
}

static json_t *finite_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static ttt_status print_json(const struct judgement *j)
{
    const struct views_result *r = &j->result;
    const struct views_likeness *all = &r->likeness;
    json_t *object = json_pack(
        "{s:s, s:I, s:b, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:s?, s:s?, s:s?}", "weights",
        j->trained->weights, "step", (json_int_t)j->trained->step, "averaged", j->trained->averaged, "scenes",
        (json_int_t)r->scene_count, "skipped_scenes", (json_int_t)r->skipped, "views",
        (json_int_t)r->target_count, "psnr", finite_real(all->psnr), "ssim", finite_real(all->ssim),
        "nearest_psnr", finite_real(all->nearest_psnr), "nearest_ssim", finite_real(all->nearest_ssim),
        "mean_colour_psnr", finite_real(all->mean_colour_psnr), "milliseconds_per_reconstruction",
        per(r->reconstruct_seconds, r->scene_count), "milliseconds_per_view",
        per(r->render_seconds, r->target_count), "views_csv", j->tables[0], "scenes_csv", j->tables[1],
        "views_json", j->tables[2]);
    return output_json(object);
}

ttt_status eval_views(struct trained *trained, const struct eval_views_request *request)
{
    struct judgement j = {.trained = trained, .request = request};
    ttt_status status = judge(&j);
    if (!status)
        status = write_tables(&j);
    if (!status && request->json)
        status = print_json(&j);
    else if (!status)
        print_result(&j);
    for (int i = 0; i < 3; i++)
        free(j.tables[i]);
    views_result_free(&j.result);
    scene_set_free(&j.set);
    views_sample_free(&j.sample);
    return status;
}
