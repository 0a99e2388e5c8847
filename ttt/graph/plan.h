/* From a graph to launches: choice of implementations, memory layout, running, profile.
 *
 * Planning drops what no output needs, fuses chains of pointwise nodes, takes for each node the first
 * implementation that supports it, and lays every activation, gradient and workspace into one arena.
 * The memory is known before any is taken.
 */
#ifndef TTT_GRAPH_PLAN_H
#define TTT_GRAPH_PLAN_H

#include <stdio.h>

#include "ttt/graph/graph.h"
#include "ttt/graph/store.h"

typedef struct ttt_plan ttt_plan;

typedef struct ttt_plan_options {
    const char *implementations; /* "op:row,op:row" forces rows; NULL: the environment's TTT_IMPL, if set */
    int64_t memory_limit;        /* bytes for variables and arena together; 0: what the device has free */
    bool ahead;                  /* inputs will be written by ttt_plan_write_later: room for them */
    bool keep_chains;            /* leave pointwise chains unfused, one node an operation */
} ttt_plan_options;

typedef struct ttt_plan_memory {
    int64_t variables; /* all of the store, including those that this plan adds */
    int64_t arena;     /* inputs, activations, gradients, workspaces, inputs written ahead */
    int64_t total;
} ttt_plan_memory;

/* Plans `graph` for the store's device.  Takes no memory on the device.  `options` may be NULL.
 * Fails with the graph's own first error; TTT_ARGUMENT for a graph that targets another kind of device;
 * TTT_UNSUPPORTED when no implementation takes a node (the text has
 * each row's reason); TTT_ARGUMENT for a forced row that does not exist or a variable whose shape or type
 * differs from the store's; TTT_MEMORY when over the limit, with both numbers. */
ttt_status ttt_plan_create(const ttt_graph *graph, ttt_store *store, const ttt_plan_options *options,
                           ttt_plan **plan);
void ttt_plan_destroy(ttt_plan *plan);

ttt_plan_memory ttt_plan_memory_of(const ttt_plan *plan);

/* For plans that are held together: TTT_MEMORY, with all numbers, when their variables and arenas are over
 * the limit, or, for 0, when what `store` lacks of them is more than the device has free. */
ttt_status ttt_plan_memory_check(ttt_plan_memory memory, const ttt_store *store, int64_t limit);

/* FLOPs and least bytes of one run. */
double ttt_plan_flops(const ttt_plan *plan);
double ttt_plan_bytes(const ttt_plan *plan);
int ttt_plan_node_count(const ttt_plan *plan);

/* Adds the graph's variables to the store (zeros, where they are not there yet) and takes the arena. */
ttt_status ttt_plan_prepare(ttt_plan *plan);

/* Copies a whole input in, a whole output out; host memory is contiguous.  By the names given to ttt_input
 * and ttt_output; TTT_ARGUMENT for another name.  The plan must be prepared. */
ttt_status ttt_plan_write(ttt_plan *plan, const char *input, const void *host);
ttt_status ttt_plan_read(ttt_plan *plan, const char *output, void *host);

/* As ttt_plan_write, but the copy may go on beside a run that is under way, and the next run has it.  `host`
 * must stay as it is until ttt_plan_writes_done has returned; memory that ttt_device_allocate_host gave is
 * copied without the host waiting.  A plan made without `ahead` does what ttt_plan_write does. */
ttt_status ttt_plan_write_later(ttt_plan *plan, const char *input, const void *host);
ttt_status ttt_plan_writes_done(ttt_plan *plan);

/* As ttt_plan_read, of the run launched last, into `host` when the device gets there: ttt_device_mark. */
ttt_status ttt_plan_read_later(ttt_plan *plan, const char *output, void *host);

ttt_device *ttt_plan_device(const ttt_plan *plan);

/* Shape and type of an input or output by name; false when there is none. */
bool ttt_plan_describe(const ttt_plan *plan, const char *name, ttt_dtype *dtype, ttt_shape *shape);

/* Launches every node once; what follows from variables alone only when the store has changed.  A node that
 * fails is named in the first run; in later ones, which are recorded, only where the environment has
 * TTT_ONE_BY_ONE: then every node is waited for. */
ttt_status ttt_plan_run(ttt_plan *plan);

/* As ttt_plan_run up to the first node that writes a NaN or an infinity: TTT_NUMERIC, naming the node and its
 * output.  Nodes with effects are not run, so variables stay as they were, unless what makes a value
 * writes it where it is assigned.  For diagnosis: slow. */
ttt_status ttt_plan_check_finite(ttt_plan *plan);

/* Time of one node over the runs of ttt_plan_profile. */
typedef struct ttt_node_profile {
    const char *name;           /* "blocks.3.attn.matmul" */
    const char *op;             /* "matmul" */
    const char *implementation; /* "cblas" */
    bool backward;
    double seconds; /* median; 0 from ttt_plan_costs */
    double flops, bytes;
} ttt_node_profile;

/* Runs the plan once, then `runs` times node by node, and returns one entry per node, in order, for the
 * caller to free().  Nodes that are computed once for many runs count as 0 seconds. */
ttt_status ttt_plan_profile(ttt_plan *plan, int runs, ttt_node_profile **nodes, int *count);

/* The same entries without running anything: the plan need not be prepared.  On failure *nodes is NULL. */
ttt_status ttt_plan_costs(const ttt_plan *plan, ttt_node_profile **nodes, int *count);

#endif
