/* Opening many scenes, skipping those that cannot be used. */
#include "data/scenes/scene_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/scenes/scene_list.h"
#include "data/workers.h"

struct opening {
    const struct scene_set_options *options;
    const struct scene_list *list;
    struct scene *scenes; /* (list->count) */
    ttt_status *statuses; /* (list->count) */
};

/* Whether the scene serves the options. */
static ttt_status suits(const struct scene_set_options *options, const struct scene *scene)
{
    int inputs, targets;
    TRY(scene_check_sides(scene, options->least_side));
    return options->choice ? view_choice_counts(options->choice, scene, &inputs, &targets) : TTT_OK;
}

static ttt_status open_job(void *context, int worker, size_t index)
{
    (void)worker;
    const struct opening *opening = context;
    struct scene *scene = &opening->scenes[index];
    ttt_status status = scene_open(opening->list->paths[index], &opening->options->scene, scene);
    if (!status)
        status = suits(opening->options, scene);
    if (!status)
        return TTT_OK;
    scene_free(scene);
    /* What is wrong with one scene is no reason to leave out the others; want of memory is. */
    if (ttt_status_code(status) == TTT_MEMORY)
        return status;
    opening->statuses[index] = status;
    return TTT_OK;
}

/* Moves the good scenes together and keeps a line for each of the others. */
static ttt_status gather(const struct opening *opening, struct scene_set *set)
{
    size_t total = opening->list->count;
    set->skipped_lines = calloc(total, sizeof *set->skipped_lines);
    if (!set->skipped_lines)
        return ttt_fail(TTT_MEMORY, "not enough memory for a list of %zu scenes", total);
    for (size_t i = 0; i < total; i++) {
        if (!opening->statuses[i]) {
            set->scenes[set->count++] = opening->scenes[i];
            continue;
        }
        char *line = strdup(ttt_status_text(opening->statuses[i]));
        if (!line)
            return ttt_fail(TTT_MEMORY, "not enough memory for a list of %zu scenes", total);
        set->skipped_lines[set->skipped++] = line;
    }
    if (set->count > 0)
        return TTT_OK;
    ttt_status status = ttt_status_copy(opening->statuses[0]);
    return total == 1 ? status : ttt_within(status, "none of the %zu scenes can be used; the first", total);
}

static ttt_status open_list(const struct scene_list *list, const struct scene_set_options *options,
                            struct scene_set *set)
{
    struct opening opening = {options, list, calloc(list->count, sizeof(struct scene)),
                              calloc(list->count, sizeof(ttt_status))};
    set->scenes = opening.scenes;
    ttt_status status = TTT_OK;
    if (!opening.scenes || !opening.statuses)
        status = ttt_fail(TTT_MEMORY, "not enough memory for a list of %zu scenes", list->count);
    if (!status) {
        status = workers_run(options->threads, list->count, open_job, &opening);
        if (status) /* every opened scene is to be freed */
            set->count = (uint32_t)list->count;
        else
            status = gather(&opening, set);
    }
    for (size_t i = 0; opening.statuses && i < list->count; i++)
        ttt_status_free(opening.statuses[i]);
    free(opening.statuses);
    return status;
}

ttt_status scene_set_open(const char *path, const struct scene_set_options *options, struct scene_set *set)
{
    struct scene_list list;
    *set = (struct scene_set){0};
    TRY(scene_list_read(path, &list));
    ttt_status status = open_list(&list, options, set);
    scene_list_free(&list);
    if (status)
        scene_set_free(set);
    return status;
}

void scene_set_free(struct scene_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        scene_free(&set->scenes[i]);
    for (uint32_t i = 0; i < set->skipped; i++)
        free(set->skipped_lines[i]);
    free(set->skipped_lines);
    free(set->scenes);
    *set = (struct scene_set){0};
}

void scene_set_report(const struct scene_set *set, void (*say)(void *context, const char *line),
                      void *context)
{
    char rest[80];
    for (uint32_t i = 0; i < set->skipped && i < SCENE_SET_LINES; i++)
        say(context, set->skipped_lines[i]);
    if (set->skipped <= SCENE_SET_LINES)
        return;
    snprintf(rest, sizeof rest, "... and %u more scenes that cannot be used", set->skipped - SCENE_SET_LINES);
    say(context, rest);
}

bool scene_set_exists(const char *path)
{
    struct stat about;
    struct scene_list list;
    if (scene_exists(path))
        return true;
    if (stat(path, &about))
        return false;
    if (!S_ISDIR(about.st_mode))
        return true;
    ttt_status status = scene_list_read(path, &list);
    scene_list_free(&list);
    ttt_status_free(status);
    return !status;
}
