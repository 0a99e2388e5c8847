/* How a graph is kept.  For the files of this folder alone. */
#ifndef TTT_GRAPH_GRAPH_INTERNAL_H
#define TTT_GRAPH_GRAPH_INTERNAL_H

#include "ttt/graph/graph.h"
#include "ttt/graph/operator.h"

enum storage_kind {
    STORAGE_ACTIVATION,
    STORAGE_INPUT,
    STORAGE_VARIABLE,
};

/* Memory that one or more tensors are views of. */
struct storage {
    enum storage_kind kind;
    ttt_dtype dtype;
    ttt_shape shape; /* of the tensor that was made with it */
    char *name;      /* of an input or variable, else NULL */
    bool precise;    /* stays in f32 */
};

struct tensor {
    ttt_dtype dtype;
    ttt_shape shape;
    int64_t stride[TTT_MAX_RANK]; /* elements */
    int64_t offset;               /* elements, within the storage */
    int storage;
    int producer;   /* node; -1 for inputs and variables */
    bool symmetric; /* known to equal its transpose */
};

struct ttt_node {
    const ttt_operator *op;
    void *attributes;
    ttt_tensor *inputs, *outputs;
    int n_inputs, n_outputs;
    char *name;    /* "blocks.0.attn.matmul" */
    int segment;   /* to recompute; 0: none */
    bool backward; /* appended by the gradient */
};

struct named_output {
    char *name;
    ttt_tensor tensor;
};

/* Tensor 0 is TTT_NONE. */
struct ttt_graph {
    struct tensor *tensors;
    struct storage *storages;
    ttt_node **nodes; /* each on its own, so that pointers stay valid */
    struct named_output *outputs;
    int n_tensors, n_storages, n_nodes, n_outputs;
    int tensor_room, storage_room, node_room, output_room;

    char scope[256];
    int segment, n_segments; /* the open one, and how many there are */
    bool in_backward;
    bool has_target; /* else: any device, f32 */
    ttt_device_kind target;
    size_t shared_memory; /* of a block there */
    ttt_dtype activations;
    ttt_status error;
};

const struct tensor *tensor_at(const ttt_graph *graph, ttt_tensor x);

/* What an operand has of a tensor: all but the data. */
ttt_operand operand_of_tensor(const struct tensor *tensor);

/* The operand of tensor x, with no data; a zeroed one for TTT_NONE. */
ttt_operand operand_of(const ttt_graph *graph, ttt_tensor x);

/* Appends a copy of `node` with other inputs; its outputs are new tensors. */
ttt_node *node_repeat(ttt_graph *graph, const ttt_node *node, const ttt_tensor *inputs);

#endif
