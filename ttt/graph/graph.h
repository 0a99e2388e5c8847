/* Building a graph: tensors with known shapes, views of them, names, and the gradient.
 *
 * A builder checks shapes and types and returns a handle.  A builder that fails returns an invalid handle,
 * which later builders pass on; the graph keeps the first error (ttt_graph_status), so model code needs no
 * check after every line.  Nothing is computed until a plan of the graph is run (plan.h).
 */
#ifndef TTT_GRAPH_GRAPH_H
#define TTT_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "ttt/base/dtype.h"
#include "ttt/base/status.h"
#include "ttt/device/device.h"

#define TTT_MAX_RANK 6

typedef struct ttt_shape {
    int rank;
    int64_t size[TTT_MAX_RANK];
} ttt_shape;

/* A shape from its sizes: ttt_dims(batch, tokens, width). */
#define ttt_dims(...) ((ttt_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})

int64_t ttt_shape_elements(ttt_shape shape);
bool ttt_shape_equal(ttt_shape a, ttt_shape b);

/* "(2, 3, 4)" into `text`, which is returned. */
#define TTT_SHAPE_TEXT 128
const char *ttt_shape_text(ttt_shape shape, char text[TTT_SHAPE_TEXT]);

typedef struct ttt_graph ttt_graph;

/* A handle to a tensor of one graph.  TTT_NONE stands for "no tensor" where a builder allows that. */
typedef struct ttt_tensor {
    int32_t index; /* 0: none; negative: invalid */
} ttt_tensor;
#define TTT_NONE ((ttt_tensor){0})

ttt_status ttt_graph_create(ttt_graph **graph);
void ttt_graph_destroy(ttt_graph *graph);

/* What the graph is built for, before its first tensor: the kind of device, and the type of activations.
 * Builders may then take operators that only that device has, and with TTT_BF16 the planner keeps activations
 * and working copies of parameters in bf16 (precision.c).  A graph without a target is for any device, in
 * f32. */
void ttt_graph_target(ttt_graph *graph, ttt_device_kind kind, ttt_dtype activations);

/* The same for one device and others that offer as much: builders keep to the shared memory that it has. */
void ttt_graph_target_device(ttt_graph *graph, const ttt_device *device, ttt_dtype activations);

bool ttt_graph_targets(const ttt_graph *graph, ttt_device_kind kind, ttt_dtype activations);

/* A copy of the first error of any builder, or TTT_OK. */
ttt_status ttt_graph_status(const ttt_graph *graph);

/* Names: what is built between push and pop is called "OUTER.NAME. ...". */
void ttt_scope_push(ttt_graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ttt_scope_pop(ttt_graph *graph);

/* A tensor that the caller fills before each run. */
ttt_tensor ttt_input(ttt_graph *graph, const char *name, ttt_dtype dtype, ttt_shape shape);

/* A tensor that outlives runs and plans: the store's variable `name` (store.h).  Scopes do not apply.
 * Naming a variable twice gives the same tensor. */
ttt_tensor ttt_variable(ttt_graph *graph, const char *name, ttt_dtype dtype, ttt_shape shape);

/* Keeps x readable after a run (ttt_read), and everything that it is computed from in the plan. */
void ttt_output(ttt_graph *graph, const char *name, ttt_tensor x);

bool ttt_exists(ttt_tensor x); /* neither none nor invalid */
ttt_shape ttt_shape_of(const ttt_graph *graph, ttt_tensor x);
ttt_dtype ttt_dtype_of(const ttt_graph *graph, ttt_tensor x);
int64_t ttt_size(const ttt_graph *graph, ttt_tensor x, int dimension); /* negative: from the end */

/* Views: other shapes over the same elements, computed with no copy.  Dimensions may be negative, from the
 * end.  All of them fail with TTT_SHAPE when the request does not fit. */
ttt_tensor ttt_reshape(ttt_graph *graph, ttt_tensor x,
                       ttt_shape shape); /* copies where strides forbid a view */
ttt_tensor ttt_permute(ttt_graph *graph, ttt_tensor x,
                       const int *order);                               /* y's dimension i is x's order[i] */
ttt_tensor ttt_transpose(ttt_graph *graph, ttt_tensor x, int a, int b); /* swaps two dimensions */
ttt_tensor ttt_expand(ttt_graph *graph, ttt_tensor x, ttt_shape shape); /* sizes of 1 repeat */

/* Cuts `dimension` into `count` consecutive pieces of the given sizes, which must add up; pieces are views.
 */
void ttt_split(ttt_graph *graph, ttt_tensor x, int dimension, int count, const int64_t *sizes,
               ttt_tensor *pieces);

/* x[start : start+length] along `dimension`. */
ttt_tensor ttt_slice(ttt_graph *graph, ttt_tensor x, int dimension, int64_t start, int64_t length);

/* x itself where its elements lie in order without gaps, else a copy that does. */
ttt_tensor ttt_contiguous(ttt_graph *graph, ttt_tensor x);

/* x, of which the gradient knows nothing: none flows through. */
ttt_tensor ttt_detach(ttt_graph *graph, ttt_tensor x);

/* x, which stays in f32 whatever the graph's target: what sums up over many steps, such as fast weights. */
ttt_tensor ttt_precise(ttt_graph *graph, ttt_tensor x);

/* x, of which the builder knows that its matrices (the last two dimensions) equal their transposes.  Sums and
 * multiples of such tensors are known to be so too, and products save work with them. */
ttt_tensor ttt_symmetric(ttt_graph *graph, ttt_tensor x);
bool ttt_is_symmetric(const ttt_graph *graph, ttt_tensor x);

/* Nodes built between begin and end are computed again in the backward pass, rather than kept for it.
 * Segments do not nest. */
void ttt_recompute_begin(ttt_graph *graph);
void ttt_recompute_end(ttt_graph *graph);

/* Appends the backward pass of the scalar `loss` (one element).  gradients[i] becomes d loss / d wanted[i],
 * shaped as wanted[i]; TTT_NONE where the loss does not depend on it. */
void ttt_gradient(ttt_graph *graph, ttt_tensor loss, const ttt_tensor *wanted, int count,
                  ttt_tensor *gradients);

/* As ttt_gradient, for d sum(y * cotangent): y and cotangent have one shape. */
void ttt_gradient_from(ttt_graph *graph, ttt_tensor y, ttt_tensor cotangent, const ttt_tensor *wanted,
                       int count, ttt_tensor *gradients);

#endif
