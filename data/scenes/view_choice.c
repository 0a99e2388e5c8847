/* Choosing input and target views.
 *
 * Candidates stand in the scene's order, or in an order drawn at random.  Inputs are taken from those that
 * the input rule leaves, then targets from those that the target rule leaves and that are no inputs.
 */
#include "data/scenes/view_choice.h"

#include <stdlib.h>
#include <string.h>

#include "data/scenes/view_index.h"

/* How many views each rule leaves, and both. */
struct tally {
    uint32_t inputs, targets, both;
};

static struct tally tally_of(const struct view_choice *choice, const struct scene *scene)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i < scene->view_count; i++) {
        bool input = view_rule_holds(&choice->input_rule, &scene->views[i]);
        bool target = view_rule_holds(&choice->target_rule, &scene->views[i]);
        tally.inputs += input;
        tally.targets += target;
        tally.both += input && target;
    }
    return tally;
}

static ttt_status too_few(const struct scene *scene, const char *what, uint32_t wanted, uint32_t left,
                          uint32_t taken)
{
    if (taken)
        return ttt_fail(
            TTT_ARGUMENT,
            "%s: %u %s views are wanted, but the scene has %u for them and %u of these may be inputs",
            scene->path, wanted, what, left, taken);
    return ttt_fail(TTT_ARGUMENT, "%s: %u %s views are wanted, but the scene has %u for them", scene->path,
                    wanted, what, left);
}

ttt_status view_choice_counts(const struct view_choice *choice, const struct scene *scene, int *inputs,
                              int *targets)
{
    if (choice->order == VIEWS_INDEXED)
        return view_index_counts(choice->index, scene, inputs, targets);
    if (choice->inputs < 1 || choice->targets < 0)
        return ttt_fail(TTT_ARGUMENT, "%d input and %d target views: at least one of each is needed",
                        choice->inputs, choice->targets);
    struct tally tally = tally_of(choice, scene);
    uint32_t input_count = (uint32_t)choice->inputs;
    if (tally.inputs < input_count)
        return too_few(scene, "input", input_count, tally.inputs, 0);
    /* Inputs may fall on views that targets could use. */
    uint32_t taken = tally.both < input_count ? tally.both : input_count;
    /* Where all targets are wanted, those on which inputs fall are not known beforehand: none may. */
    if (choice->targets == 0 && tally.both > 0 && tally.both < tally.inputs)
        return ttt_fail(
            TTT_ARGUMENT,
            "%s: all target views are wanted, but some may be inputs: make the two rules the same or "
            "apart",
            scene->path);
    uint32_t target_count = choice->targets ? (uint32_t)choice->targets : 1;
    if (tally.targets - taken < target_count)
        return too_few(scene, "target", target_count, tally.targets, taken);
    *inputs = choice->inputs;
    *targets = choice->targets ? choice->targets : (int)(tally.targets - taken);
    return TTT_OK;
}

uint32_t view_spread(uint32_t i, uint32_t count, uint32_t total)
{
    return count == 1 ? total / 2 : (uint32_t)((uint64_t)i * (total - 1) / (count - 1));
}

/* `count` views out of `order`[total]: the first, or evenly spread. */
static void pick(const struct view_choice *choice, const uint32_t *order, uint32_t total, uint32_t count,
                 uint32_t *out)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = order[choice->order == VIEWS_UNIFORM ? view_spread(i, count, total) : i];
}

/* Views in `order` that a rule leaves and that are not marked, moved to `left`; how many. */
static uint32_t leave(const struct view_rule *rule, const struct scene *scene, const uint32_t *order,
                      const bool *used, uint32_t *left)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scene->view_count; i++)
        if (!used[order[i]] && view_rule_holds(rule, &scene->views[order[i]]))
            left[count++] = order[i];
    return count;
}

ttt_status view_choose(const struct view_choice *choice, const struct scene *scene, ttt_random *random,
                       uint32_t *inputs, uint32_t *targets)
{
    int input_count, target_count;
    TRY(view_choice_counts(choice, scene, &input_count, &target_count));
    if (choice->order == VIEWS_INDEXED)
        return view_index_choose(choice->index, scene, inputs, targets);
    uint32_t *order = malloc(scene->view_count * sizeof *order),
             *left = malloc(scene->view_count * sizeof *left);
    bool *used = calloc(scene->view_count, sizeof *used);
    bool room = order && left && used;
    if (room) {
        for (uint32_t i = 0; i < scene->view_count; i++)
            order[i] = i;
        if (choice->order == VIEWS_RANDOM)
            ttt_random_permutation(random, scene->view_count, order);
        uint32_t total = leave(&choice->input_rule, scene, order, used, left);
        pick(choice, left, total, (uint32_t)input_count, inputs);
        for (int i = 0; i < input_count; i++)
            used[inputs[i]] = true;
        total = leave(&choice->target_rule, scene, order, used, left);
        pick(choice, left, total, (uint32_t)target_count, targets);
    }
    free(order);
    free(left);
    free(used);
    return room ? TTT_OK : ttt_fail(TTT_MEMORY, "%s: not enough memory to choose views", scene->path);
}
