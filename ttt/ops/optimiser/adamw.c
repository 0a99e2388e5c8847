/* AdamW: builder, cost, table. */
#include <stdlib.h>
#include <string.h>

#include "ttt/ops/optimiser/builders.h"
#include "ttt/ops/optimiser/optimiser_rows.h"

/* Whether x is one f32 number; else the graph's error is set. */
static bool is_number(ttt_graph *g, const char *what, ttt_tensor x)
{
    char text[TTT_SHAPE_TEXT];
    if (!ttt_valid(x))
        return false;
    if (ttt_shape_elements(ttt_shape_of(g, x)) == 1 && ttt_exists(x))
        return true;
    ttt_graph_fail(g, TTT_SHAPE, "adamw: %s must have one element, not shape %s", what,
                   ttt_shape_text(ttt_shape_of(g, x), text));
    return false;
}

static bool options_are_sound(ttt_graph *g, const ttt_adamw_options *options)
{
    if (options->beta1 >= 0 && options->beta1 < 1 && options->beta2 >= 0 && options->beta2 < 1 &&
        options->eps >= 0 && options->clip >= 0 && options->skip_over >= 0 && options->average_decay >= 0 &&
        options->average_decay < 1)
        return true;
    ttt_graph_fail(
        g, TTT_ARGUMENT,
        "adamw: betas %g and %g and average_decay %g must be at least 0 and below 1; eps %g, clip %g and "
        "skip_over %g at least 0",
        options->beta1, options->beta2, options->average_decay, (double)options->eps, (double)options->clip,
        (double)options->skip_over);
    return false;
}

static bool parameter_is_sound(ttt_graph *g, const ttt_adamw_parameter *p, int i, bool averages)
{
    return ttt_writable(g, "adamw", "parameter", i, p->parameter) &&
           ttt_writable(g, "adamw", "mean", i, p->mean) &&
           ttt_writable(g, "adamw", "variance", i, p->variance) &&
           ttt_same_shape(g, "adamw", "gradient", i, p->gradient, p->parameter) &&
           ttt_same_shape(g, "adamw", "mean", i, p->mean, p->parameter) &&
           ttt_same_shape(g, "adamw", "variance", i, p->variance, p->parameter) &&
           (!averages || (ttt_writable(g, "adamw", "average", i, p->average) &&
                          ttt_same_shape(g, "adamw", "average", i, p->average, p->parameter)));
}

/* Finds the group of `decay`, or opens it; -1 when there are too many. */
static int group_of(struct ttt_adamw_group *groups, int *n_groups, float decay)
{
    for (int i = 0; i < *n_groups; i++)
        if (groups[i].decay == decay)
            return i;
    if (*n_groups == TTT_ADAMW_DECAYS)
        return -1;
    groups[*n_groups] = (struct ttt_adamw_group){.decay = decay};
    return (*n_groups)++;
}

/* Collects the different decays, in the order of their first parameter. */
static bool collect_groups(ttt_graph *g, const ttt_adamw_parameter *parameters, int count,
                           struct ttt_adamw_attributes *attributes, int *n_groups)
{
    for (int i = 0; i < count; i++) {
        if (parameters[i].gradient.index == TTT_NONE.index)
            continue;
        if (!parameter_is_sound(g, &parameters[i], i, attributes->options.average_decay > 0))
            return false;
        if (group_of(attributes->groups, n_groups, parameters[i].weight_decay) < 0) {
            ttt_graph_fail(g, TTT_UNSUPPORTED, "adamw: more than %d different weight decays",
                           TTT_ADAMW_DECAYS);
            return false;
        }
    }
    return true;
}

/* Appends the parameters, group after group, and notes where each group ends; returns how many inputs. */
static int list_by_group(ttt_graph *g, const ttt_adamw_parameter *parameters, int count,
                         struct ttt_adamw_attributes *attributes, int n_groups, ttt_tensor *inputs)
{
    const int each = ttt_adamw_each(attributes);
    struct ttt_adamw_group *groups = attributes->groups;
    int listed = 0;
    for (int k = 0; k < n_groups; k++) {
        for (int i = 0; i < count; i++) {
            const ttt_adamw_parameter *p = &parameters[i];
            if (p->gradient.index == TTT_NONE.index || p->weight_decay != groups[k].decay)
                continue;
            const ttt_tensor all[TTT_ADAMW_MOST_EACH] = {p->parameter, ttt_contiguous(g, p->gradient),
                                                         p->mean, p->variance, p->average};
            memcpy(inputs + TTT_ADAMW_FIRST + each * listed++, all, (size_t)each * sizeof *all);
        }
        groups[k].end = listed;
    }
    return TTT_ADAMW_FIRST + each * listed;
}

ttt_tensor ttt_adamw(ttt_graph *g, const ttt_adamw_parameter *parameters, int count, ttt_tensor norm,
                     ttt_tensor loss, ttt_tensor rate, ttt_tensor steps, ttt_adamw_options options)
{
    struct ttt_adamw_attributes attributes = {.options = options};
    int n_groups = 0;
    if (!is_number(g, "norm", norm) || !is_number(g, "loss", loss) || !is_number(g, "rate", rate) ||
        !is_number(g, "steps", steps) || !options_are_sound(g, &options) ||
        !collect_groups(g, parameters, count, &attributes, &n_groups))
        return TTT_INVALID;
    ttt_tensor *inputs = ttt_tensor_list(g, TTT_ADAMW_FIRST + ttt_adamw_each(&attributes) * count);
    if (!inputs)
        return TTT_INVALID;
    inputs[TTT_ADAMW_NORM] = norm;
    inputs[TTT_ADAMW_LOSS] = loss;
    inputs[TTT_ADAMW_RATE] = rate;
    inputs[TTT_ADAMW_STEPS] = steps;
    const int n = list_by_group(g, parameters, count, &attributes, n_groups, inputs);
    const ttt_tensor taken = ttt_node_add_one(g, &ttt_op_adamw, &attributes, inputs, n, TTT_F32, ttt_dims(1));
    free(inputs);
    return taken;
}

/* For each element: all tensors read, and written but for the gradient; clip 1, decay 1, mean 3, variance 4,
 * update 6, average 3. */
static ttt_cost adamw_cost(const ttt_launch *launch)
{
    const int each = ttt_adamw_each(launch->attributes);
    const double elements = (double)ttt_elements_of_all(launch, TTT_ADAMW_FIRST, each);
    return (ttt_cost){.flops = (each > TTT_ADAMW_AVERAGE ? 18 : 15) * elements,
                      .bytes = 4 * (2 * each - 1) * elements};
}

static const ttt_implementation *const adamw_rows[] = {&ttt_adamw_cpu, TTT_CUDA_ROW(&ttt_adamw_cuda) NULL};

const ttt_operator ttt_op_adamw = {.name = "adamw",
                                   .attribute_size = sizeof(struct ttt_adamw_attributes),
                                   .cost = adamw_cost,
                                   .has_effect = true,
                                   .implementations = adamw_rows};
