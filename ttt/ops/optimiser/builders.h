/* What the builders of this folder share. */
#ifndef TTT_OPS_OPTIMISER_BUILDERS_H
#define TTT_OPS_OPTIMISER_BUILDERS_H

#include "ttt/graph/operator.h"

/* Room for `count` tensors that the caller frees; NULL with the graph's error set when there is none. */
ttt_tensor *ttt_tensor_list(ttt_graph *g, int count);

/* Whether x, which `op` writes, exists and lies in order without gaps; else the graph's error is set. */
bool ttt_writable(ttt_graph *g, const char *op, const char *what, int i, ttt_tensor x);

/* Whether the i-th x has the shape of what it belongs to; else the graph's error is set. */
bool ttt_same_shape(ttt_graph *g, const char *op, const char *what, int i, ttt_tensor x, ttt_tensor owner);

/* Elements of in[first], in[first + step], ... together. */
int64_t ttt_elements_of_all(const ttt_launch *launch, int first, int step);

#endif
