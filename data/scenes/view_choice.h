/* Which views of a scene are shown to the model, and which it has to render. */
#ifndef DATA_SCENES_VIEW_CHOICE_H
#define DATA_SCENES_VIEW_CHOICE_H

#include "data/scenes/scene.h"
#include "ttt/base/random.h"

/* A subset of a scene's views, by the entry's number in the scene file or by its split. */
struct view_rule {
    enum { VIEWS_ALL, VIEWS_MODULO, VIEWS_SPLIT } kind;
    bool except;             /* the views for which the rest does not hold */
    uint32_t modulus, value; /* entry % modulus == value */
    char split[32];
};

/* Reads "all", "index % 4 == 3", "index % 4 != 3", "split == test" or "split != test"; spaces are free.
 * TTT_ARGUMENT for another text. */
ttt_status view_rule_parse(const char *text, struct view_rule *rule) __attribute__((warn_unused_result));

bool view_rule_holds(const struct view_rule *rule, const struct scene_view *view);

/* An index file: {"scene name": {"inputs": [entries], "targets": [entries]}, ...}; "context" and "target", as
 * in the published indices, mean the same.  A scene that is null or missing has no choice.  A target may
 * be an input too, as the ends of published videos are: whoever writes an index to judge by leaves that out.
 */
struct view_index;
ttt_status view_index_open(const char *path, struct view_index **out) __attribute__((warn_unused_result));
void view_index_free(struct view_index *index);

enum view_order {
    VIEWS_RANDOM,  /* distinct, at random */
    VIEWS_UNIFORM, /* evenly spread over those that the rule leaves: always the same */
    VIEWS_INDEXED, /* as the index file says; counts and rules do not matter */
};

/* Reads "random", "uniform" or "index". */
ttt_status view_order_parse(const char *name, enum view_order *order) __attribute__((warn_unused_result));

struct view_choice {
    enum view_order order;
    int inputs;  /* >= 1 */
    int targets; /* 0: all that the rule leaves, in order */
    struct view_rule input_rule, target_rule;
    const struct view_index *index; /* for VIEWS_INDEXED; the caller's */
};

/* The i-th of `count` places evenly spread over `total` with the first and the last among them, rounded down,
 * as torch.linspace(0, total - 1, count).long() has them; a single one is in the middle. */
uint32_t view_spread(uint32_t i, uint32_t count, uint32_t total);

/* How many inputs and targets a scene gives.
 * TTT_ARGUMENT when it has too few views, with both numbers, or is not in the index; TTT_FORMAT when the
 * index names views that the scene does not have, or one of them twice.  The line starts with the scene's
 * path. */
ttt_status view_choice_counts(const struct view_choice *choice, const struct scene *scene, int *inputs,
                              int *targets) __attribute__((warn_unused_result));

/* Chooses inputs[] and targets[], positions in scene->views, as many as view_choice_counts says; no view is
 * both unless an index says so.  `random` is drawn from for VIEWS_RANDOM alone. */
ttt_status view_choose(const struct view_choice *choice, const struct scene *scene, ttt_random *random,
                       uint32_t *inputs, uint32_t *targets) __attribute__((warn_unused_result));

#endif
