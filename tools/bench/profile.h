/* Where the time of a plan goes. */
#ifndef TOOLS_BENCH_PROFILE_H
#define TOOLS_BENCH_PROFILE_H

#include <jansson.h>

#include "ttt/device/device.h"
#include "ttt/graph/plan.h"

/* Nodes, or groups of them, of one step. */
struct bench_profile_line {
    char name[128];
    int nodes;
    double seconds, flops, bytes;
    double least; /* the sum of bench_least_seconds over the nodes */
};

struct bench_profile {
    ttt_node_profile *nodes; /* times, FLOPs and bytes are those of all of a step's passes */
    int count;
};

/* Runs the prepared plan `runs` times and adds its nodes; a step runs it `passes` times.  The plan must
 * outlive the profile, which bench_profile_clear frees.  Fails as ttt_plan_profile. */
ttt_status bench_profile_add(struct bench_profile *profile, ttt_plan *plan, int runs, int passes)
    __attribute__((warn_unused_result));
void bench_profile_clear(struct bench_profile *profile);

/* Tables by operator, by layer, and of the worst nodes.  Shares are of the machine's rates. */
void bench_profile_print(const struct bench_profile *profile, ttt_device_rates rates);

/* The same as one object; every node is in it.  NULL when memory runs out. */
json_t *bench_profile_json(const struct bench_profile *profile, ttt_device_rates rates);

/* What a piece of work takes at the machine's rates: computing or moving, whichever is longer. */
double bench_least_seconds(double flops, double bytes, ttt_device_rates rates);

#endif
