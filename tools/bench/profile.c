/* Where the time of a plan goes: nodes, grouped by operator and by layer. */
#include "tools/bench/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORST_NODES = 20, NAME = sizeof((struct bench_profile_line *)0)->name };

ttt_status bench_profile_add(struct bench_profile *profile, ttt_plan *plan, int runs, int passes)
{
    ttt_node_profile *more;
    int count;
    TRY(ttt_plan_profile(plan, runs, &more, &count));
    size_t total = (size_t)(profile->count + count);
    ttt_node_profile *nodes = realloc(profile->nodes, (total + 1) * sizeof *nodes);
    if (nodes) {
        profile->nodes = nodes;
        for (int i = 0; i < count; i++) {
            ttt_node_profile *node = &nodes[profile->count++];
            *node = more[i];
            node->seconds *= passes;
            node->flops *= passes;
            node->bytes *= passes;
        }
    }
    free(more);
    return nodes ? TTT_OK : ttt_fail(TTT_MEMORY, "no memory for a profile");
}

void bench_profile_clear(struct bench_profile *profile)
{
    free(profile->nodes);
    *profile = (struct bench_profile){0};
}

double bench_least_seconds(double flops, double bytes, ttt_device_rates rates)
{
    double computing = flops / rates.matmul_flops, moving = bytes / rates.copy_bytes;
    return computing > moving ? computing : moving;
}

typedef void node_namer(const ttt_node_profile *node, char name[NAME]);

static void name_of_operator(const ttt_node_profile *node, char name[NAME])
{
    snprintf(name, NAME, "%s:%s%s", node->op, node->implementation, node->backward ? " backward" : "");
}

/* With the node's place in the step, since nodes of a layer share their name. */
static void name_of_node(const ttt_node_profile *node, char name[NAME], int place)
{
    snprintf(name, NAME, "%4d %s:%s%s", place, node->name, node->implementation,
             node->backward ? " backward" : "");
}

/* What the optimiser is made of; it has no scope. */
static bool is_update(const char *op)
{
    static const char *const updates[] = {"gradient_norm", "adamw", "accumulate", "clear"};
    for (size_t i = 0; i < sizeof updates / sizeof *updates; i++)
        if (!strcmp(op, updates[i]))
            return true;
    return false;
}

/* The model's part: "patch_embed", "blocks.3", "head"; what is outside belongs to the optimiser or the loss.
 */
static void name_of_layer(const ttt_node_profile *node, char name[NAME])
{
    size_t length = strcspn(node->name, ".");
    if (!node->name[length])
        snprintf(name, NAME, "%s", is_update(node->op) ? "optimiser" : "loss");
    else if (length == strlen("blocks") && !strncmp(node->name, "blocks", length))
        snprintf(name, NAME, "%.*s", (int)(length + 1 + strcspn(node->name + length + 1, ".")), node->name);
    else
        snprintf(name, NAME, "%.*s", (int)length, node->name);
}

struct lines {
    struct bench_profile_line *at;
    int count;
};

static void add_node(struct bench_profile_line *line, const ttt_node_profile *node, ttt_device_rates rates)
{
    line->nodes++;
    line->seconds += node->seconds;
    line->flops += node->flops;
    line->bytes += node->bytes;
    line->least += bench_least_seconds(node->flops, node->bytes, rates);
}

/* Every node by itself. */
static struct lines single(const struct bench_profile *profile, ttt_device_rates rates)
{
    struct lines lines = {calloc((size_t)profile->count + 1, sizeof *lines.at), 0};
    for (int n = 0; n < profile->count && lines.at; n++) {
        name_of_node(&profile->nodes[n], lines.at[n].name, n);
        add_node(&lines.at[lines.count++], &profile->nodes[n], rates);
    }
    return lines;
}

/* Adds up nodes of the same name, in the order in which names first come. */
static struct lines group(const struct bench_profile *profile, node_namer *namer, ttt_device_rates rates)
{
    struct lines lines = {calloc((size_t)profile->count + 1, sizeof *lines.at), 0};
    for (int n = 0; n < profile->count && lines.at; n++) {
        const ttt_node_profile *node = &profile->nodes[n];
        char name[NAME];
        int i = 0;
        namer(node, name);
        while (i < lines.count && strcmp(lines.at[i].name, name))
            i++;
        struct bench_profile_line *line = &lines.at[i];
        if (i == lines.count) {
            lines.count++;
            memcpy(line->name, name, sizeof name);
        }
        add_node(line, node, rates);
    }
    return lines;
}

static int slowest_first(const void *a, const void *b)
{
    const struct bench_profile_line *x = a, *y = b;
    return x->seconds != y->seconds ? (x->seconds < y->seconds ? 1 : -1) : strcmp(x->name, y->name);
}

static double total_seconds(const struct bench_profile *profile)
{
    double total = 0;
    for (int n = 0; n < profile->count; n++)
        total += profile->nodes[n].seconds;
    return total;
}

static void print_lines(const char *title, const struct lines *lines, int most, double total,
                        ttt_device_rates rates)
{
    printf("\n%-52s %5s %10s %6s %9s %7s %7s %7s %8s\n", title, "nodes", "ms", "share", "GFLOP/s", "of SGEMM",
           "GB/s", "of copy", "of limit");
    for (int i = 0; i < lines->count && i < most; i++) {
        const struct bench_profile_line *line = &lines->at[i];
        double seconds = line->seconds > 0 ? line->seconds : 1e-9;
        printf("%-52s %5d %10.3f %5.1f%% %9.2f %7.1f%% %7.2f %6.1f%% %7.1f%%\n", line->name, line->nodes,
               1e3 * line->seconds, 100 * line->seconds / total, 1e-9 * line->flops / seconds,
               100 * line->flops / seconds / rates.matmul_flops, 1e-9 * line->bytes / seconds,
               100 * line->bytes / seconds / rates.copy_bytes, 100 * line->least / seconds);
    }
}

static void print_sorted(const char *title, struct lines *lines, int most, double total,
                         ttt_device_rates rates)
{
    if (lines->at)
        qsort(lines->at, (size_t)lines->count, sizeof *lines->at, slowest_first);
    print_lines(title, lines, most, total, rates);
}

void bench_profile_print(const struct bench_profile *profile, ttt_device_rates rates)
{
    const double total = total_seconds(profile);
    printf(
        "\nprofile: %.3f ms in %d nodes, each timed alone; of limit: least time at these rates over time\n",
        1e3 * total, profile->count);
    struct lines operators = group(profile, name_of_operator, rates),
                 layers = group(profile, name_of_layer, rates), nodes = single(profile, rates);
    print_sorted("operator:implementation", &operators, profile->count, total, rates);
    print_lines("layer", &layers, profile->count, total, rates);
    print_sorted("slowest nodes, by place in the step", &nodes, WORST_NODES, total, rates);
    free(operators.at);
    free(layers.at);
    free(nodes.at);
}

/* Frees the lines. */
static json_t *lines_json(struct lines lines)
{
    json_t *array = lines.at ? json_array() : NULL;
    for (int i = 0; i < lines.count && array; i++) {
        const struct bench_profile_line *line = &lines.at[i];
        double seconds = line->seconds > 0 ? line->seconds : 1e-9;
        json_t *object =
            json_pack("{s:s, s:i, s:f, s:f, s:f, s:f}", "name", line->name, "nodes", line->nodes, "seconds",
                      line->seconds, "flops_per_second", line->flops / seconds, "bytes_per_second",
                      line->bytes / seconds, "share_of_limit", line->least / seconds);
        if (json_array_append_new(array, object)) {
            json_decref(array);
            array = NULL;
        }
    }
    free(lines.at);
    return array;
}

json_t *bench_profile_json(const struct bench_profile *profile, ttt_device_rates rates)
{
    return json_pack("{s:f, s:o, s:o, s:o}", "seconds", total_seconds(profile), "operators",
                     lines_json(group(profile, name_of_operator, rates)), "layers",
                     lines_json(group(profile, name_of_layer, rates)), "nodes",
                     lines_json(single(profile, rates)));
}
