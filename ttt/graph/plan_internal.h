/* How a plan is kept.  For the files of this folder alone. */
#ifndef TTT_GRAPH_PLAN_INTERNAL_H
#define TTT_GRAPH_PLAN_INTERNAL_H

#include "ttt/graph/graph_internal.h"
#include "ttt/graph/plan.h"

struct plan_node {
    const ttt_operator *op;
    void *attributes;
    ttt_tensor *in, *out;
    int n_in, n_out;
    char *name;
    bool backward;
    bool constant; /* runs only after the store has changed */
    int merged;    /* how many graph nodes it does the work of */
    const ttt_implementation *row;
    void *state;           /* what the row's prepare made */
    ttt_operand *operands; /* inputs, then outputs */
    int64_t workspace_bytes, workspace_offset;
};

/* Memory from its first write (node `first`) to its last use (node `last`), both included. */
struct plan_storage {
    enum storage_kind kind;
    ttt_dtype dtype;
    ttt_shape shape;
    char *name;
    int64_t bytes;
    int first, last;          /* -1: never used */
    bool kept;                /* an output: lives to the end */
    bool precise;             /* stays in f32 */
    bool changes;             /* a variable that the plan may write */
    bool feeds;               /* a variable that constants are computed from */
    const ttt_stored *stored; /* of a variable; NULL until the plan is prepared */
    int same_as;              /* overwrites this storage; -1: has memory of its own */
    int64_t offset;           /* in the arena */
    char *data;
    int64_t ahead_offset; /* of an input: where it is written while `data` is in use */
    bool written_ahead;   /* and waits there for the next run */
};

struct ttt_plan {
    ttt_store *store;
    ttt_device *device;
    struct plan_node *nodes;
    struct tensor *tensors;
    struct plan_storage *storages;
    struct named_output *outputs;
    int n_nodes, n_tensors, n_storages, n_outputs;
    ttt_plan_memory memory;
    void *arena;
    bool has_constants;       /* they were computed, */
    uint64_t constants_of;    /* from variables whose versions add up to this */
    bool ahead;               /* inputs have room to be written ahead of their use */
    bool one_by_one;          /* every run is node by node, each waited for */
    bool has_run;             /* node by node, as the first run always is */
    ttt_recording *recording; /* of all launches; NULL where the device does not record */
    double flops, bytes;
};

/* What merging nodes must know.  A pass that moves or drops nodes keeps its own copy up to date. */
struct plan_uses {
    int *producer; /* by storage: the plan node that writes it, or -1 */
    int *readers;  /* by storage: how many node inputs read it; outputs of the plan count as one */
    int *effects;  /* by node: how many nodes with effects stand before it */
};

ttt_status plan_uses_create(struct plan_uses *uses, const ttt_plan *plan);
void plan_uses_destroy(struct plan_uses *uses);
bool plan_is_output(const ttt_plan *plan, int storage);

/* All views of storage `from` become views of `to`, so many elements further on. */
void plan_move_views(ttt_plan *plan, int from, int to, int64_t offset);

/* Fills node->operands, as far as the plan knows them. */
ttt_status plan_describe_operands(const ttt_plan *plan, struct plan_node *node);

/* Merges chains of nodes whose operators can be composed.  May leave nodes with op NULL behind. */
ttt_status plan_fuse(ttt_plan *plan);

/* Takes pointwise work behind products into them, as epilogues.  May leave nodes with op NULL behind. */
ttt_status plan_absorb(ttt_plan *plan);

/* Makes one node of a product and the product that it is added to.  May leave nodes with op NULL behind. */
ttt_status plan_pair(ttt_plan *plan);

/* Joins neighbours that share operands into one node.  May leave nodes with op NULL behind. */
ttt_status plan_join(ttt_plan *plan);

/* Chooses the type of every activation, and adds the conversions that this takes. */
ttt_status plan_lower_precision(ttt_plan *plan);

/* Lets the parts of joins be written where they are joined.  May leave nodes with op NULL behind. */
ttt_status plan_place_parts(ttt_plan *plan);

/* Lets values be written where they are assigned.  May leave nodes with op NULL behind. */
ttt_status plan_place_values(ttt_plan *plan);

/* Marks the nodes whose results stay the same from run to run. */
ttt_status plan_find_constants(ttt_plan *plan);

/* Lifetimes, overwriting, and offsets of everything in the arena; sets memory.arena. */
ttt_status plan_layout(ttt_plan *plan);

/* An input by name, with memory; what lies behind an output, and how many bytes. */
ttt_status plan_input_at(ttt_plan *plan, const char *input, struct plan_storage **storage);
ttt_status plan_output_at(const ttt_plan *plan, const char *output, const char **data, size_t *bytes);

/* Moves the inputs that were written ahead to where the nodes read them. */
ttt_status plan_take_inputs(ttt_plan *plan);

/* The launch of a node as planned. */
ttt_launch plan_launch(const ttt_plan *plan, const struct plan_node *node);

/* Launches it; errors name the node, its operator and row, and a device that fails. */
ttt_status plan_run_node(ttt_plan *plan, const struct plan_node *node);

/* Whether x is contiguous and all of its memory. */
bool plan_covers_storage(const ttt_plan *plan, ttt_tensor x);

void plan_node_clear(struct plan_node *node);

#endif
