/* Subsets of views by rule, and names of the orders. */
#include <stdio.h>
#include <string.h>

#include "data/scenes/scene_json.h"
#include "data/scenes/view_choice.h"

ttt_status view_rule_parse(const char *text, struct view_rule *rule)
{
    char relation[3];
    int end = 0;
    *rule = (struct view_rule){.kind = VIEWS_ALL};
    if (sscanf(text, " all %n", &end) == 0 && end && !text[end])
        return TTT_OK;
    if (sscanf(text, " index %% %9u %2[!=] %9u %n", &rule->modulus, relation, &rule->value, &end) == 3 &&
        end && !text[end] && rule->value < rule->modulus)
        rule->kind = VIEWS_MODULO;
    else if (sscanf(text, " split %2[!=] %31[A-Za-z0-9_.-] %n", relation, rule->split, &end) == 2 && end &&
             !text[end])
        rule->kind = VIEWS_SPLIT;
    rule->except = !strcmp(relation, "!=");
    if (rule->kind != VIEWS_ALL && (rule->except || !strcmp(relation, "==")))
        return TTT_OK;
    return ttt_fail(
        TTT_ARGUMENT,
        "'%s' is no rule for views: write all, index %% 4 == 3, index %% 4 != 3, split == test or "
        "split != test",
        scene_quote(text).text);
}

bool view_rule_holds(const struct view_rule *rule, const struct scene_view *view)
{
    switch (rule->kind) {
    case VIEWS_MODULO:
        return (view->entry % rule->modulus == rule->value) != rule->except;
    case VIEWS_SPLIT:
        return (strcmp(view->split, rule->split) == 0) != rule->except;
    case VIEWS_ALL:
        break;
    }
    return true;
}

ttt_status view_order_parse(const char *name, enum view_order *order)
{
    static const char *const names[] = {"random", "uniform", "index"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i])) {
            *order = (enum view_order)i;
            return TTT_OK;
        }
    return ttt_fail(TTT_ARGUMENT, "unknown choice of views '%s': random, uniform or index",
                    scene_quote(name).text);
}
