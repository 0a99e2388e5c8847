/* What an operator is: its name, its gradient, its cost, and the table of its implementations.
 *
 * An operator's folder ops/<op>/ has a builder that checks its arguments and calls ttt_node_add, and one
 * `const ttt_operator`.  The graph knows operators through this interface alone.
 */
#ifndef TTT_GRAPH_OPERATOR_H
#define TTT_GRAPH_OPERATOR_H

#include <stddef.h>

#include "ttt/device/device.h"
#include "ttt/graph/graph.h"

/* A tensor as an implementation sees it: element (i, j, ...) lies at data + (i*stride[0] + j*stride[1] ...).
 */
typedef struct ttt_operand {
    void *data; /* NULL while planning, and for an input that is TTT_NONE (dtype is then 0) */
    ttt_dtype dtype;
    ttt_shape shape;
    int64_t stride[TTT_MAX_RANK]; /* elements */
    bool symmetric;               /* matrices that equal their transpose (ttt_symmetric) */
} ttt_operand;

/* One node about to be planned or run. */
typedef struct ttt_launch {
    const ttt_operand *in;
    const ttt_operand *out;
    int n_in, n_out;
    const void *attributes; /* the operator's own struct */
    void *workspace;        /* as many bytes as the implementation asked for, aligned to 256 */
    void *state;            /* what the implementation's prepare made */
    ttt_device *device;
    int threads;
} ttt_launch;

typedef struct ttt_implementation {
    const char *name;
    ttt_device_kind device;
    /* Whether it can run this node; sets *why to a phrase when it cannot.  NULL: it always can. */
    bool (*supports)(const ttt_launch *launch, const char **why);
    size_t (*workspace)(const ttt_launch *launch); /* bytes; NULL: none */

    /* What is done once, before the first run: library plans, compiled kernels.  Operands have no data yet.
     * NULL: nothing. */
    ttt_status (*prepare)(const ttt_launch *launch, void **state);
    void (*release)(void *state);

    /* On a device that records, all it does is launch. */
    ttt_status (*run)(const ttt_launch *launch);
} ttt_implementation;

/* A row for CUDA in a table of implementations: not there in builds without. */
#ifdef TTT_HAVE_CUDA
#define TTT_CUDA_ROW(row) row,
#else
#define TTT_CUDA_ROW(row)
#endif

/* One whose kernels exist for sm_90a alone. */
#ifdef TTT_HAVE_HOPPER
#define TTT_HOPPER_ROW(row) row,
#else
#define TTT_HOPPER_ROW(row)
#endif

typedef struct ttt_cost {
    double flops; /* multiply and add count as one each; transcendental functions as one */
    double bytes; /* least traffic: each input read once, each output written once */
} ttt_cost;

typedef struct ttt_node ttt_node;

typedef struct ttt_operator ttt_operator;

struct ttt_operator {
    const char *name;
    size_t attribute_size; /* bytes of the struct that ttt_node_add copies */

    /* Builds in_gradients[i] for the inputs where wanted[i] is set, out of out_gradients (TTT_NONE where
     * none flows into an output).  May leave TTT_NONE for "zero".  NULL: the operator has no gradient, and
     * asking for one is an error. */
    void (*gradient)(ttt_graph *graph, const ttt_node *node, const ttt_tensor *out_gradients,
                     const bool *wanted, ttt_tensor *in_gradients);

    /* FLOPs, and bytes where they are not simply those of all operands (bytes 0: the graph fills them in). */
    ttt_cost (*cost)(const ttt_launch *launch);

    /* Bit i: output 0 may be written over input i, if that has the same layout and is not used later. */
    unsigned overwrites;
    bool all_overwrite; /* the same holds for its other outputs, each over another input */

    /* Bit i: output i may have gaps between its rows, the last dimension being of unit stride. */
    unsigned spaced;
    bool joins; /* its one output is its inputs, one after another along the dimension that differs */

    /* Mixed precision (graph/precision.c), by input and output; bit 31 stands for all from there on.  Inputs
     * that may be bf16, inputs that are turned into bf16 where they are not, outputs that may be bf16. */
    unsigned bf16_takes, bf16_wants, bf16_gives;

    /* The output that is output 0 again, in bf16, for readers that want this where others keep output 0 in
     * f32; 0: there is none, and output 0 is converted. */
    int bf16_copy;

    bool has_effect; /* it writes variables among its inputs: never dropped, never moved */
    /* Whether its inputs are pairs: a variable, and the value that this takes over, whatever it was.  NULL:
     * they are not. */
    bool (*assigns)(const void *attributes);
    bool is_view; /* its outputs are other shapes over input 0 (ttt_view_add): nothing is launched */

    /* Merges two nodes of this operator, whose outputs are of one shape, into one that does the work of
     * both.  Its inputs are numbered anew: first_inputs[i] and second_inputs[i] give the new number of each
     * old input, -1 - k for output k of the first.  Its outputs are those of the first, if `keep`, then those
     * of the second.  Writes the merged attributes; false when the two do not fit into one.  NULL: nodes of
     * this operator stay apart. */
    bool (*compose)(void *merged, const void *first, const int *first_inputs, bool keep, const void *second,
                    const int *second_inputs, int n_inputs);

    /* Takes the work of a later node of another operator into one of this: an epilogue.  `next` has one
     * output, with the elements of our output 0, which nothing else reads, in the same order.  Its inputs are
     * that output, number `product`, and at most one more, again with as many elements in that order.  Our
     * output 0 becomes that of `next`, in our shape; the other input becomes our input `absorbed_operand`,
     * which was TTT_NONE, as a contiguous tensor of that shape.  Writes the merged attributes; false when
     * this cannot be expressed.  NULL: nodes of this operator absorb nothing. */
    bool (*absorb)(void *merged, const void *attributes, const ttt_operator *next,
                   const void *next_attributes, int product);
    int absorbed_operand;

    /* Joins two nodes of this operator, the second of which adds the first's output as its absorbed operand,
     * into one of `paired`: its inputs are those before absorbed_operand, of the first, then of the second.
     * Writes the attributes of the pair; false when the two do not fit.  NULL: nodes stay apart. */
    bool (*pair)(void *pair, const void *first, const void *second);
    const ttt_operator *paired;

    const ttt_implementation *const *implementations; /* best first, ends with NULL */
};

/* The description of one output for ttt_node_add: a fresh, contiguous tensor. */
typedef struct ttt_output_spec {
    ttt_dtype dtype;
    ttt_shape shape;
} ttt_output_spec;

/* Appends a node.  Inputs may be TTT_NONE where the operator allows it; when one is invalid, nothing is
 * appended and all outputs are invalid.  `attributes` is copied. */
void ttt_node_add(ttt_graph *graph, const ttt_operator *op, const void *attributes, const ttt_tensor *inputs,
                  int n_inputs, const ttt_output_spec *specs, int n_outputs, ttt_tensor *outputs);

/* The same for one output. */
ttt_tensor ttt_node_add_one(ttt_graph *graph, const ttt_operator *op, const void *attributes,
                            const ttt_tensor *inputs, int n_inputs, ttt_dtype dtype, ttt_shape shape);

/* Appends a node whose outputs are views of x: output i has specs[i].shape, and the given strides and offset
 * (elements) within x's memory.  For operators with is_view. */
typedef struct ttt_view_spec {
    ttt_shape shape;
    int64_t stride[TTT_MAX_RANK];
    int64_t offset; /* from x's first element */
} ttt_view_spec;
void ttt_view_add(ttt_graph *graph, const ttt_operator *op, const void *attributes, ttt_tensor x,
                  const ttt_view_spec *specs, int n_outputs, ttt_tensor *outputs);

/* The bytes that a block of the target's kernels may share; SIZE_MAX where no device was named. */
size_t ttt_graph_shared_memory(const ttt_graph *graph);

/* For gradient builders. */
ttt_tensor ttt_node_input(const ttt_node *node, int i);
ttt_tensor ttt_node_output(const ttt_node *node, int i);
int ttt_node_input_count(const ttt_node *node);
int ttt_node_output_count(const ttt_node *node);
const void *ttt_node_attributes(const ttt_node *node);

/* Records an error (the first one stays) and returns an invalid handle. */
ttt_tensor ttt_graph_fail(ttt_graph *graph, ttt_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether every one of the handles is usable; an invalid one must make a builder return TTT_INVALID. */
bool ttt_valid(ttt_tensor x);
#define TTT_INVALID ((ttt_tensor){-1})

/* Whether x is laid out in order without gaps, and stride of a dimension (elements). */
bool ttt_is_contiguous(const ttt_graph *graph, ttt_tensor x);
int64_t ttt_stride(const ttt_graph *graph, ttt_tensor x, int dimension);

/* The same for an operand. */
bool ttt_operand_contiguous(const ttt_operand *x);
int64_t ttt_operand_elements(const ttt_operand *x);
int64_t ttt_operand_bytes(const ttt_operand *x);

/* An operator's cost for a launch, bytes filled in. */
ttt_cost ttt_cost_of(const ttt_operator *op, const ttt_launch *launch);

/* Two builders that the gradient itself uses; ops/pointwise and ops/fill have them. */
ttt_tensor ttt_add(ttt_graph *graph, ttt_tensor a, ttt_tensor b);
ttt_tensor ttt_fill(ttt_graph *graph, ttt_shape shape, float value);

/* The operator that mixed precision converts with: y = x, of any types. */
extern const ttt_operator ttt_op_copy;

/* supports(): whether all operands that exist have this type, else *why is set. */
bool ttt_all_f32(const ttt_launch *launch, const char **why);
bool ttt_all_contiguous_f32(const ttt_launch *launch, const char **why);
bool ttt_all_f32_or_bf16(const ttt_launch *launch, const char **why);

#endif
