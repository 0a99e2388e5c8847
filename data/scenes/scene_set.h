/* A set of scenes: one, or a list of which bad ones are skipped and counted. */
#ifndef DATA_SCENES_SCENE_SET_H
#define DATA_SCENES_SCENE_SET_H

#include "data/scenes/scene.h"
#include "data/scenes/view_choice.h"

struct scene_set_options {
    struct scene_options scene;
    const struct view_choice *choice; /* NULL, or what every scene must have enough views for */
    int least_side;                   /* 0, or the patch that every picture must be at least as large as */
    int threads;                      /* 0: one for each processor */
};

/* Of how many bad scenes a set that has many says what is wrong. */
enum { SCENE_SET_LINES = 5 };

struct scene_set {
    uint32_t count; /* >= 1 */
    struct scene *scenes;
    uint32_t skipped;     /* scenes of the list that are not among them */
    char **skipped_lines; /* (skipped) one line each: which, and why */
};

/* Opens PATH: a scene file or a folder with one (scene.h); or a list: a JSON array of paths, a text file with
 * one path a line ("#" starts a comment), or a folder whose sub-folders are scenes, in the order of their
 * names.  Paths in a list are relative to the list's folder.
 *
 * A scene that cannot be opened, has too few views for the choice, or pictures that are too small, is an
 * error when it is the only one, and skipped when it is one of many; so is a list of which none is left, with
 * the error of its first.  The caller frees *set; on failure it is empty. TTT_ARGUMENT, TTT_FORMAT,
 * TTT_UNSUPPORTED, TTT_MEMORY, TTT_IO, as scene_open. */
ttt_status scene_set_open(const char *path, const struct scene_set_options *options, struct scene_set *set)
    __attribute__((warn_unused_result));

void scene_set_free(struct scene_set *set);

/* Says what is wrong with the first of the skipped scenes, a line each, and how many more there are. */
void scene_set_report(const struct scene_set *set, void (*say)(void *context, const char *line),
                      void *context);

/* Whether PATH would be opened as scenes: a scene file or folder, a folder with scene folders in it, or a
 * file that is not a folder. */
bool scene_set_exists(const char *path);

#endif
