/* Which views are given, and which cameras see the result. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tools/render/job.h"

enum { FRAMES = 72, FRAMES_MAX = 100000, SIDE_MAX = 16383 };

static ttt_status no_memory(const struct render_job *job)
{
    return ttt_fail(TTT_MEMORY, "%s: not enough memory for its views", job->scene.path);
}

static bool read_side(const char *text, const char **end, int *side)
{
    char *stop;
    errno = 0;
    const long value = strtol(text, &stop, 10);
    *end = stop;
    *side = (int)value;
    return stop != text && *text >= '0' && *text <= '9' && !errno && value >= 1 && value <= SIDE_MAX;
}

ttt_status render_read_size(const char *text, int *height, int *width)
{
    const char *end;
    bool good = read_side(text, &end, height);
    *width = *height;
    if (good && *end && strchr("x, ", *end))
        good = read_side(end + 1, &end, width);
    if (good && !*end)
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT,
                    "--size '%.40s': should be height x width in pixels, such as 64x96, each 1 to %d", text,
                    SIDE_MAX);
}

/* Views that are still free to be chosen under a rule. */
struct candidates {
    uint32_t *views, count;
};

static ttt_status find_candidates(const struct render_job *job, const char *rule_text, const bool *used,
                                  struct candidates *candidates)
{
    struct view_rule rule;
    TRY(view_rule_parse(rule_text, &rule));
    *candidates = (struct candidates){.views = malloc(job->scene.view_count * sizeof *candidates->views)};
    if (!candidates->views)
        return no_memory(job);
    for (uint32_t i = 0; i < job->scene.view_count; i++)
        if (!used[i] && view_rule_holds(&rule, &job->scene.views[i]))
            candidates->views[candidates->count++] = i;
    return TTT_OK;
}

/* Chooses `wanted` views under a rule, 0 for all, as evaluation does, and marks them. */
static ttt_status choose(const struct render_job *job, const char *what, const char *rule, bool *used,
                         int64_t wanted, uint32_t **views, int *count)
{
    struct candidates left;
    TRY(find_candidates(job, rule, used, &left));
    const int64_t taken = wanted ? wanted : left.count;
    ttt_status status = TTT_OK;
    if (taken > left.count || !left.count)
        status = ttt_fail(
            TTT_ARGUMENT, "%s: %lld %s views are wanted, but of its %u views %u are left for them",
            job->scene.path, (long long)(wanted ? wanted : 1), what, job->scene.view_count, left.count);
    else if (!(*views = malloc((size_t)taken * sizeof **views)))
        status = no_memory(job);
    for (uint32_t i = 0; !status && i < taken; i++) {
        (*views)[i] = left.views[view_spread(i, (uint32_t)taken, left.count)];
        used[(*views)[i]] = true;
    }
    *count = (int)taken;
    free(left.views);
    return status;
}

/* The view with this number in the scene's file. */
static ttt_status find_entry(const struct render_job *job, const char *text, char **end, uint32_t *view)
{
    errno = 0;
    const long entry = strtol(text, end, 10);
    if (*end == text || *text < '0' || *text > '9' || errno || (**end && **end != ','))
        return ttt_fail(TTT_ARGUMENT,
                        "--views '%.60s': should be a number of views, or view numbers such as 3,7,11",
                        job->request->views);
    for (*view = 0; *view < job->scene.view_count; ++*view)
        if (job->scene.views[*view].entry == entry)
            return TTT_OK;
    return ttt_fail(TTT_ARGUMENT, "--views: %s has no view %ld; it has %u views", job->scene.path, entry,
                    job->scene.view_count);
}

/* --views 3,7,11: those very views. */
static ttt_status read_targets(struct render_job *job, bool *used)
{
    const char *text = job->request->views;
    int commas = 0;
    for (const char *c = text; *c; c++)
        commas += *c == ',';
    if (!(job->targets = malloc(((size_t)commas + 1) * sizeof *job->targets)))
        return no_memory(job);
    while (*text) {
        char *end;
        uint32_t view = 0;
        TRY(find_entry(job, text, &end, &view));
        if (used[view])
            return ttt_fail(TTT_ARGUMENT, "--views '%.60s': names view %u twice; name each view once",
                            job->request->views, job->scene.views[view].entry);
        job->targets[job->frame_count++] = view;
        used[view] = true;
        text = *end ? end + 1 : end;
    }
    return TTT_OK;
}

/* --views 24: how many; 0 when it is not given. */
static ttt_status read_count(const struct render_job *job, int64_t *count)
{
    const char *text = job->request->views, *end;
    char *stop;
    *count = 0;
    if (!text)
        return TTT_OK;
    errno = 0;
    *count = strtoll(text, &stop, 10);
    end = stop;
    if (end == text || *end || errno || *count < 1 || *count > FRAMES_MAX)
        return ttt_fail(TTT_ARGUMENT, "--views '%.60s': should be a number of views from 1 to %d%s", text,
                        FRAMES_MAX,
                        job->request->path == CAMERA_TARGETS ? ", or view numbers such as 3,7,11" : "");
    return TTT_OK;
}

/* As the index file of the config's evaluation says. */
static ttt_status choose_indexed(struct render_job *job)
{
    const struct config_views *views = &job->trained->config.eval.views;
    struct view_index *index;
    struct view_choice choice = {.order = VIEWS_INDEXED};
    TRY(view_index_open(views->index, &index));
    choice.index = index;
    ttt_status status;
    TRY_TO(view_choice_counts(&choice, &job->scene, &job->input_count, &job->frame_count), cleanup);
    job->inputs = malloc((size_t)job->input_count * sizeof *job->inputs);
    job->targets = malloc((size_t)job->frame_count * sizeof *job->targets);
    status = job->inputs && job->targets ? view_choose(&choice, &job->scene, NULL, job->inputs, job->targets)
                                         : no_memory(job);
cleanup:
    view_index_free(index);
    return status;
}

static ttt_status choose_by_rules(struct render_job *job, bool *used)
{
    const struct run_config *config = &job->trained->config;
    const struct config_views *views = &config->eval.views;
    const bool targets = job->request->path == CAMERA_TARGETS;
    const bool listed = targets && job->request->views && strchr(job->request->views, ',');
    int64_t wanted, inputs = job->request->inputs;
    if (!inputs)
        inputs =
            config->eval.num_input_views ? config->eval.num_input_views : config->model.lact.num_input_views;
    inputs += job->request->add;
    if (listed)
        TRY(read_targets(job, used));
    TRY(choose(job, "input", views->inputs, used, inputs, &job->inputs, &job->input_count));
    if (listed)
        return TTT_OK;
    TRY(read_count(job, &wanted));
    if (targets)
        return choose(job, "target", views->targets, used, wanted ? wanted : config->eval.num_target_views,
                      &job->targets, &job->frame_count);
    job->frame_count = wanted ? (int)wanted : FRAMES;
    return TTT_OK;
}

static ttt_status choose_views(struct render_job *job)
{
    const bool indexed = job->trained->config.eval.views.order == VIEWS_INDEXED;
    if (indexed && job->request->path == CAMERA_TARGETS && !job->request->inputs && !job->request->add &&
        !job->request->views)
        return choose_indexed(job);
    bool *used = calloc(job->scene.view_count, sizeof *used);
    if (!used)
        return no_memory(job);
    ttt_status status = choose_by_rules(job, used);
    free(used);
    return status;
}

static ttt_status make_path(struct render_job *job)
{
    const enum camera_path path = job->request->path;
    job->cameras = calloc((size_t)job->frame_count, sizeof *job->cameras);
    if (!job->cameras)
        return no_memory(job);
    if (path == CAMERA_TARGETS)
        return cameras_of_views(&job->scene, job->targets, job->frame_count, job->height, job->width,
                                job->cameras);
    struct camera *given = calloc((size_t)job->input_count, sizeof *given);
    if (!given)
        return no_memory(job);
    ttt_status status;
    TRY_TO(cameras_of_views(&job->scene, job->inputs, job->input_count, job->height, job->width, given),
           cleanup);
    if (path == CAMERA_INTERPOLATE)
        camera_interpolate(given, job->input_count, job->frame_count, job->cameras);
    else
        status = ttt_within(camera_turntable(given, job->input_count, job->frame_count, job->cameras), "%s",
                            job->scene.path);
cleanup:
    free(given);
    return status;
}

ttt_status render_choose(struct render_job *job)
{
    const struct config_data *data = &job->trained->config.data;
    const struct scene_sample_options options = {.height = job->height,
                                                 .width = job->width,
                                                 .normalisation = data->poses,
                                                 .factor = data->pose_scale,
                                                 .scope = data->pose_scope};
    TRY(choose_views(job));
    TRY(make_path(job));
    return scene_sample_frame(&options, &job->scene, job->inputs, job->input_count, job->targets,
                              job->targets ? job->frame_count : 0, &job->frame);
}
